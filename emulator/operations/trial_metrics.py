"""Metrics that clients put to trial components, as the metrics service takes and gives them."""

from emulator.call import Call, Document, Measurement, Record
from emulator.errors import ServiceError
from emulator.logs.statistics import STATISTICS, summarize
from emulator.operations.record_kinds import TRIAL_COMPONENTS
from emulator.operations.registry import operation

_SECONDS = {"OneMinute": 60, "FiveMinute": 300, "OneHour": 3600}
_ITERATION = "IterationNumber"


@operation("BatchPutMetrics")
def put(call: Call, request: Document) -> Document:
    with call.store.transaction():
        component = TRIAL_COMPONENTS.find(call, request["TrialComponentName"])
        given = [
            Measurement(one["MetricName"], one["Timestamp"], one.get("Step"), one["Value"])
            for one in request["MetricData"]
        ]
        call.store.measure(component.arn, given)
    return {}


@operation("BatchGetMetrics")
def get(call: Call, request: Document) -> Document:
    return {"MetricQueryResults": [_result(call, query) for query in request["MetricQueries"]]}


def summaries(call: Call, component: Record) -> list[Document]:
    """Return the statistics of each metric of a trial component, in the order of their names.

    Those that its job has made come first.
    """
    by_name: dict[str, list[Measurement]] = {}
    for one in call.store.measurements(component.arn):
        by_name.setdefault(one.name, []).append(one)
    put = [
        {
            "MetricName": name,
            "SourceArn": component.arn,
            "TimeStamp": max(one.at for one in measured),
            **summarize(_values(measured)),
        }
        for name, measured in sorted(by_name.items())
    ]
    return [*component.document.get("Metrics", []), *put]


def _result(call: Call, query: Document) -> Document:
    """Return the values that a query asks for, or why there are none; never raises."""
    by_iteration = query["XAxisType"] == _ITERATION
    if by_iteration != (query["Period"] == _ITERATION):
        return _invalid(f"Period {query['Period']} does not go with {query['XAxisType']}.")
    try:
        component = TRIAL_COMPONENTS.find(call, query["ResourceArn"])
    except ServiceError as error:
        return _invalid(error.message)
    groups: dict[int, list[Measurement]] = {}
    for one in call.store.measurements(component.arn):
        if one.name != query["MetricName"] or not _within(one.at, query):
            continue
        if not by_iteration:
            period = _SECONDS[query["Period"]]
            groups.setdefault(int(one.at // period * period), []).append(one)
        elif one.step is not None:
            groups.setdefault(one.step, []).append(one)
    places = sorted(groups)
    of = STATISTICS[query["MetricStat"]]
    return {
        "Status": "Complete",
        "XAxisValues": places,
        "MetricValues": [of(_values(groups[place])) for place in places],
    }


def _values(measured: list[Measurement]) -> list[float]:
    """Return the values by their times; of one time, as they came."""
    return [one.value for one in sorted(measured, key=lambda one: one.at)]


def _within(at: float, query: Document) -> bool:
    start, end = query.get("Start"), query.get("End")
    return (start is None or at >= start) and (end is None or at <= end)


def _invalid(message: str) -> Document:
    return {"Status": "ValidationError", "Message": message, "XAxisValues": [], "MetricValues": []}

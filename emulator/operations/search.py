"""Search: resources of one kind by their properties, as their own Describe operations show them.

Of kinds that cannot exist here it finds none.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from emulator import arn as arns
from emulator import kinds
from emulator.call import Call, Document, Kind, Record
from emulator.errors import ValidationException
from emulator.operations import endpoints, job_components, pipelines, trial_metrics
from emulator.operations.listing import DEFAULT_PAGE
from emulator.operations.record_kinds import TRIALS_OF
from emulator.operations.refusals import refuse_unemulated
from emulator.operations.registry import operation
from emulator.operations.search_expression import Matches, Property, condition, property_of

Place = tuple[int, float | str, str]
"""A result's place: whether its value is absent, a number or a text; the value; what it is of."""
Found = tuple[str, Document]
"""What tells a result from others, and the result."""

_RESULT = "SearchRecord"
"""The shape of one result, which has a member for each kind."""
# Those that a request calls otherwise.
_MEMBERS = {"ExperimentTrial": "Trial", "ExperimentTrialComponent": "TrialComponent"}


@operation("Search")
def search(call: Call, request: Document) -> Document:
    refuse_unemulated(request, {"VisibilityConditions": ""})
    resource = request["Resource"]
    member = _MEMBERS.get(resource, resource)
    described = call.shapes[_RESULT]["members"].get(member)
    if described is None:
        # Images: not even a result has room for them.
        return {"Results": [], "TotalHits": _hits(0)}
    passes: Matches = _everything
    if "SearchExpression" in request:
        passes = condition(call.shapes, described["shape"], request["SearchExpression"])
    by = _sorting(call, described["shape"], request)
    found = [(_place(by, one), one[1]) for one in _candidates(call, request) if passes(one[1])]
    falling = request.get("SortOrder", "Descending") == "Descending"
    found.sort(key=lambda pair: pair[0], reverse=falling)
    rest = found
    if token := request.get("NextToken"):
        last = _place_in(token, resource, by)
        rest = [one for one in found if (one[0] < last if falling else one[0] > last)]
    size = request.get("MaxResults", DEFAULT_PAGE)
    reply: Document = {
        "Results": [{member: document} for _, document in rest[:size]],
        "TotalHits": _hits(len(found)),
    }
    if len(rest) > size:
        reply["NextToken"] = _token(rest[size - 1][0], resource, by)
    return reply


def _everything(document: Document) -> bool:
    return True


def _hits(count: int) -> Document:
    return {"Value": count, "Relation": "EqualTo"}


def _candidates(call: Call, request: Document) -> Iterator[Found]:
    """Yield all resources of the kind that is searched, with what only a search tells of them."""
    resource = request["Resource"]
    if resource not in _KINDS or request.get("CrossAccountFilterOption") == "CrossAccount":
        # No other account shares anything with this one.
        return
    kind, results = _KINDS[resource]
    yield from results(call, call.store.select(kind, call.scope))


def _plain(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    for record in records:
        yield _tagged(call, record)


def _tagged(call: Call, record: Record, **members: Any) -> Found:
    """Return a record as a result, with further members and with its own tags."""
    return record.arn, {**record.document, "Tags": _tags(call, record.arn), **members}


def _tags(call: Call, arn: str) -> list[Document]:
    return [{"Key": key, "Value": value} for key, value in call.store.tags(arn).items()]


def _endpoints(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    for record in records:
        yield _tagged(call, record, **endpoints.described(record))


def _models(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    for record in records:
        arn, document = _tagged(call, record)
        yield arn, {"Model": document}


def _trials(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    parts: dict[str, list[Document]] = {}
    for component in call.store.select(kinds.TRIAL_COMPONENT, call.scope):
        for name in component.document[TRIALS_OF]:
            parts.setdefault(name, []).append(component.document)
    for record in records:
        yield _tagged(call, record, TrialComponentSummaries=parts.get(record.name, []))


def _trial_components(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    parents = {
        trial.name: {"TrialName": trial.name, "ExperimentName": trial.document["ExperimentName"]}
        for trial in call.store.select(kinds.TRIAL, call.scope)
    }
    for record in (job_components.shown(call, record) for record in records):
        yield _tagged(
            call,
            record,
            Parents=[parents[name] for name in record.document[TRIALS_OF] if name in parents],
            Metrics=trial_metrics.summaries(call, record),
        )


def _model_packages(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    for record in records:
        arn = record.arn
        if "ModelPackageVersion" in record.document:
            # A version has the tags of its group.
            group = record.document["ModelPackageGroupName"]
            arn = arns.of(call.scope, kinds.MODEL_PACKAGE_GROUP.arn_segment, group)
        yield record.arn, record.document | {"Tags": _tags(call, arn)}


def _pipeline_versions(call: Call, records: Iterable[Record]) -> Iterator[Found]:
    for record in records:
        for version in pipelines.versions_of(record.document):
            arn = f"{record.arn}/version/{version['Key']}"
            yield arn, version | {"LastModifiedTime": version["CreationTime"]}


_KINDS: dict[str, tuple[Kind, Callable[[Call, Iterable[Record]], Iterator[Found]]]] = {
    "Endpoint": (kinds.ENDPOINT, _endpoints),
    "Experiment": (kinds.EXPERIMENT, _plain),
    "ExperimentTrial": (kinds.TRIAL, _trials),
    "ExperimentTrialComponent": (kinds.TRIAL_COMPONENT, _trial_components),
    "Model": (kinds.MODEL, _models),
    "ModelCard": (kinds.MODEL_CARD, _plain),
    "ModelPackage": (kinds.MODEL_PACKAGE, _model_packages),
    "ModelPackageGroup": (kinds.MODEL_PACKAGE_GROUP, _plain),
    "Pipeline": (kinds.PIPELINE, _plain),
    "PipelineVersion": (kinds.PIPELINE, _pipeline_versions),
    "TrainingJob": (kinds.TRAINING_JOB, _plain),
}


def _sorting(call: Call, shape: str, request: Document) -> Property:
    """Return the property that results are sorted by; not all kinds have the default one."""
    if "SortBy" in request:
        return property_of(call.shapes, shape, request["SortBy"])
    for name in ("LastModifiedTime", "CreationTime"):
        if name in call.shapes[shape]["members"]:
            return property_of(call.shapes, shape, name)
    return property_of(call.shapes, shape, "Model.CreationTime")


def _place(by: Property, found: Found) -> Place:
    arn, document = found
    value = next(by.values(document), None)
    if isinstance(value, int | float):
        return 1, float(value), arn
    return (0, "", arn) if value is None else (2, str(value), arn)


def _token(place: Place, resource: str, by: Property) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([resource, by.name, *place])).decode()


def _place_in(token: str, resource: str, by: Property) -> Place:
    """Return the place in a token; raises ValidationException if it is not of this search."""
    try:
        told: Any = orjson.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        of, name, rank, value, arn = told
        if (of, name) == (resource, by.name) and _is_place(rank, value, arn):
            return rank, value, arn
    except (binascii.Error, ValueError, TypeError):
        pass
    raise ValidationException("The pagination token is invalid.")


def _is_place(rank: Any, value: Any, arn: Any) -> bool:
    wanted: type = float if rank == 1 else str
    return rank in (0, 1, 2) and isinstance(value, wanted) and isinstance(arn, str)

"""Metrics of trial components: put, summarized and got through the metrics service."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

AT = 1_700_000_000


@pytest.fixture
def metrics(sagemaker, client):
    """A client of the metrics service, and a trial component to put metrics to."""
    sagemaker.create_trial_component(TrialComponentName="Part")
    return client("sagemaker-metrics")


def put(metrics, *values, name="loss", start=AT, component="part"):
    data = [
        {"MetricName": name, "Timestamp": start + 30 * step, "Step": step, "Value": value}
        for step, value in enumerate(values)
    ]
    return metrics.batch_put_metrics(TrialComponentName=component, MetricData=data)


def test_metrics_that_were_put_are_summarized(sagemaker, metrics, arn):
    assert "Errors" not in put(metrics, 4.0, 1.0, 2.5)
    put(metrics, 7.0, name="accuracy")
    put(metrics, 0.5, start=AT - 60)
    described = sagemaker.describe_trial_component(TrialComponentName="Part")
    assert [one["MetricName"] for one in described["Metrics"]] == ["accuracy", "loss"]
    loss = described["Metrics"][1]
    assert loss["SourceArn"] == arn("experiment-trial-component", "part")
    assert loss["TimeStamp"] == datetime.fromtimestamp(AT + 60, UTC)
    assert (loss["Count"], loss["Min"], loss["Max"]) == (4, 0.5, 4.0)
    # The last by its time, not by when it came.
    assert loss["Last"] == 2.5
    assert loss["Avg"] == pytest.approx(2.0)
    assert loss["StdDev"] == pytest.approx(1.3693, abs=1e-4)


def test_metrics_go_to_a_component_that_is_there(metrics):
    with pytest.raises(ClientError) as refusal:
        put(metrics, 1.0, component="nobody")
    response = refusal.value.response
    assert response["Error"]["Code"] == "ResourceNotFound"
    assert response["Error"]["Message"].endswith("/nobody' does not exist.")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_bad_request_is_refused_by_the_services_own_model(metrics):
    with pytest.raises(ClientError) as refusal:
        put(metrics, 1.0, component="Under_Score")
    error = refusal.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert "at 'trialComponentName'" in error["Message"]


def test_metrics_go_with_their_component(sagemaker, metrics):
    put(metrics, 1.0)
    sagemaker.delete_trial_component(TrialComponentName="Part")
    sagemaker.create_trial_component(TrialComponentName="Part")
    assert sagemaker.describe_trial_component(TrialComponentName="Part").get("Metrics", []) == []


@pytest.mark.parametrize(
    "asked, axis, values",
    [
        (("Last", "IterationNumber", "IterationNumber"), [0, 1, 2], [4.0, 1.0, 2.5]),
        # AT is 20 seconds after a full minute.
        (("Avg", "OneMinute", "Timestamp"), [AT - 20, AT + 40], [2.5, 2.5]),
        (("Count", "OneHour", "Timestamp"), [AT - AT % 3600], [3.0]),
    ],
)
def test_metrics_are_got_by_iteration_or_by_time(metrics, arn, asked, axis, values):
    put(metrics, 4.0, 1.0, 2.5)
    stat, period, x_axis = asked
    query = {
        "MetricName": "loss",
        "ResourceArn": arn("experiment-trial-component", "part"),
        "MetricStat": stat,
        "Period": period,
        "XAxisType": x_axis,
    }
    absent = query | {"ResourceArn": arn("experiment-trial-component", "nobody")}
    odd = query | {"Period": "OneHour", "XAxisType": "IterationNumber"}
    late = query | {"Start": AT + 3600}
    reply = metrics.batch_get_metrics(MetricQueries=[query, absent, odd, late])
    got, *others = reply["MetricQueryResults"]
    assert got == {"Status": "Complete", "XAxisValues": axis, "MetricValues": values}
    assert [one["Status"] for one in others] == ["ValidationError", "ValidationError", "Complete"]
    assert [one["MetricValues"] for one in others] == [[], [], []]

"""The services beside S3, seen by boto3, and what the emulator writes there itself."""

import datetime
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, Served, serving

from emulator import clock
from emulator.call import Scope
from emulator.logs import LogLine

SCOPE = Scope(ACCOUNT, "us-west-2")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("storage")) as served:
        yield served


@pytest.mark.parametrize("account", [ACCOUNT, OTHER_ACCOUNT])
def test_sts_knows_the_account_of_the_caller(served: Served, account: str) -> None:
    assert served.client("sts", account).get_caller_identity()["Account"] == account


def test_each_account_and_region_has_resources_of_its_own(served: Served) -> None:
    arn = served.client("sns", region="eu-west-1").create_topic(Name="t")["TopicArn"]
    assert arn == f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"
    for other in (
        served.client("sns", region="us-east-1"),
        served.client("sns", OTHER_ACCOUNT, "eu-west-1"),
    ):
        assert other.list_topics()["Topics"] == []


def test_a_role_is_made_and_found(served: Served) -> None:
    iam = served.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]
    assert iam.get_role(RoleName="r")["Role"]["Arn"] == role["Arn"]
    with pytest.raises(ClientError) as error:
        iam.get_role(RoleName="absent")
    assert error.value.response["Error"]["Code"] == "NoSuchEntity"


def test_a_repository_is_made_and_found(served: Served) -> None:
    ecr = served.client("ecr", region="eu-west-1")
    uri = ecr.create_repository(repositoryName="mine")["repository"]["repositoryUri"]
    assert uri == f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/mine"


def test_what_moto_does_not_have_is_refused_once(served: Served) -> None:
    with pytest.raises(ClientError) as error:
        served.client("ecr").start_lifecycle_policy_preview(repositoryName="mine")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_service_that_is_not_here_is_a_key_error(served: Served) -> None:
    with pytest.raises(KeyError):
        served.storage.handle("dynamodb", SCOPE, {}, lambda *_: lambda _: None)


def test_log_lines_read_back_in_order_whatever_their_age(served: Served) -> None:
    times = [100.0, 1_500_000_000.5, 1_400_000_000.0, clock.now()]
    lines = [LogLine(at, f"line\t{n}") for n, at in enumerate(times)]
    served.storage.put_log_lines(SCOPE, "/g", "s/1", lines[:2])
    served.storage.put_log_lines(SCOPE, "/g", "s/1", lines[2:])
    logs = served.client("logs", region="us-west-2")
    events = logs.get_log_events(logGroupName="/g", logStreamName="s/1", startFromHead=True)
    assert [(e["timestamp"], e["message"]) for e in events["events"]] == [
        (int(line.at * 1000), line.text) for line in sorted(lines, key=lambda line: line.at)
    ]
    assert served.storage.last_log_line(SCOPE, "/g", "s/1") == pytest.approx(times[-1])
    assert served.storage.last_log_line(SCOPE, "/g", "absent") == 0.0


def test_a_stream_without_lines_exists(served: Served) -> None:
    served.storage.put_log_lines(SCOPE, "/empty", "s", [])
    logs = served.client("logs", region="us-west-2")
    streams = logs.describe_log_streams(logGroupName="/empty")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["s"]


def test_a_deleted_stream_is_written_anew(served: Served) -> None:
    logs = served.client("logs", region="us-west-2")
    served.storage.put_log_lines(SCOPE, "/again", "s", [LogLine(1.0, "old")])
    logs.delete_log_stream(logGroupName="/again", logStreamName="s")
    served.storage.put_log_lines(SCOPE, "/again", "s", [LogLine(2.0, "new")])
    events = logs.get_log_events(logGroupName="/again", logStreamName="s")["events"]
    assert [event["message"] for event in events] == ["new"]


def test_a_metric_is_found_by_its_dimension(served: Served) -> None:
    now = clock.now()
    for value in (0.5, 0.25):
        served.storage.put_metric(
            SCOPE, "/aws/sagemaker/TrainingJobs", "loss", value, now, {"J": "j"}
        )
    statistics = served.client("cloudwatch", region="us-west-2").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="loss",
        Dimensions=[{"Name": "J", "Value": "j"}],
        StartTime=datetime.datetime.fromtimestamp(now - 60, datetime.UTC),
        EndTime=datetime.datetime.fromtimestamp(now + 60, datetime.UTC),
        Period=300,
        Statistics=["Minimum", "SampleCount"],
    )["Datapoints"]
    assert sum(point["SampleCount"] for point in statistics) == 2
    assert min(point["Minimum"] for point in statistics) == 0.25


def test_writing_in_process_opens_no_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    storage = served.storage
    storage.put_log_lines(SCOPE, "/g", "s", [LogLine(1.0, "x")])
    storage.put_metric(SCOPE, "n", "m", 1.0, 1.0, {})
    storage.objects(SCOPE).create_bucket_if_absent("some-bucket")
    storage.objects(SCOPE).put_bytes("some-bucket", "k", b"x")

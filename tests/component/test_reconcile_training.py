"""What a training job's reconciler does when its surroundings misbehave."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_world import (
    BUCKET,
    IMAGE,
    NAME,
    SCOPE,
    World,
    channel,
    fails,
    source,
    writes,
)

from emulator import clock
from emulator.errors import PermanentError, TemporaryError
from emulator.kinds import TRAINING_JOB
from emulator.launch.driver import ContainerSpec, LogLine, Observed
from emulator.launch.fake import Behaviour
from emulator.reconcile import labels
from emulator.reconcile.follow import Followers
from emulator.reconcile.supervisor import Supervisor

FOREVER = Behaviour(run_for=None, output=("ready",), effect=writes)
PAIR = {"InstanceType": "ml.m5.large", "InstanceCount": 2}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def running(world: World, behaviour: Behaviour = FOREVER, **request: Any) -> None:
    """Create a job and bring it to where its containers run."""
    world.create(behaviour, **request)
    world.phase("Training")
    world.look()
    world.look()


def test_every_pass_made_twice_equals_the_pass_made_once(world: World) -> None:
    world.objects.put_bytes(BUCKET, "in/a", b"1")
    world.create(
        Behaviour(output=("line",), effect=writes), InputDataConfig=[channel("train", "in/")]
    )
    while True:
        stale = world.record()
        world.jobs.reconcile(stale)
        if world.jobs.reconcile(stale) is None:
            break
    record = world.record()
    assert record.phase == "Completed"
    assert [found["Status"] for found in record.document["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [line.text for line in world.written.lines] == ["line"]
    assert len(world.launcher.started) == 1
    assert world.model() == ["algo-1"]


@pytest.mark.parametrize("phase", ["Starting", "Downloading"])
def test_a_stop_before_the_container_runs_runs_none(world: World, phase: str) -> None:
    world.objects.put_bytes(BUCKET, "in/a", b"1")
    world.create(FOREVER, InputDataConfig=[channel("train", "in/")])
    world.phase(phase)
    world.stop()
    record = world.run()
    assert record.phase == "Stopped"
    assert world.launcher.started == []
    assert list(world.objects.list(BUCKET, "out/")) == []
    assert "FailureReason" not in record.document


def test_a_stop_during_a_pass_wins_over_what_the_pass_brought(world: World) -> None:
    def stopped_meanwhile(spec: ContainerSpec) -> None:
        writes(spec)
        world.stop()

    world.create(Behaviour(run_for=None, effect=stopped_meanwhile))
    record = world.run()
    assert record.phase == "Stopped"
    assert world.model() == ["algo-1"]
    assert world.launcher.find({}) == []


def test_a_stop_during_the_upload_ends_the_job_stopped_with_its_model(world: World) -> None:
    world.create(Behaviour(effect=writes))
    world.phase("Uploading")
    world.stop()
    assert world.run().phase == "Stopped"
    assert world.model() == ["algo-1"]


def test_a_container_that_was_created_and_never_started_is_started(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trace of an emulator killed between the engine's two calls is no finished job."""
    world.create(Behaviour(effect=writes))
    world.phase("Training")
    real = world.launcher.find
    created = Observed(
        handle="half",
        name="half",
        running=False,
        exit_code=None,
        out_of_memory=False,
        started_at=0.0,
        finished_at=0.0,
        address=None,
        image_id="",
        labels=labels.of(TRAINING_JOB, SCOPE, NAME, host="algo-1"),
    )
    monkeypatch.setattr(
        world.launcher,
        "find",
        lambda wanted: real(wanted) or ([] if world.launcher.started else [created]),
    )
    assert world.run().phase == "Completed"
    assert len(world.launcher.started) == 1
    assert world.model() == ["algo-1"]


def test_a_removed_container_fails_the_job_and_keeps_what_it_wrote(world: World) -> None:
    running(world)
    (container,) = world.launcher.find({})
    world.launcher.remove(container.handle)
    record = world.run()
    assert record.phase == "Failed"
    assert "removed by somebody else" in record.document["FailureReason"]
    assert world.model() == ["algo-1"]
    assert len(world.launcher.started) == 1


def test_a_container_removed_during_a_stop_still_leaves_the_model(world: World) -> None:
    running(world)
    world.stop()
    (container,) = world.launcher.find({})
    world.launcher.remove(container.handle)
    assert world.run().phase == "Stopped"
    assert world.model() == ["algo-1"]


def test_of_two_failed_hosts_the_first_gives_the_reason(world: World) -> None:
    running(world, ResourceConfig=PAIR)
    hosts = {
        found.labels["org.sagemaker-emulator.host"]: found for found in world.launcher.find({})
    }
    for host, code in (("algo-2", 5), ("algo-1", 1)):
        spec = next(spec for spec in world.launcher.started if spec.hostname == host)
        (source(spec, "/opt/ml/output") / "failure").write_text(f"{host} broke")
        world.launcher.kill(hosts[host].handle, code)
        world.later += 1
    record = world.run()
    assert record.document["FailureReason"] == "AlgorithmError: algo-2 broke, exit code: 5"


def test_the_job_of_two_hosts_ends_when_both_have(world: World) -> None:
    running(world, ResourceConfig=PAIR)
    first, second = world.launcher.find({})
    world.launcher.kill(first.handle, 0)
    world.look()
    assert world.record().phase == "Training"
    world.launcher.kill(second.handle, 0)
    assert world.run().phase == "Completed"
    assert world.model() == ["algo-1", "algo-2"]


def test_a_failed_start_of_one_host_leaves_no_other(world: World) -> None:
    world.create(FOREVER, ResourceConfig=PAIR)
    world.phase("Training")

    def second_is_gone(spec: ContainerSpec) -> None:
        del world.launcher.images[IMAGE]

    world.launcher.images[IMAGE] = Behaviour(run_for=None, effect=second_is_gone)
    record = world.run()
    assert record.phase == "Failed"
    assert record.document["FailureReason"] == (
        f"ClientError: The training container could not be started: No such image: {IMAGE}"
    )
    assert world.launcher.find({}) == []


def test_a_job_waits_for_an_engine_that_is_away(world: World) -> None:
    running(world)
    world.launcher.down = True
    for _ in range(2):
        with pytest.raises(TemporaryError):
            world.look()
    world.launcher.down = False
    (container,) = world.launcher.find({})
    world.launcher.kill(container.handle, 0)
    assert world.run().phase == "Completed"


def test_an_interrupted_job_fails_at_the_next_run_and_keeps_what_it_wrote(world: World) -> None:
    running(world)
    world.jobs.interrupt(world.record(), grace=1.0)
    world.restart()
    record = world.run()
    assert record.phase == "Failed"
    assert record.document["FailureReason"].startswith(
        "InternalServerError: The emulator was stopped while this training job was running."
    )
    assert world.model() == ["algo-1"]


@pytest.mark.parametrize("phase", ["Starting", "Downloading"])
def test_an_interrupted_job_that_had_not_begun_runs_at_the_next_start(
    world: World, phase: str
) -> None:
    world.objects.put_bytes(BUCKET, "in/a", b"1")
    world.create(Behaviour(effect=writes), InputDataConfig=[channel("train", "in/")])
    world.phase(phase)
    world.jobs.interrupt(world.record(), grace=1.0)
    world.restart()
    assert world.run().phase == "Completed"


def test_a_full_disk_is_told_in_the_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "model.tar.gz")

    monkeypatch.setattr("emulator.reconcile.artifacts.pack", full)
    world.create(Behaviour(effect=writes))
    assert world.run().document["FailureReason"] == (
        "ClientError: Artifact upload failed:Insufficient disk space"
    )


@pytest.mark.parametrize(
    "phase, behaviour, ends, reason",
    [
        ("Starting", FOREVER, "Failed", "InternalServerError: We encountered an internal error."),
        ("Uploading", Behaviour(), "Failed", "InternalServerError: We encountered an internal"),
        ("UploadingFailed", Behaviour(exit_code=2, effect=fails), "Failed", "AlgorithmError: brok"),
        ("Completed", Behaviour(), "Completed", ""),
    ],
)
def test_giving_up_ends_the_job_and_keeps_an_earlier_reason(
    world: World, phase: str, behaviour: Behaviour, ends: str, reason: str
) -> None:
    world.create(behaviour)
    world.phase(phase)
    world.jobs.give_up(world.record(), RuntimeError("unexpected"))
    record = world.record()
    assert record.phase == ends
    assert record.document.get("FailureReason", "").startswith(reason)


def test_giving_up_a_stopped_job_gives_it_no_reason(world: World) -> None:
    running(world)
    world.stop()
    world.jobs.give_up(world.record(), RuntimeError("unexpected"))
    record = world.record()
    assert (record.phase, record.document.get("FailureReason")) == ("Stopped", None)


def test_an_ended_job_that_cannot_be_tidied_up_is_left_to_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(Behaviour())
    world.phase("Completed")
    tries = []

    def stuck(*_: Any) -> None:
        tries.append(1)
        raise RuntimeError("stuck")

    monkeypatch.setattr(world.jobs, "forget", stuck)
    monkeypatch.setattr("emulator.reconcile.supervisor.TRIES", 1)
    supervisor = Supervisor(world.store)
    supervisor.register(world.jobs)
    supervisor.start()
    supervisor.wake(TRAINING_JOB, SCOPE, NAME)
    for thread in threading.enumerate():
        if thread.name == f"{TRAINING_JOB.name} {NAME}":
            thread.join(60)
            assert not thread.is_alive()
    assert tries == [1]
    assert world.record().phase == "Completed"


def test_checkpoints_removed_while_no_emulator_ran_are_removed_in_s3(world: World) -> None:
    world.objects.put_bytes(BUCKET, "ck/restored", b"old")
    running(world, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck"})
    world.look()
    assert [found.key for found in world.objects.list(BUCKET, "ck/")] == [
        "ck/epoch-1",
        "ck/restored",
    ]
    (spec,) = world.launcher.started
    folder = source(spec, "/opt/ml/checkpoints")
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-1", "restored"]
    world.restart()
    (folder / "epoch-1").unlink()
    world.objects.put_bytes(BUCKET, "ck/by-somebody-else", b"new")
    world.look()
    assert [found.key for found in world.objects.list(BUCKET, "ck/")] == [
        "ck/by-somebody-else",
        "ck/restored",
    ]


def test_metrics_are_found_in_what_the_log_shows_and_are_numbers(world: World) -> None:
    world.create(
        Behaviour(output=("[0]\ttrain-rmse:0.5\r", "[1]\ttrain-rmse:0.25", "[2]\ttrain-rmse:nan")),
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": "rmse", "Regex": r".*\[[0-9]+\]#011train-rmse:(\S+?)(?:#015)?$"},
                {"Name": "tab", "Regex": r"\ttrain-rmse:(\S+)"},
            ],
        },
    )
    record = world.run()
    shown = ["[0]#011train-rmse:0.5#015", "[1]#011train-rmse:0.25", "[2]#011train-rmse:nan"]
    assert world.written.texts() == [shown]
    assert world.written.metrics == [0.5, 0.25]
    (metric,) = record.document["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("rmse", 0.25)
    (summary,) = record.document["MetricSummaries"]
    assert summary["TimeStamp"] == metric["Timestamp"]
    statistics = ("Min", "Max", "Avg", "Count", "StdDev", "Last")
    assert [summary[name] for name in statistics] == [0.25, 0.5, 0.375, 2, 0.125, 0.25]


@pytest.mark.parametrize("count, shown", [(0, []), (3, [0, 1, 2]), (12, list(range(2, 12)))])
def test_a_failure_without_a_failure_file_is_told_by_the_last_lines(
    world: World, caplog: pytest.LogCaptureFixture, count: int, shown: list[int]
) -> None:
    said = tuple(f"line {number}" for number in range(count))
    world.create(Behaviour(output=said, exit_code=7))
    record = world.run()
    assert record.document["FailureReason"] == "AlgorithmError: , exit code: 7"
    assert world.written.texts() == ([list(said)] if said else [])
    (told,) = [line for line in caplog.messages if "ended with exit code 7" in line]
    assert told.splitlines()[1:] == [f"  line {number}" for number in shown]
    assert told.endswith("It wrote nothing.") is (count == 0)


def test_what_a_job_that_ended_well_wrote_is_not_repeated(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.create(Behaviour(output=("trained",)))
    assert world.run().phase == "Completed"
    assert not [line for line in caplog.messages if "trained" in line]


@pytest.mark.parametrize(
    "uri, restored",
    [
        ("ck/trial-1", {"epoch-1": "1", "trial-10/epoch-1": "10", "trial-1.log": "log"}),
        ("ck/trial-1/", {"epoch-1": "1"}),
    ],
)
def test_checkpoints_are_restored_by_the_beginning_of_their_keys(
    world: World, uri: str, restored: dict[str, str]
) -> None:
    objects = {"ck/trial-1/epoch-1": b"1", "ck/trial-10/epoch-1": b"10", "ck/trial-1.log": b"log"}
    for key, body in objects.items():
        world.objects.put_bytes(BUCKET, key, body)
    found = dict[str, str]()

    def look(spec: ContainerSpec) -> None:
        folder = source(spec, "/opt/ml/checkpoints")
        for path in folder.rglob("*"):
            if path.is_file():
                found[str(path.relative_to(folder))] = path.read_text()
        (folder / "epoch-2").write_text("2")

    world.create(Behaviour(effect=look), CheckpointConfig={"S3Uri": f"s3://{BUCKET}/{uri}"})
    assert world.run().phase == "Completed"
    assert found == restored
    kept = [found.key for found in world.objects.list(BUCKET, "ck/")]
    assert kept == sorted([*objects, "ck/trial-1/epoch-2"])


def test_checkpoints_without_a_bucket_fail_the_job_before_it_runs(world: World) -> None:
    world.create(Behaviour(), CheckpointConfig={"S3Uri": "s3://nobody/ck"})
    record = world.run()
    assert (record.phase, record.document["FailureReason"]) == (
        "Failed",
        "ClientError: Data download failed:The S3 bucket 'nobody' does not exist",
    )
    assert world.launcher.started == []


def test_a_missing_output_bucket_is_told_before_the_job_runs(world: World) -> None:
    world.create(
        Behaviour(output=("trained",), effect=writes),
        OutputDataConfig={"S3OutputPath": "s3://nobody/out"},
    )
    record = world.run()
    assert record.document["FailureReason"] == (
        "ClientError: Artifact upload failed:The S3 bucket 'nobody' does not exist"
    )
    (texts,) = world.written.texts()
    assert texts[0].endswith(
        "The bucket 'nobody' of S3OutputPath does not exist: artifacts can't be saved."
    )
    assert texts[1:] == ["trained"]


def test_https_addresses_of_s3_lead_to_the_same_objects(world: World) -> None:
    host = "s3.us-east-1.amazonaws.com"
    world.objects.put_bytes(BUCKET, "in/a", b"1")
    data = channel("train", "in/")
    data["DataSource"]["S3DataSource"]["S3Uri"] = f"https://{host}/{BUCKET}/in/"
    world.create(
        Behaviour(effect=writes),
        InputDataConfig=[data],
        OutputDataConfig={"S3OutputPath": f"https://{BUCKET}.{host}/out"},
        CheckpointConfig={"S3Uri": f"https://{host}/{BUCKET}/ck/"},
    )
    assert world.run().phase == "Completed"
    assert world.model() == ["algo-1"]
    assert world.objects.object_exists(BUCKET, "ck/epoch-1")


def test_restored_checkpoints_that_cannot_be_files_fail_the_download(world: World) -> None:
    world.objects.put_bytes(BUCKET, "ck/a", b"1")
    world.objects.put_bytes(BUCKET, "ck/a/b", b"2")
    world.create(Behaviour(), CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck"})
    record = world.run()
    assert record.phase == "Failed"
    assert record.document["FailureReason"].startswith("ClientError: Data download failed:")
    assert world.launcher.started == []


def test_output_that_broke_off_is_followed_again() -> None:
    class Broken:
        """An engine whose first stream of lines ends in an error."""

        def __init__(self) -> None:
            self.asked: list[float] = []

        def logs(self, handle: str, *, since: float = 0.0, follow: bool = True) -> Any:
            self.asked.append(since)
            yield LogLine(len(self.asked), f"line {len(self.asked)}")
            if len(self.asked) == 1:
                raise TemporaryError("The container engine does not answer.")

    launcher: Any = Broken()
    followers, lines = Followers(launcher), list[str]()
    for since in (0.0, 1.0):
        ended = threading.Event()
        followers.follow(
            "handle",
            sink=lambda batch: lines.extend(line.text for line in batch),
            since=since,
            ended=ended.set,
        )
        assert ended.wait(60)
    followers.finish("handle", 10)
    assert lines == ["line 1", "line 2"]
    assert launcher.asked == [0.0, 1.0]


def test_output_is_waited_for_as_long_as_it_comes() -> None:
    class Slow:
        """An engine that hands out lines more slowly than one is patient, all in all."""

        def logs(self, handle: str, *, since: float = 0.0, follow: bool = True) -> Any:
            for number in range(10):
                threading.Event().wait(0.25)
                yield LogLine(number, str(number))

    launcher: Any = Slow()
    followers, lines = Followers(launcher), list[str]()
    followers.follow(
        "handle",
        sink=lambda batch: lines.extend(line.text for line in batch),
        since=0.0,
        ended=lambda: None,
    )
    followers.finish("handle", 1.0)
    assert lines == [str(number) for number in range(10)]


def stray(spec: ContainerSpec, directory: str) -> None:
    """Write three files, of which one has a name that is not UTF-8."""
    for name in (b"a", b"lat\xe9in", b"z"):
        path = os.path.join(os.fsencode(source(spec, directory)), name)
        with open(path, "wb") as file:
            file.write(b"weights")


def test_a_model_file_whose_name_is_not_utf8_fails_its_job_and_costs_no_other_file(
    world: World,
) -> None:
    world.create(
        Behaviour(effect=lambda spec: stray(spec, "/opt/ml/model")),
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": "NONE"},
    )
    record = world.run()
    assert record.phase == "Failed"
    assert record.document["FailureReason"] == (
        "ClientError: Artifact upload failed:The file name "
        f"'out/{NAME}/output/model/lat\\xe9in' is not UTF-8"
    )
    kept = [found.key for found in world.objects.list(BUCKET, "out/")]
    assert kept == [f"out/{NAME}/output/model/a", f"out/{NAME}/output/model/z"]


def test_an_archive_keeps_a_file_whose_name_is_not_utf8(world: World) -> None:
    world.create(Behaviour(effect=lambda spec: stray(spec, "/opt/ml/model")))
    assert world.run().phase == "Completed"
    assert world.model() == sorted(["a", os.fsdecode(b"lat\xe9in"), "z"])


def test_a_checkpoint_whose_name_is_not_utf8_fails_its_job_and_costs_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    running(
        world,
        Behaviour(run_for=None, effect=lambda spec: stray(spec, "/opt/ml/checkpoints")),
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck"},
    )
    for _ in range(3):
        world.look()
    said = [text for text in caplog.messages if "not every checkpoint is saved" in text]
    assert said == [
        f"TrainingJob/{NAME}: not every checkpoint is saved: The file name 'ck/lat\\xe9in' is not"
        " UTF-8"
    ], "said once, not with every look"
    assert world.record().phase == "Training"
    assert [found.key for found in world.objects.list(BUCKET, "ck/")] == ["ck/a", "ck/z"]
    world.stop()
    record = world.run()
    assert record.phase == "Stopped"
    assert [found.key for found in world.objects.list(BUCKET, "ck/")] == ["ck/a", "ck/z"]


def test_a_job_that_ends_with_a_checkpoint_unsaved_has_failed(world: World) -> None:
    world.create(
        Behaviour(effect=lambda spec: stray(spec, "/opt/ml/checkpoints")),
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck"},
    )
    record = world.run()
    assert (record.phase, record.document["FailureReason"]) == (
        "Failed",
        "ClientError: Artifact upload failed:The file name 'ck/lat\\xe9in' is not UTF-8",
    )


@pytest.mark.parametrize("fault", ["disk", "bucket"])
def test_a_checkpoint_that_cannot_be_saved_now_stays_as_s3_has_it(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    running(world, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck"})
    world.look()
    (spec,) = world.launcher.started
    path = source(spec, "/opt/ml/checkpoints") / "epoch-1"
    path.write_text("a later state")

    def full(*_: Any) -> None:
        if fault == "disk":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        raise PermanentError("refused")

    where = "shutil.copyfileobj" if fault == "disk" else "emulator.storage.objects.check_key"
    monkeypatch.setattr(where, full)
    world.look()
    assert world.objects.read_bytes(BUCKET, "ck/epoch-1") == b"state"
    monkeypatch.undo()
    world.look()
    assert world.objects.read_bytes(BUCKET, "ck/epoch-1") == b"a later state"


def test_a_resource_whose_state_cannot_be_written_is_looked_at_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(Behaviour())
    refuse = (
        "CREATE TRIGGER refuse BEFORE UPDATE ON document BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with world.database.transaction() as connection:
        connection.execute(refuse)
    monkeypatch.setattr("emulator.reconcile.supervisor.TRIES", 1)
    monkeypatch.setattr("emulator.reconcile.supervisor.UNWRITTEN", 0.05)
    supervisor = Supervisor(world.store)
    supervisor.register(world.jobs)
    failed = threading.Event()
    give_up = world.jobs.give_up

    def giving_up(*args: Any) -> None:
        try:
            give_up(*args)
        finally:
            failed.set()

    monkeypatch.setattr(world.jobs, "give_up", giving_up)
    supervisor.start()
    try:
        assert failed.wait(60), "it was never given up"
        with world.database.transaction() as connection:
            connection.execute("DROP TRIGGER refuse")
        deadline = clock.monotonic() + 10
        while world.record().phase not in ("Completed", "Failed"):
            assert clock.monotonic() < deadline, "nobody looks at it any more"
            threading.Event().wait(0.01)
    finally:
        supervisor.stop(timeout=10)


@pytest.mark.parametrize("compression", ["GZIP", "NONE"])
def test_artifacts_say_that_they_are_encrypted_with_the_jobs_key(
    world: World, compression: str
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/mine"
    output = {"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": compression}
    world.create(Behaviour(effect=writes), OutputDataConfig={**output, "KmsKeyId": key})
    assert world.run().phase == "Completed"
    bucket: Any = world.storage._ready().s3.bucket(BUCKET)
    said = {(found.encryption, found.kms_key_id) for found in bucket.keys.values()}
    assert said == {("aws:kms", key)}
    assert len(bucket.keys) == 2


def test_a_manifest_that_names_what_is_no_text_fails_the_job_and_says_so(world: World) -> None:
    world.objects.put_bytes(
        BUCKET, "manifest", f'[{{"prefix": "s3://{BUCKET}/in/"}}, "\\ud800"]'.encode()
    )
    named = channel("train", "manifest")
    named["DataSource"]["S3DataSource"]["S3DataType"] = "ManifestFile"
    world.create(Behaviour(), InputDataConfig=[named])
    record = world.run()
    assert record.phase == "Failed"
    assert record.document["FailureReason"].startswith("ClientError: Data download failed:")
    assert "\\ud800" in record.document["FailureReason"]

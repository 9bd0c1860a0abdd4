"""Training jobs over the end of the emulator that runs them, and beside other containers."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from running_emulator import ACCOUNT, Emulator, engine, eventually, unique
from training_data import assert_gone, channel, line, model, output, path_of, put

pytestmark = pytest.mark.docker

OTHER_ACCOUNT = "210987654321"

Launched = Callable[..., Emulator]

COUNT = line(
    """
import time
for number in range(400):
    print(f'line {number} v={number};', flush=True)
    time.sleep(0.005)
open('/opt/ml/model/weights', 'w').write('trained')
"""
)
COUNTED = [f"line {number} v={number};" for number in range(400)]
WAIT = line(
    """
import os, signal, sys, time
def told(*_):
    open('/opt/ml/model/last', 'w').write('saved')
    print('told', flush=True)
    time.sleep(2)
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
open('/opt/ml/model/first', 'w').write('early')
open('/opt/ml/output/data/report', 'w').write('so far')
print('ready', flush=True)
while not os.path.exists('/opt/ml/output/go'):
    time.sleep(0.05)
print('gone', flush=True)
"""
)
REMOVED = (
    "InternalServerError: We encountered an internal error. Please try again. A container of this"
    " training job was removed by somebody else while the job was running. What it had written was"
    " saved."
)
METRIC = [{"Name": "v", "Regex": "v=(.*?);"}]


@pytest.fixture
def bystander(image: str) -> Iterator[Any]:
    """A container of somebody else's."""
    client = engine()
    container = client.containers.run(
        image, ["sleep", "600"], name=unique("bystander"), detach=True, init=True
    )
    try:
        yield container
    finally:
        container.remove(force=True)
        client.close()


def ready(emulator: Emulator, name: str) -> None:
    eventually(lambda: "ready" in emulator.output(name), what=f"{name} is ready")


def let_go(emulator: Emulator, name: str) -> None:
    for root in emulator.state.glob(f"jobs/*/*/{name}/algo-*"):
        (root / "output" / "go").touch()


def exited(emulator: Emulator, name: str) -> None:
    """Wait until the job's containers have ended, whether or not the emulator sees it."""
    eventually(
        lambda: all(found.status == "exited" for found in emulator.containers(name=name)),
        what=f"the containers of {name} ended",
    )


def test_a_killed_emulators_job_goes_on_and_the_next_run_takes_it_over(launched: Launched) -> None:
    emulator, name = launched(), unique("adopted")
    algorithm = {
        "TrainingImage": "sagemaker-emulator-test/scripted:latest",
        "TrainingInputMode": "File",
        "MetricDefinitions": METRIC,
    }
    bucket = emulator.train(name, python=COUNT, AlgorithmSpecification=algorithm)
    eventually(lambda: len(emulator.output(name)) > 20, what="lines are read")
    (container,) = emulator.containers(name=name)
    emulator.kill()
    emulator = launched()
    assert [found.id for found in emulator.containers(name=name)] in ([container.id], [])
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Uploading", "Completed"]
    assert emulator.output(name) == COUNTED
    assert [found["Value"] for found in job["FinalMetricDataList"]] == [399.0]
    assert model(emulator, bucket, name) == {"weights": b"trained"}
    assert_gone(emulator, name)


def test_a_kill_at_any_moment_costs_nothing(launched: Launched) -> None:
    emulator = launched()
    bucket, names = emulator.bucket(), [unique("anywhen") for _ in range(8)]
    put(emulator, bucket, {f"in/{number}": b"x" for number in range(200)})
    hosts = {name: 1 + number % 2 for number, name in enumerate(names)}
    for name in names:
        emulator.train(
            name,
            bucket=bucket,
            shell="ls /opt/ml/input/data/train | wc -l; head -c 5000000 /dev/urandom"
            " > /opt/ml/model/noise; echo done",
            InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
            ResourceConfig={
                "InstanceType": "ml.m5.large",
                "InstanceCount": hosts[name],
                "VolumeSizeInGB": 1,
            },
        )
        time.sleep(0.1)
    # Twice, because the first jobs may have ended, and taking over may be cut short as well.
    for pause in (0.0, 0.4):
        time.sleep(pause)
        emulator.kill()
        emulator = launched()
    for name in names:
        job = emulator.ended(name)
        assert path_of(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
        assert sorted(emulator.output(name)) == sorted(["200", "done"] * hosts[name])
        (noise,) = model(emulator, bucket, name).values()
        assert len(noise or b"") == 5_000_000
        assert_gone(emulator, name)


def test_a_kill_while_stopping_or_uploading_costs_nothing(launched: Launched) -> None:
    emulator, stopped, large = launched(), unique("stopping"), unique("uploading")
    bucket = emulator.train(stopped, python=WAIT)
    emulator.train(
        large, bucket=bucket, shell="head -c 150000000 /dev/urandom > /opt/ml/model/noise"
    )
    ready(emulator, stopped)
    eventually(lambda: emulator.job(large)["SecondaryStatus"] == "Uploading", what="uploading")
    emulator.client("sagemaker").stop_training_job(TrainingJobName=stopped)
    eventually(lambda: "told" in emulator.output(stopped), what="the container was told")
    emulator.kill()
    emulator = launched()
    job = emulator.ended(stopped)
    assert path_of(job) == ["Starting", "Training", "Stopping", "Uploading", "Stopped"]
    assert model(emulator, bucket, stopped) == {"first": b"early", "last": b"saved"}
    assert emulator.ended(large)["TrainingJobStatus"] == "Completed"
    assert list(model(emulator, bucket, large)) == ["noise"]
    for name in (stopped, large):
        assert_gone(emulator, name)


def test_what_ended_while_no_emulator_ran_ends_as_it_should(launched: Launched) -> None:
    emulator = launched()
    good, bad, overdue, pair = (unique(stem) for stem in ("good", "bad", "overdue", "pair"))
    bucket = emulator.train(good, python=WAIT)
    emulator.train(
        bad,
        bucket=bucket,
        shell="echo ready; while [ ! -e /opt/ml/output/go ]; do sleep 0.05; done;"
        " printf late > /opt/ml/output/failure; exit 4",
    )
    emulator.train(
        overdue, bucket=bucket, python=WAIT, StoppingCondition={"MaxRuntimeInSeconds": 5}
    )
    emulator.train(
        pair,
        bucket=bucket,
        python=WAIT,
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    )
    for name in (good, bad, overdue):
        ready(emulator, name)
    eventually(lambda: emulator.output(pair) == ["ready", "ready"], what="both hosts are ready")
    emulator.kill()
    for name in (good, bad, pair):
        let_go(emulator, name)
        exited(emulator, name)
    emulator = launched()
    assert emulator.ended(good)["TrainingJobStatus"] == "Completed"
    assert emulator.output(good) == ["ready", "gone"]
    assert emulator.ended(pair)["TrainingJobStatus"] == "Completed"
    assert sorted(emulator.output(pair)) == ["gone", "gone", "ready", "ready"]
    assert emulator.ended(bad)["FailureReason"] == "AlgorithmError: late, exit code: 4"
    assert emulator.ended(overdue)["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert model(emulator, bucket, overdue) == {"first": b"early", "last": b"saved"}


def test_a_stopped_emulators_jobs_fail_at_the_next_start_and_keep_what_they_wrote(
    launched: Launched,
) -> None:
    emulator, name = launched(), unique("interrupted")
    bucket = emulator.train(name, python=WAIT)
    ready(emulator, name)
    assert emulator.stop() == 0
    exited(emulator, name)
    emulator = launched()
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Uploading", "Failed"]
    assert job["FailureReason"].startswith(
        "InternalServerError: The emulator was stopped while this training job was running."
    )
    assert model(emulator, bucket, name) == {"first": b"early", "last": b"saved"}
    assert output(emulator, bucket, name) == {"report": b"so far"}
    # On a busy machine the emulator may have said, too, that the container is waited for.
    said = [line for line in emulator.output(name) if "goes on after SIGTERM" not in line]
    assert said == ["ready", "told"]
    assert_gone(emulator, name)


def test_a_container_that_somebody_removes_fails_the_job_and_keeps_what_it_wrote(
    emulator: Emulator,
) -> None:
    name = unique("removed")
    bucket = emulator.train(name, python=WAIT)
    ready(emulator, name)
    (container,) = emulator.containers(name=name)
    container.remove(force=True)
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    # Its death may be seen before its removal.
    assert job["FailureReason"] in ("AlgorithmError: , exit code: 137", REMOVED)
    assert model(emulator, bucket, name) == {"first": b"early"}


def test_a_container_that_somebody_kills_fails_the_job(emulator: Emulator) -> None:
    name = unique("killed")
    emulator.train(name, python=WAIT)
    ready(emulator, name)
    (container,) = emulator.containers(name=name)
    container.kill()
    assert emulator.ended(name)["FailureReason"] == "AlgorithmError: , exit code: 137"


def test_a_reset_removes_running_jobs_and_nothing_of_others(
    launched: Launched, bystander: Any, emulator: Emulator
) -> None:
    """`emulator` runs beside the one that is reset, killed and started anew."""
    other, name = unique("beside"), unique("reset")
    emulator.train(other, python=WAIT)
    ready(emulator, other)
    (beside,) = emulator.containers(name=other)
    own = launched()
    own.train(name, python=WAIT)
    own.train(name, python=WAIT, account=OTHER_ACCOUNT)
    ready(own, name)
    eventually(lambda: len(own.containers(name=name)) == 2, what="the other account's job runs")
    reset = urllib.request.Request(f"{own.url}/_emulator/reset?account={OTHER_ACCOUNT}", b"")
    with urllib.request.urlopen(reset, timeout=60) as reply:
        assert reply.status == 200
    (container,) = own.containers(name=name)
    assert container.status == "running"
    assert [path.parts[-3] for path in own.state.glob("jobs/*/*/*")] == [ACCOUNT]
    theirs = own.client("sagemaker", account=OTHER_ACCOUNT)
    assert theirs.list_training_jobs()["TrainingJobSummaries"] == []
    let_go(own, name)
    assert own.ended(name)["TrainingJobStatus"] == "Completed"
    name = unique("reset")
    own.train(name, python=WAIT)
    ready(own, name)
    reset = urllib.request.Request(f"{own.url}/_emulator/reset", method="POST")
    with urllib.request.urlopen(reset, timeout=60) as reply:
        assert reply.status in (200, 204)
    assert own.containers(role="job") == []
    assert own.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
    assert list(own.state.glob("jobs/*/*/*")) == []
    own.train(name, shell="echo anew > /opt/ml/model/m")
    assert own.ended(name)["TrainingJobStatus"] == "Completed"
    own.kill()
    own = launched()
    assert own.stop() == 0
    for container in (bystander, beside):
        container.reload()
        assert container.status == "running"
    let_go(emulator, other)
    assert emulator.ended(other)["TrainingJobStatus"] == "Completed"

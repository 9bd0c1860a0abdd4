"""Training jobs that do not run to their end: stopped by a client or by their time limit."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from running_emulator import Emulator, eventually, unique
from training_data import assert_gone, channel, line, model, output, path_of, put

pytestmark = pytest.mark.docker

TIDY = """
import signal, sys, time
def tidy(*_):
    time.sleep({seconds})
    open('/opt/ml/model/last', 'w').write('saved')
    open('/opt/ml/output/data/log', 'w').write('bye')
    sys.exit({code})
signal.signal(signal.SIGTERM, tidy)
print('ready', flush=True)
while True:
    time.sleep(0.1)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open('/opt/ml/model/first', 'w').write('early')
print('ready', flush=True)
while True:
    time.sleep(1)
"""


def tidy(seconds: float, code: int = 0) -> str:
    """Return what takes `seconds` to save its work once it is told to stop."""
    return line(TIDY.format(seconds=seconds, code=code))


def ready(emulator: Emulator, name: str) -> None:
    """Wait until the job's container listens to signals."""
    eventually(lambda: "ready" in emulator.output(name), what=f"{name} is ready")


def stop(emulator: Emulator, name: str) -> None:
    emulator.client("sagemaker").stop_training_job(TrainingJobName=name)


@pytest.mark.parametrize("code", [0, 1])
def test_a_stopped_job_saves_what_its_container_wrote_after_the_signal(
    emulator: Emulator, code: int
) -> None:
    name = unique("stopped")
    bucket = emulator.train(name, python=tidy(0.2, code))
    ready(emulator, name)
    stop(emulator, name)
    assert emulator.job(name)["TrainingJobStatus"] == "Stopping"
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert "FailureReason" not in job
    assert path_of(job) == ["Starting", "Training", "Stopping", "Uploading", "Stopped"]
    assert model(emulator, bucket, name) == {"last": b"saved"}
    assert output(emulator, bucket, name) == {"log": b"bye"}
    assert_gone(emulator, name)


def test_stopping_twice_equals_stopping_once(emulator: Emulator) -> None:
    name = unique("twice")
    bucket = emulator.train(name, python=tidy(1))
    ready(emulator, name)
    stop(emulator, name)
    stop(emulator, name)
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Stopping", "Uploading", "Stopped"]
    assert model(emulator, bucket, name) == {"last": b"saved"}
    with pytest.raises(ClientError, match="in status Stopped"):
        stop(emulator, name)


def test_a_job_that_is_stopped_before_its_container_runs_leaves_nothing(
    emulator: Emulator,
) -> None:
    bucket, names = emulator.bucket(), [unique("early") for _ in range(4)]
    put(emulator, bucket, {f"data/{number}": b"x" for number in range(50)})
    for name in names:
        emulator.train(
            name,
            bucket=bucket,
            python=tidy(0),
            InputDataConfig=[channel("train", f"s3://{bucket}/data/")],
        )
        stop(emulator, name)
    for name in names:
        job = emulator.ended(name)
        assert job["TrainingJobStatus"] == "Stopped"
        statuses = path_of(job)
        assert statuses[-1] == "Stopped"
        assert "Stopping" in statuses
        if "Training" not in statuses:
            assert emulator.keys(bucket, f"out/{name}/") == []
        assert_gone(emulator, name)


def test_a_job_out_of_time_is_stopped_and_keeps_its_model(emulator: Emulator) -> None:
    name = unique("overtime")
    bucket = emulator.train(
        name,
        python=tidy(0),
        StoppingCondition={"MaxRuntimeInSeconds": 3},
    )
    job = emulator.ended(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "FailureReason" not in job
    assert path_of(job) == ["Starting", "Training", "Stopping", "Uploading", "MaxRuntimeExceeded"]
    training = job["SecondaryStatusTransitions"][1]
    assert 3 <= (training["EndTime"] - training["StartTime"]).total_seconds() < 8
    assert model(emulator, bucket, name) == {"last": b"saved"}


def test_a_container_has_most_of_two_minutes_to_end(emulator: Emulator) -> None:
    name = unique("slow")
    bucket = emulator.train(name, python=tidy(26))
    ready(emulator, name)
    stop(emulator, name)
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert model(emulator, bucket, name) == {"last": b"saved"}
    stopping = job["SecondaryStatusTransitions"][2]
    assert (stopping["EndTime"] - stopping["StartTime"]).total_seconds() >= 26


def test_a_container_that_ignores_the_signal_is_killed_after_the_grace(
    launched: Callable[..., Emulator],
) -> None:
    emulator = launched("--stop-grace", "4")
    stopped, overdue = unique("deaf"), unique("overdue")
    bucket = emulator.train(stopped, python=line(DEAF))
    emulator.train(
        overdue, bucket=bucket, python=line(DEAF), StoppingCondition={"MaxRuntimeInSeconds": 3}
    )
    ready(emulator, stopped)
    stop(emulator, stopped)
    job = emulator.ended(stopped)
    assert job["TrainingJobStatus"] == "Stopped"
    stopping = job["SecondaryStatusTransitions"][2]
    assert (stopping["EndTime"] - stopping["StartTime"]).total_seconds() >= 4
    assert emulator.ended(overdue)["SecondaryStatus"] == "MaxRuntimeExceeded"
    for name in (stopped, overdue):
        assert model(emulator, bucket, name) == {"first": b"early"}
        [told] = [line for line in emulator.output(name) if "goes on after SIGTERM" in line]
        assert told.startswith("[sagemaker-emulator] algo-1 goes on after SIGTERM. It is waited")
        assert f"TrainingJob/{name}: {told.partition('] ')[2]}" in emulator.log.read_text()


def test_an_upload_that_fails_after_a_stop_leaves_the_job_stopped(emulator: Emulator) -> None:
    name = unique("nowhere")
    emulator.train(name, bucket=unique("absent"), python=tidy(0))
    ready(emulator, name)
    stop(emulator, name)
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert "FailureReason" not in job

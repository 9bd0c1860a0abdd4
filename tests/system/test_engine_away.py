"""An engine that does not answer: everything says so, what needs none works, and all goes on after.

The engine's socket is a link of the test's own, so that it is away until the link is there.
"""

from pathlib import Path

import pytest
import requests
from running_emulator import Emulator, eventually, health, start, unique
from test_cli_up import run

from emulator.launch.docker.engine import engine_socket

pytestmark = pytest.mark.docker

SILENT = "The container engine does not answer"


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    """Where the emulator looks for its engine, and finds none."""
    return tmp_path / "engine.sock"


@pytest.fixture
def emulator(image: str, tmp_path: Path, socket: Path):
    running = start(tmp_path / "state", reached=False, DOCKER_HOST=f"unix://{socket}")
    yield running
    running.stop()


def status_message(running: Emulator, job: str) -> str:
    return str(running.job(job)["SecondaryStatusTransitions"][-1]["StatusMessage"])


def test_it_is_told_everywhere_and_everything_goes_on_when_the_engine_comes(
    emulator: Emulator, socket: Path
) -> None:
    eventually(lambda: health(emulator.url)["status"] == "failing", what="health tells of it")
    assert SILENT in health(emulator.url)["problems"]["container engine"]
    assert requests.get(f"{emulator.url}/_emulator/health", timeout=60).status_code == 503

    job, unwanted = unique("waits"), unique("unwanted")
    bucket = emulator.train(job, shell="echo trained")
    eventually(lambda: SILENT in status_message(emulator, job), what="the job says so")
    assert "sagemaker-emulator doctor" in status_message(emulator, job)

    emulator.train(unwanted, shell="true", bucket=bucket)
    emulator.client("sagemaker").stop_training_job(TrainingJobName=unwanted)
    assert emulator.ended(unwanted)["TrainingJobStatus"] == "Stopped"

    late = unique("late")
    emulator.train(late, bucket=bucket, StoppingCondition={"MaxRuntimeInSeconds": 1})
    ended = emulator.ended(late)
    assert ended["TrainingJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith("CapacityError: ")
    assert SILENT in ended["FailureReason"]

    endpoint = unique("endpoint")
    config = emulator.config({"ModelName": emulator.model()})
    emulator.client("sagemaker").create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    eventually(lambda: emulator.log_lines(group, "emulator"), what="the endpoint says so")
    assert SILENT in emulator.log_lines(group, "emulator")[0]

    port = emulator.url.rpartition(":")[2]
    doctor = run("doctor", "--port", port, "--state", str(emulator.state))
    assert doctor.returncode == 1
    assert f"with problems: container engine: {SILENT}" in doctor.stdout

    log = emulator.log.read_text()
    assert log.count(f"{SILENT} (") >= 1
    assert "Traceback" not in log

    socket.symlink_to(engine_socket())
    eventually(lambda: health(emulator.url)["status"] == "ok", what="the engine is reached")
    assert emulator.ended(job)["TrainingJobStatus"] == "Completed"
    assert emulator.output(job) == ["trained"]
    assert emulator.settled(endpoint)["EndpointStatus"] == "InService"
    assert health(emulator.url)["problems"] == {}


def test_a_reset_without_an_engine_forgets_and_leaves_all_working(emulator: Emulator) -> None:
    eventually(lambda: health(emulator.url)["status"] == "failing", what="health tells of it")
    bucket = emulator.train(unique("forgotten"), shell="true")
    requests.post(f"{emulator.url}/_emulator/reset", timeout=60).raise_for_status()
    assert emulator.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []
    assert emulator.client("s3").list_buckets()["Buckets"] == []
    job = unique("waits")
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.train(job, bucket=bucket, shell="true")
    eventually(lambda: SILENT in status_message(emulator, job), what="the job says so")

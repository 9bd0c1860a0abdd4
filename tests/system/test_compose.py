"""The emulator as a container, by compose/compose.yaml: clients outside and beside it, its end."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from running_emulator import LABEL, Emulator, engine, eventually, unique

from emulator.names import token

pytestmark = [pytest.mark.docker, pytest.mark.slow]

FOLDER = Path(__file__).parents[2] / "compose"
ANSWER = "y(3, 4) = 12.000000"
SERVICE = "sagemaker-emulator"
EMULATOR_IMAGE = "sagemaker-emulator/emulator:latest"
# What a container of a job sees: the emulator by name, and the hosts of its cluster.
LOOK = (
    'import os, socket, urllib.request as u; url = os.environ["AWS_ENDPOINT_URL"];'
    ' socket.gethostbyname("algo-1"); socket.gethostbyname("algo-2");'
    ' print(url, u.urlopen(url + "/_emulator/health").status)'
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Project:
    """One `docker-compose` project of the file, published on a port of its own."""

    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run docker-compose, of version 1 or 2."""
        program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        socket_file = os.environ.get("DOCKER_HOST", "").removeprefix("unix://")
        return subprocess.run(
            [*program, "-f", str(FOLDER / "compose.yaml"), "-p", self.name, *arguments],
            env={
                **os.environ,
                "SAGEMAKER_EMULATOR_PORT": str(self.port),
                **({"DOCKER_SOCKET": socket_file} if socket_file.startswith("/") else {}),
            },
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    def up(self) -> None:
        """Start the emulator and wait until its health check says yes."""
        self.compose("up", "-d", "--no-color")
        eventually(self.healthy, what="the health check says yes")

    def container(self) -> Any:
        label = [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={SERVICE}"]
        [found] = engine().containers.list(all=True, filters={"label": label}, ignore_removed=True)
        return found

    def healthy(self) -> bool:
        state = self.container().attrs["State"]
        assert state["Running"], self.container().logs().decode()
        return str(state["Health"]["Status"]) == "healthy"

    def instance(self) -> str:
        """Return the id that labels what the emulator makes: its network is named by it."""
        networks = self.container().attrs["NetworkSettings"]["Networks"]
        [name] = [name for name in networks if name.startswith("sagemaker-emulator-")]
        return str(name.removeprefix("sagemaker-emulator-"))

    def left(self, instance: str) -> list[str]:
        """Return the names of all containers, networks and volumes of this project."""
        client = engine()
        found = []
        for label in (f"{LABEL}instance={instance}", f"com.docker.compose.project={self.name}"):
            wanted = {"label": label}
            found += client.containers.list(all=True, filters=wanted, ignore_removed=True)
            found += client.networks.list(filters=wanted)
            found += client.volumes.list(filters=wanted)
        return [each.name for each in found]


@pytest.fixture
def project() -> Iterator[Project]:
    made = Project(f"composetest{token(8)}", free_port())
    yield made
    with suppress(subprocess.SubprocessError):
        made.compose("down", "--volumes", check=False)


@pytest.fixture(scope="module")
def running() -> Iterator[Project]:
    made = Project(f"composetest{token(8)}", free_port())
    try:
        made.up()
        yield made
    finally:
        made.compose("down", "--volumes", check=False)


def clients_of(project: Project, folder: Path) -> Emulator:
    """Return clients of a project; their process does no more than write its log to a file."""
    log = folder / "emulator.log"
    follow = ["docker", "logs", "--follow", project.container().name]
    with log.open("w") as output:
        process = subprocess.Popen(follow, stdout=output, stderr=subprocess.STDOUT, text=True)
    return Emulator(project.url, folder, process, log)


@pytest.fixture
def emulator(running: Project, image: str, tmp_path: Path) -> Iterator[Emulator]:
    """Clients of the running project."""
    clients = clients_of(running, tmp_path)
    yield clients
    clients.kill()


def test_a_client_on_the_machine_trains_and_invokes(running: Project) -> None:
    command = Path(sys.executable).with_name("sagemaker-emulator")
    shell = f'eval "$({command} env --port {running.port})"; {sys.executable} line/client.py'
    done = subprocess.run(
        ["sh", "-c", shell], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )
    assert ANSWER in done.stdout, done.stderr


def test_a_client_in_a_sibling_container_trains_and_invokes(running: Project) -> None:
    done = running.compose("run", "--rm", "client", check=False)
    assert ANSWER in done.stdout, done.stderr


def test_jobs_read_s3_by_name_and_write_to_a_channel_without_changing_it(
    emulator: Emulator,
) -> None:
    bucket, name = emulator.bucket(), unique("composed")
    emulator.client("s3").put_object(Bucket=bucket, Key="in/data", Body=b"original")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in"}
    emulator.train(
        name,
        bucket=bucket,
        shell="printf changed >> /opt/ml/input/data/train/data"
        "; cp /opt/ml/input/data/train/data /opt/ml/model/seen"
        f"; python3 -c '{LOOK}'",
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1},
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert emulator.output(name).count("http://sagemaker-emulator:4610 200") == 2
    kept = emulator.client("s3").get_object(Bucket=bucket, Key="in/data")["Body"].read()
    assert kept == b"original"
    model = emulator.model(ModelDataUrl=job["ModelArtifacts"]["S3ModelArtifacts"])
    endpoint = emulator.deploy(emulator.config({"ModelName": model}))
    assert emulator.command(endpoint, list="/opt/ml/model")["files"] == ["seen"]
    emulator.delete(endpoint)


def test_an_isolated_endpoint_answers(emulator: Emulator) -> None:
    name = unique("model")
    emulator.client("sagemaker").create_model(
        ModelName=name,
        PrimaryContainer={"Image": "sagemaker-emulator-test/scripted:latest"},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/SageMaker",
        EnableNetworkIsolation=True,
    )
    endpoint = emulator.deploy(emulator.config({"ModelName": name}))
    assert emulator.invoke(endpoint, b"any bytes")["Body"].read() == b"any bytes"
    emulator.delete(endpoint)


def test_only_this_machine_reaches_it(running: Project) -> None:
    ports = running.container().attrs["NetworkSettings"]["Ports"]
    assert [bound["HostIp"] for bound in ports["4610/tcp"]] == ["127.0.0.1"]


def test_a_second_emulator_on_the_volume_is_refused(running: Project) -> None:
    done = running.compose("run", "--rm", SERVICE, check=False)
    assert done.returncode == 1
    assert "is in use by another emulator (pid 1)" in done.stdout + done.stderr


def test_jobs_and_endpoints_outlive_a_kill_and_state_outlives_the_container(
    project: Project, image: str, tmp_path: Path
) -> None:
    project.up()
    clients = clients_of(project, tmp_path)
    endpoint = clients.deploy(clients.config({"ModelName": clients.model()}))
    job = training(clients)
    instance = project.instance()

    project.compose("kill")
    project.compose("up", "-d", "--force-recreate")
    eventually(lambda: answers(clients, endpoint), what="the endpoint answers again")
    assert project.instance() == instance
    assert clients.job(job)["SecondaryStatus"] == "Training"

    project.compose("stop")
    assert project.container().attrs["State"]["ExitCode"] == 0
    project.compose("down")
    project.up()
    assert clients.ended(job)["FailureReason"].startswith("InternalServerError: The emulator was")
    eventually(lambda: answers(clients, endpoint), what="the endpoint answers again")

    training(clients)
    urllib.request.urlopen(
        urllib.request.Request(f"{project.url}/_emulator/reset", method="POST"), timeout=30
    ).close()
    project.compose("down", "--volumes")
    clients.kill()
    assert project.left(instance) == []


def training(clients: Emulator) -> str:
    """Start a job that reads a channel and goes on until it is stopped; returns its name."""
    bucket, name = clients.bucket(), unique("training")
    clients.client("s3").put_object(Bucket=bucket, Key="in/data", Body=b"x")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in"}
    clients.train(
        name,
        bucket=bucket,
        shell="trap 'exit 7' TERM; sleep 1000 & wait",
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
    )
    eventually(lambda: clients.job(name)["SecondaryStatus"] == "Training", what="it trains")
    return name


def answers(clients: Emulator, endpoint: str) -> bool:
    with suppress(ClientError, HTTPClientError):
        return bool(clients.invoke(endpoint, b"x")["Body"].read() == b"x")
    return False


def test_without_a_volume_it_ends_at_once_and_says_why() -> None:
    client = engine()
    container = client.containers.run(
        EMULATOR_IMAGE,
        ["up", "--state", "/tmp/state"],
        volumes={"/var/run/docker.sock": {"bind": "/var/run/docker.sock"}},
        detach=True,
    )
    try:
        assert container.wait(timeout=30)["StatusCode"] == 1
        said = container.logs().decode()
        assert "Give the state directory a volume" in said
        assert "Traceback" not in said
    finally:
        container.remove(force=True, v=True)

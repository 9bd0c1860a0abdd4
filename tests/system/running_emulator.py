"""A running emulator as the system tests use it: a process, real containers, plain boto3."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import docker
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/SageMaker"
IMAGE = "sagemaker-emulator-test/scripted:latest"
LABEL = "org.sagemaker-emulator."
DEADLINE = 60.0

T = TypeVar("T")
_numbers = itertools.count()


def unique(stem: str) -> str:
    """Return a name that no other test of this run has."""
    return f"{stem}-{os.getpid()}-{next(_numbers)}"


def eventually(look: Callable[[], T], *, within: float = DEADLINE, what: str = "") -> T:
    """Return the first true answer of `look`; fail when none came in time."""
    deadline = time.monotonic() + within
    pause = 0.005
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within:g} s: {what or look}"
        time.sleep(pause)
        pause = min(0.2, pause * 1.5)


@dataclass
class Emulator:
    """A running `sagemaker-emulator up` and clients pointed at it."""

    url: str
    state: Path
    process: "subprocess.Popen[str]"
    log: Path
    region: str = REGION
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def client(self, service: str, *, region: str = "", account: str = ACCOUNT) -> Any:
        """Return a boto3 client that does not retry and polls nothing by itself."""
        key = (service, region or self.region, account)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=key[1],
                aws_access_key_id=account,
                aws_secret_access_key="none",
                config=Config(
                    retries={"total_max_attempts": 1}, read_timeout=150, max_pool_connections=64
                ),
            )
        return self._clients[key]

    @property
    def instance(self) -> str:
        """Return the id that labels this emulator's containers."""
        return (self.state / "instance").read_text().strip()

    def containers(self, **labels: str) -> list[Any]:
        """Return this emulator's containers with these labels, e.g. name=…, running or not."""
        wanted = [f"{LABEL}instance={self.instance}"]
        wanted += [f"{LABEL}{key.replace('_', '-')}={value}" for key, value in labels.items()]
        found: list[Any] = engine().containers.list(
            all=True, filters={"label": wanted}, ignore_removed=True
        )
        return found

    # Training.

    def bucket(self) -> str:
        """Return a new bucket."""
        name = unique("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def train(self, name: str, **request: Any) -> str:
        """Create a training job on the scripted image; returns its bucket.

        Args:
            request: members that replace the plain ones; `python` and `shell` are what it runs,
                `account` whose it is.
        """
        scripts = {key: request.pop(key) for key in ("python", "shell") if key in request}
        bucket = request.pop("bucket", None) or self.bucket()
        client = self.client("sagemaker", account=request.pop("account", ACCOUNT))
        plain: dict[str, Any] = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "HyperParameters": scripts,
        }
        client.create_training_job(**{**plain, **request})
        return str(bucket)

    def job(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.client("sagemaker").describe_training_job(
            TrainingJobName=name
        )
        return described

    def ended(self, name: str, *, within: float = DEADLINE) -> dict[str, Any]:
        """Return the job once it has ended."""

        def look() -> dict[str, Any] | None:
            job = self.job(name)
            return job if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

        return eventually(look, within=within, what=f"{name} ended") or {}

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        listed = self.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for found in listed.get("Contents", [])]

    def output(self, name: str) -> list[str]:
        """Return what a training job's first host wrote, from CloudWatch Logs."""
        return self.log_lines("/aws/sagemaker/TrainingJobs", f"{name}/")

    def log_lines(self, group: str, prefix: str = "") -> list[str]:
        logs = self.client("logs")
        named = {"logStreamNamePrefix": prefix} if prefix else {}
        try:
            streams = logs.describe_log_streams(logGroupName=group, **named)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    # Hosting.

    def model(self, name: str = "", **container: Any) -> str:
        name = name or unique("model")
        self.client("sagemaker").create_model(
            ModelName=name, PrimaryContainer={"Image": IMAGE, **container}, ExecutionRoleArn=ROLE
        )
        return name

    def config(self, *variants: Mapping[str, Any], name: str = "") -> str:
        """Create an endpoint configuration; a variant is at least {"ModelName": …}."""
        name = name or unique("config")
        plain = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        self.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {"VariantName": f"V{number}", **plain, **variant}
                for number, variant in enumerate(variants, start=1)
            ],
        )
        return name

    def deploy(self, config: str, name: str = "", *, within: float = DEADLINE) -> str:
        """Create an endpoint and wait until it is no longer Creating; returns its name."""
        name = name or unique("endpoint")
        self.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.settled(name, within=within)
        return name

    def endpoint(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.client("sagemaker").describe_endpoint(EndpointName=name)
        return described

    def settled(self, name: str, *, within: float = DEADLINE) -> dict[str, Any]:
        """Return the endpoint once nothing is in progress."""

        def look() -> dict[str, Any] | None:
            endpoint = self.endpoint(name)
            return endpoint if endpoint["EndpointStatus"] in ("InService", "Failed") else None

        return eventually(look, within=within, what=f"{name} settled") or {}

    def invoke(self, endpoint: str, body: bytes = b"", **members: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, Body=body, **members
        )
        return reply

    def command(self, endpoint: str, **command: Any) -> Any:
        """Have the scripted server do something; returns its JSON answer."""
        reply = self.invoke(
            endpoint, json.dumps(command).encode(), ContentType="application/x-command"
        )
        return json.loads(reply["Body"].read())

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint and wait until it is gone, and its containers and files after it.

        Those of an emulator that is a container, whose state is not here, are not waited for.
        """
        self.client("sagemaker").delete_endpoint(EndpointName=endpoint)
        eventually(lambda: self.gone(endpoint), what=f"{endpoint} gone")
        if (self.state / "instance").exists():
            eventually(lambda: not self.left_of(endpoint), what=f"nothing is left of {endpoint}")

    def left_of(self, endpoint: str) -> list[str]:
        """Return what is left of an endpoint: its containers and directories."""
        containers = [str(container.name) for container in self.containers(name=endpoint)]
        return containers + [str(path) for path in self.state.glob(f"endpoints/*/*/{endpoint}")]

    def gone(self, endpoint: str) -> bool:
        try:
            self.endpoint(endpoint)
        except ClientError as error:
            return error.response["Error"]["Code"] == "ValidationException"
        return False

    # The process.

    def kill(self) -> None:
        """End the process without a chance to tidy up."""
        self.process.kill()
        self._reap(10)

    def stop(self) -> int:
        """Ask the process to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap(60)

    def _reap(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        if self.process.stdout:
            self.process.stdout.close()
        for client in self._clients.values():
            client.close()
        return code

    def health(self) -> dict[str, Any]:
        return health(self.url)


COMMAND = (str(Path(sys.executable).with_name("sagemaker-emulator")),)


def health(url: str) -> dict[str, Any]:
    """Return what the emulator says of itself, be it well or not."""
    reply = requests.get(f"{url}/_emulator/health", timeout=60)
    found: dict[str, Any] = reply.json()
    assert reply.status_code == (200 if found["status"] == "ok" else 503)
    return found


def start(
    state: Path,
    *flags: str,
    command: Sequence[str] = COMMAND,
    reached: bool = True,
    **environment: str,
) -> Emulator:
    """Start an emulator on a free port and wait for its ready line and its engine.

    Args:
        command: what runs the emulator's command line.
        reached: wait for its engine, too.
    """
    state.mkdir(parents=True, exist_ok=True)
    log = state / "emulator.log"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}
    with log.open("a") as errors:
        process = subprocess.Popen(
            [*command, "up", "--port", "0", "--state", str(state), *flags],
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    running = Emulator(line.removeprefix("ready ").strip(), state, process, log)
    try:
        assert line.startswith("ready http://"), f"{line!r}; {log.read_text()[-2000:]}"
        if reached:
            eventually(lambda: running.health()["status"] == "ok", what="the engine is reached")
    except BaseException:
        running.kill()
        raise
    return running


def engine() -> Any:
    """Return a client of the container engine."""
    return docker.from_env()

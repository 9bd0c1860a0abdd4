"""The main job through plain boto3, as on AWS: data and script to S3, a training job, a model, an
endpoint, predictions.

The script travels as the SageMaker SDK sends it ("script mode"): as sourcedir.tar.gz in S3, named
by hyperparameters. Nothing here knows that there is an emulator.
"""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.exceptions import ClientError, WaiterError
from numpy.typing import NDArray

from examples.digits.dataset import Bytes, Digits
from examples.digits.narration import Narration

_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_POLL_SECONDS = 0.25
_BATCH = 500  # digits per invocation: 1.6 MB
_FEW = 10_000
_STOP_TRIES = 150  # seconds; SageMaker gives a script 120 to end
_METRICS = [
    {"Name": "test:accuracy", "Regex": r"accuracy=([0-9.]+)"},
    {"Name": "train:loss", "Regex": r"loss=([0-9.]+)"},
]


class JobFailed(Exception):
    """The training job or the endpoint failed; the message is SageMaker's reason."""


@dataclass(frozen=True)
class Framework:
    """What differs between frameworks.

    Attributes:
        brings_code: the model archive holds the script; otherwise the serving container is told
            where the script is in S3.
    """

    title: str
    script: Path
    training_image: str
    serving_image: str
    brings_code: bool

    @property
    def name(self) -> str:
        return self.title.lower()


def frameworks(region: str) -> list[Framework]:
    """Return MXNet and Chainer with the names of AWS's images in a region."""
    here = Path(__file__).parent
    deep_learning = f"763104351884.dkr.ecr.{region}.amazonaws.com"
    chainer = f"520713654638.dkr.ecr.{region}.amazonaws.com/sagemaker-chainer:5.0.0-cpu-py3"
    return [
        Framework(
            "MXNet",
            here / "mnist_mxnet.py",
            f"{deep_learning}/mxnet-training:1.9.0-cpu-py38",
            f"{deep_learning}/mxnet-inference:1.9.0-cpu-py38",
            brings_code=True,
        ),
        Framework("Chainer", here / "mnist_chainer.py", chainer, chainer, brings_code=False),
    ]


@dataclass(frozen=True)
class Outcome:
    """What the main job gave.

    Attributes:
        predicted: the most probable digit of each held-out image.
        artifact: S3 URI of model.tar.gz.
        metrics: the last value of each metric that SageMaker read from the log.
        transitions: SageMaker's own account of the job: status and seconds spent in it.
    """

    job: str
    predicted: NDArray[np.int64]
    artifact: str
    metrics: dict[str, float]
    transitions: list[tuple[str, float]]


class MainJob:
    """One framework's run; `run` does everything and removes what it made, but for S3's objects.

    Args:
        name: of the job, model, configuration and endpoint; unique.
        bucket: made if need be.
    """

    def __init__(self, framework: Framework, name: str, bucket: str, tell: Narration) -> None:
        self._framework = framework
        self._name = name
        self._bucket = bucket
        self._tell = tell
        self._s3 = boto3.client("s3")
        self._sagemaker = boto3.client("sagemaker")
        self._runtime = boto3.client("sagemaker-runtime")
        self._logs = boto3.client("logs")
        self._account = boto3.client("sts").get_caller_identity()["Account"]
        self._role = f"arn:aws:iam::{self._account}:role/service-role/AmazonSageMaker-Digits"

    def run(self, channels: Path, digits: Digits, archive: Path) -> Outcome:
        """Run the main job.

        Args:
            channels: folder with a folder for each channel, `train` and `test`.
            archive: the file that receives the model archive.

        Raises:
            JobFailed: training or hosting failed.
        """
        with self._tell.phase("data and script to S3"):
            self._upload(channels)
        with self._tell.phase("training job"):
            job = self._train(digits)
        artifact = str(job["ModelArtifacts"]["S3ModelArtifacts"])
        with self._hosted(artifact), self._tell.phase("predictions of held-out digits"):
            predicted = self._predict(digits.test[0])
        with self._tell.phase("model archive from S3"):
            key = artifact.removeprefix(f"s3://{self._bucket}/")
            self._s3.download_file(self._bucket, key, str(archive))
        metrics = {row["MetricName"]: row["Value"] for row in job.get("FinalMetricDataList", [])}
        return Outcome(self._name, predicted, artifact, metrics, _transitions(job))

    def _uri(self, path: str) -> str:
        return f"s3://{self._bucket}/{self._name}/{path}"

    def _upload(self, channels: Path) -> None:
        with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
            self._s3.create_bucket(Bucket=self._bucket, **_location(self._s3.meta.region_name))
        for file in sorted(channels.rglob("*.gz")):
            key = f"{self._name}/data/{file.relative_to(channels).as_posix()}"
            self._s3.upload_file(str(file), self._bucket, key)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as sources:
            sources.add(self._framework.script, self._framework.script.name)
        archive.seek(0)
        self._s3.upload_fileobj(archive, self._bucket, f"{self._name}/source/sourcedir.tar.gz")

    def _train(self, digits: Digits) -> dict[str, Any]:
        few = len(digits.train[0]) < _FEW
        hyperparameters = {
            "sagemaker_program": self._framework.script.name,
            "sagemaker_submit_directory": self._uri("source/sourcedir.tar.gz"),
            "sagemaker_job_name": self._name,
            "sagemaker_region": self._s3.meta.region_name,
            "sagemaker_container_log_level": 30,  # the script's own lines, and warnings
            "epochs": 20 if few else 4,
            "batch-size": 50 if few else 100,
        }
        self._sagemaker.create_training_job(
            TrainingJobName=self._name,
            AlgorithmSpecification={
                "TrainingImage": self._framework.training_image,
                "TrainingInputMode": "File",
                "MetricDefinitions": _METRICS,
            },
            RoleArn=self._role,
            HyperParameters={key: json.dumps(value) for key, value in hyperparameters.items()},
            InputDataConfig=[
                _channel("train", self._uri("data/train")),
                _channel("test", self._uri("data/test")),
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{self._bucket}"},
            ResourceConfig={
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            },
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
        try:
            return self._followed()
        except BaseException:  # Ctrl-C, too: nothing goes on running
            self._stop()
            raise

    def _stop(self) -> None:
        """Stop the training job unless it has ended, and wait for its end."""
        with suppress(ClientError, WaiterError):
            self._sagemaker.stop_training_job(TrainingJobName=self._name)
            waiter = self._sagemaker.get_waiter("training_job_completed_or_stopped")
            waiter.wait(
                TrainingJobName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": _STOP_TRIES}
            )

    def _followed(self) -> dict[str, Any]:
        """Wait for the training job's end, showing its log lines as they come."""
        log = LogTail(self._logs, f"{self._name}/", self._tell)
        while True:
            job = self._sagemaker.describe_training_job(TrainingJobName=self._name)
            self._tell.now(job["SecondaryStatus"])
            log.show()
            if job["TrainingJobStatus"] == "Completed":
                return dict(job)
            if job["TrainingJobStatus"] in ("Failed", "Stopped"):
                raise JobFailed(job.get("FailureReason", job["TrainingJobStatus"]))
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def _hosted(self, artifact: str) -> Iterator[None]:
        """Serve the model inside the block; endpoint, configuration and model are removed."""
        try:
            with self._tell.phase("endpoint in service"):
                self._deploy(artifact)
            yield
        finally:
            with self._tell.phase("endpoint, configuration, model removed"):
                self._remove()

    def _deploy(self, artifact: str) -> None:
        environment = {"SAGEMAKER_PROGRAM": self._framework.script.name}
        if not self._framework.brings_code:
            environment["SAGEMAKER_SUBMIT_DIRECTORY"] = self._uri("source/sourcedir.tar.gz")
        self._sagemaker.create_model(
            ModelName=self._name,
            ExecutionRoleArn=self._role,
            PrimaryContainer={
                "Image": self._framework.serving_image,
                "ModelDataUrl": artifact,
                "Environment": environment,
            },
        )
        self._sagemaker.create_endpoint_config(
            EndpointConfigName=self._name,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": self._name,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                }
            ],
        )
        self._sagemaker.create_endpoint(EndpointName=self._name, EndpointConfigName=self._name)
        while True:
            endpoint = self._sagemaker.describe_endpoint(EndpointName=self._name)
            self._tell.now(endpoint["EndpointStatus"])
            if endpoint["EndpointStatus"] == "InService":
                return
            if endpoint["EndpointStatus"] == "Failed":
                raise JobFailed(endpoint.get("FailureReason", "The endpoint failed."))
            time.sleep(_POLL_SECONDS)

    def _predict(self, images: Bytes) -> NDArray[np.int64]:
        rows = images.reshape(len(images), -1).astype(np.float32) / 255
        answers = []
        for start in range(0, len(rows), _BATCH):
            body = io.BytesIO()
            np.save(body, rows[start : start + _BATCH])
            reply = self._runtime.invoke_endpoint(
                EndpointName=self._name,
                ContentType="application/x-npy",
                Accept="application/json",
                Body=body.getvalue(),
            )
            answers.append(np.array(json.load(reply["Body"])).argmax(axis=1))
            self._tell.now(f"{min(start + _BATCH, len(rows))} of {len(rows)}")
        return np.concatenate(answers)

    def _remove(self) -> None:
        """Remove what `_deploy` made, also when it failed half-way."""
        client, name = self._sagemaker, self._name
        with suppress(ClientError):
            client.delete_endpoint(EndpointName=name)
            waiter = client.get_waiter("endpoint_deleted")
            waiter.wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": _STOP_TRIES})
        with suppress(ClientError):
            client.delete_endpoint_config(EndpointConfigName=name)
        with suppress(ClientError):
            client.delete_model(ModelName=name)


class LogTail:
    """The log streams of a job in CloudWatch Logs, shown from where the last look ended."""

    def __init__(self, logs: Any, prefix: str, tell: Narration) -> None:
        self._logs = logs
        self._prefix = prefix
        self._tell = tell
        self._tokens: dict[str, str] = {}

    def show(self) -> None:
        """Show the lines that are new."""
        try:
            found = self._logs.describe_log_streams(
                logGroupName=_LOG_GROUP, logStreamNamePrefix=self._prefix
            )
        except self._logs.exceptions.ResourceNotFoundException:
            return  # the group appears with its first line
        for stream in found["logStreams"]:
            self._show(stream["logStreamName"])

    def _show(self, stream: str) -> None:
        token = self._tokens.get(stream)
        while True:
            page = self._logs.get_log_events(
                logGroupName=_LOG_GROUP,
                logStreamName=stream,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            for event in page["events"]:
                self._tell.line(event["message"])
            # At the end of a stream, CloudWatch answers the token that it was given.
            if page["nextForwardToken"] == token:
                return
            token = self._tokens[stream] = page["nextForwardToken"]


def _location(region: str) -> dict[str, Any]:
    """Return what S3 wants to know of a region; us-east-1 is the one that it refuses to be told."""
    if region == "us-east-1":
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": region}}


def _channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _transitions(job: dict[str, Any]) -> list[tuple[str, float]]:
    """Return each secondary status of a job with the seconds spent in it, in order."""
    return [
        (step["Status"], (step["EndTime"] - step["StartTime"]).total_seconds())
        for step in job["SecondaryStatusTransitions"]
        if "EndTime" in step
    ]

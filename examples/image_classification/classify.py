"""From a folder of pictures to a label for each, by Amazon's image-classification algorithm.

    python -m examples.image_classification.classify [FOLDER]

FOLDER has one folder of pictures per class; without it, coloured shapes are drawn. A part of the
pictures is held out: the network is validated on it, and the endpoint is asked about it. Plain
boto3, as on AWS; nothing here knows that there is an emulator. What is made is removed at the end,
but for the training job, which nobody can delete.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.exceptions import ClientError, WaiterError
from PIL import Image, ImageDraw

PACKER = Path(__file__).parents[2] / "images" / "image-classification" / "bin" / "pack-images"
# Amazon's accounts that have the algorithm's image; the emulator takes any.
ACCOUNTS = {
    "eu-west-1": "685385470294",
    "us-east-1": "811284229777",
    "us-east-2": "825641698319",
    "us-west-2": "433757028032",
}
SHAPES = ("circle", "square", "triangle")
DRAWN = 80  # pictures of each shape
LARGEST_SMALL = 32  # pixels a side, up to which the networks for small pictures are meant
HELD_OUT = 0.2  # of each class
ASKED = 12  # held-out pictures that are sent to the endpoint
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
POLL_SECONDS = 0.5
WAITER = {"Delay": 1, "MaxAttempts": 150}


class JobFailed(Exception):
    """Packing, the training job or the endpoint failed; the message is the reason."""


@dataclass(frozen=True)
class Packed:
    """Pictures in the form that the algorithm reads.

    Attributes:
        folder: has train.rec and validation.rec.
        classes: the label that each number of a class stands for, in order.
        trained: how many pictures are in train.rec.
        held_out: the pictures that are in validation.rec.
    """

    folder: Path
    classes: list[str]
    trained: int
    held_out: list[Path]


@dataclass(frozen=True)
class Network:
    """What is trained, and how long.

    Attributes:
        side: height and width of the network's input, in pixels.
        mode: `File` or `Pipe`.
    """

    side: int
    epochs: int
    mode: str

    def hyperparameters(self, packed: Packed) -> dict[str, str]:
        """Return the algorithm's hyperparameters, which are all strings."""
        return {
            "num_layers": "20" if self.side <= LARGEST_SMALL else "18",
            "image_shape": f"3,{self.side},{self.side}",
            "resize": str(self.side),  # pictures that are smaller become large enough
            "num_classes": str(len(packed.classes)),
            "num_training_samples": str(packed.trained),
            "mini_batch_size": str(min(16, packed.trained)),
            "epochs": str(self.epochs),
            "optimizer": "adam",
            "learning_rate": "0.002",
        }


def draw(folder: Path) -> None:
    """Draw shapes of random colour, size and place: a folder per shape."""
    chance = random.Random(7)
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True)
        for number in range(DRAWN):
            picture = Image.new("RGB", (40, 40), _colour(chance, 0, 90))
            radius = chance.uniform(9, 15)
            x, y = chance.uniform(radius, 40 - radius), chance.uniform(radius, 40 - radius)
            box = (x - radius, y - radius, x + radius, y + radius)
            colour, pen = _colour(chance, 130, 255), ImageDraw.Draw(picture)
            if shape == "circle":
                pen.ellipse(box, fill=colour)
            elif shape == "square":
                pen.rectangle(box, fill=colour)
            else:
                pen.polygon([(x, box[1]), (box[2], box[3]), (box[0], box[3])], fill=colour)
            picture.save(folder / shape / f"{number:03}.png")


def _colour(chance: random.Random, darkest: int, lightest: int) -> tuple[int, int, int]:
    red, green, blue = (chance.randint(darkest, lightest) for _ in range(3))
    return red, green, blue


def pack(pictures: Path, packed: Path, side: int) -> Packed:
    """Pack a folder of pictures, made as small as the network takes them.

    Raises:
        JobFailed: they can't be packed.
    """
    command = [sys.executable, str(PACKER), str(pictures), str(packed)]
    options = ["--validation", str(HELD_OUT), "--size", str(side)]
    done = subprocess.run([*command, *options], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise JobFailed(done.stderr.strip())
    listed = (packed / "validation.lst").read_text("utf-8").splitlines()
    return Packed(
        folder=packed,
        classes=(packed / "classes.txt").read_text("utf-8").splitlines(),
        trained=len((packed / "train.lst").read_text("utf-8").splitlines()),
        held_out=[pictures / line.split("\t")[2] for line in listed],
    )


class Classification:
    """One run: `upload`, `train`, `probabilities` inside `hosted`, `remove`.

    Args:
        name: of the job, the model, the configuration, the endpoint and S3's prefix; unique.
        bucket: made if need be.
    """

    def __init__(self, name: str, bucket: str) -> None:
        self._name = name
        self._bucket = bucket
        self._made_bucket = False
        self._s3 = boto3.client("s3")
        self._sagemaker = boto3.client("sagemaker")
        self._runtime = boto3.client("sagemaker-runtime")
        self._logs = boto3.client("logs")
        region = self._s3.meta.region_name
        registry = ACCOUNTS.get(region, ACCOUNTS["us-east-1"])
        self._image = f"{registry}.dkr.ecr.{region}.amazonaws.com/image-classification:1"
        account = boto3.client("sts").get_caller_identity()["Account"]
        self._role = f"arn:aws:iam::{account}:role/service-role/AmazonSageMaker-Pictures"

    def upload(self, packed: Packed) -> None:
        """Put the two files into S3, into a bucket that is made if it is not there."""
        try:
            self._s3.head_bucket(Bucket=self._bucket)
        except ClientError:
            region = self._s3.meta.region_name
            # us-east-1 is the one that S3 refuses to be told.
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            told = {} if region == "us-east-1" else where
            self._s3.create_bucket(Bucket=self._bucket, **told)
            self._made_bucket = True
        for channel in ("train", "validation"):
            file = packed.folder / f"{channel}.rec"
            self._s3.upload_file(str(file), self._bucket, f"{self._name}/{channel}/{file.name}")

    def train(self, packed: Packed, network: Network) -> dict[str, Any]:
        """Run the training job, showing its log; returns its description once it is completed.

        Raises:
            JobFailed: it ended in another way.
        """
        self._sagemaker.create_training_job(
            TrainingJobName=self._name,
            AlgorithmSpecification={
                "TrainingImage": self._image,
                "TrainingInputMode": network.mode,
            },
            RoleArn=self._role,
            HyperParameters=network.hyperparameters(packed),
            InputDataConfig=[self._channel("train"), self._channel("validation")],
            OutputDataConfig={"S3OutputPath": f"s3://{self._bucket}/{self._name}"},
            ResourceConfig={
                "InstanceType": "ml.p3.2xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 10,
            },
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
        try:
            return self._followed()
        except BaseException:  # Ctrl-C, too: nothing goes on running
            self._stop()
            raise

    def _channel(self, name: str) -> dict[str, Any]:
        return {
            "ChannelName": name,
            "ContentType": "application/x-recordio",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://{self._bucket}/{self._name}/{name}/",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }

    def _followed(self) -> dict[str, Any]:
        """Wait for the training job's end, printing its log lines as they come."""
        token = ""
        while True:
            job: dict[str, Any] = self._sagemaker.describe_training_job(TrainingJobName=self._name)
            token = self._print_log(token)
            if job["TrainingJobStatus"] == "Completed":
                return job
            if job["TrainingJobStatus"] in ("Failed", "Stopped"):
                raise JobFailed(job.get("FailureReason", job["TrainingJobStatus"]))
            time.sleep(POLL_SECONDS)

    def _print_log(self, token: str) -> str:
        """Print what is new in the log since a token; returns the token to go on from."""
        try:
            found = self._logs.describe_log_streams(
                logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._name}/"
            )
        except self._logs.exceptions.ResourceNotFoundException:
            return token  # the group appears with its first line
        for stream in found["logStreams"]:  # one, as there is one host
            while True:
                page = self._logs.get_log_events(
                    logGroupName=LOG_GROUP,
                    logStreamName=stream["logStreamName"],
                    startFromHead=True,
                    **({"nextToken": token} if token else {}),
                )
                for event in page["events"]:
                    click.echo(f"  {event['message']}")
                # At the end of a stream, CloudWatch answers the token that it was given.
                if page["nextForwardToken"] == token:
                    break
                token = page["nextForwardToken"]
        return token

    def _stop(self) -> None:
        """Stop the training job unless it has ended, and wait for its end."""
        with suppress(ClientError, WaiterError):
            self._sagemaker.stop_training_job(TrainingJobName=self._name)
            waiter = self._sagemaker.get_waiter("training_job_completed_or_stopped")
            waiter.wait(TrainingJobName=self._name, WaiterConfig=WAITER)

    @contextmanager
    def hosted(self, artifact: str) -> Iterator[None]:
        """Serve a model inside the block; endpoint, configuration and model are removed after it.

        Args:
            artifact: S3 URI of model.tar.gz.

        Raises:
            JobFailed: the endpoint failed.
        """
        try:
            self._deploy(artifact)
            yield
        finally:
            self._undeploy()

    def _deploy(self, artifact: str) -> None:
        self._sagemaker.create_model(
            ModelName=self._name,
            ExecutionRoleArn=self._role,
            PrimaryContainer={"Image": self._image, "ModelDataUrl": artifact},
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
            if endpoint["EndpointStatus"] == "InService":
                return
            if endpoint["EndpointStatus"] == "Failed":
                raise JobFailed(endpoint.get("FailureReason", "The endpoint failed."))
            time.sleep(POLL_SECONDS)

    def probabilities(self, picture: Path) -> list[float]:
        """Return what the endpoint thinks of a picture: the probability of each class."""
        reply = self._runtime.invoke_endpoint(
            EndpointName=self._name, ContentType="application/x-image", Body=picture.read_bytes()
        )
        answer: list[float] = json.load(reply["Body"])
        return answer

    def _undeploy(self) -> None:
        """Remove what `_deploy` made, also when it failed half-way."""
        client, name = self._sagemaker, self._name
        with suppress(ClientError, WaiterError):
            client.delete_endpoint(EndpointName=name)
            client.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=WAITER)
        with suppress(ClientError):
            client.delete_endpoint_config(EndpointConfigName=name)
        with suppress(ClientError):
            client.delete_model(ModelName=name)

    def remove(self) -> None:
        """Remove the run's objects from S3, and the bucket if the run made it."""
        with suppress(self._s3.exceptions.NoSuchBucket):
            listed = self._s3.get_paginator("list_objects_v2")
            for page in listed.paginate(Bucket=self._bucket, Prefix=f"{self._name}/"):
                keys = [{"Key": found["Key"]} for found in page.get("Contents", [])]
                if keys:
                    self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": keys})
        if self._made_bucket:
            with suppress(ClientError):  # somebody else put something into it
                self._s3.delete_bucket(Bucket=self._bucket)


def run(pictures: Path, work: Path, network: Network, bucket: str) -> float:
    """Go all the way from pictures to labels; returns the part that the endpoint told right."""
    packed = pack(pictures, work, network.side)
    classification = Classification(f"pictures-{time.strftime('%Y-%m-%d-%H-%M-%S')}", bucket)
    try:
        classification.upload(packed)
        job = classification.train(packed, network)
        for metric in job["FinalMetricDataList"]:
            click.echo(f"{metric['MetricName']} {metric['Value']:.3f}")
        with classification.hosted(job["ModelArtifacts"]["S3ModelArtifacts"]):
            asked = packed.held_out[:ASKED]
            told = [label(classification, packed, picture) for picture in asked]
    finally:
        classification.remove()
    return sum(told) / len(told)


def label(classification: Classification, packed: Packed, picture: Path) -> bool:
    """Print the label that the endpoint gives a picture; returns whether it is right."""
    probabilities = classification.probabilities(picture)
    best = max(probabilities)
    told = packed.classes[probabilities.index(best)]
    click.echo(f"{picture.parent.name}/{picture.name} is of class {told} ({best:.0%})")
    return told == picture.parent.name


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--pipe", is_flag=True, help="Stream the pictures, instead of downloading them first."
)
@click.option("--side", default=28, show_default=True, help="Pixels; above 32, a larger network.")
@click.option("--epochs", default=10, show_default=True)
@click.option("--bucket", help="Made if need be.  [default: sagemaker-REGION-ACCOUNT]")
def classify(folder: Path | None, pipe: bool, side: int, epochs: int, bucket: str | None) -> None:
    """Train on FOLDER, which has a folder of pictures for each class; label pictures held out."""
    network = Network(side, epochs, "Pipe" if pipe else "File")
    with tempfile.TemporaryDirectory() as work:
        if folder is None:
            folder = Path(work, "drawn")
            draw(folder)
        try:
            right = run(folder, Path(work, "packed"), network, bucket or default_bucket())
        except JobFailed as problem:
            raise click.ClickException(str(problem)) from None
    click.echo(f"{right:.0%} of them are right")


def default_bucket() -> str:
    """Return the name of the bucket that the SageMaker SDKs use as well."""
    sts = boto3.client("sts")
    return f"sagemaker-{sts.meta.region_name}-{sts.get_caller_identity()['Account']}"


if __name__ == "__main__":
    classify(prog_name="python -m examples.image_classification.classify")

"""A client with plain boto3: fits a line to points, serves it, and asks it for a value.

It is a service of compose.yaml and runs as well on the machine itself: where SageMaker and S3 are
is in the environment alone. What it made is removed, but for S3's objects.
"""
# ruff: noqa: T201  it shows what it does

import io
import json
import sys
import tarfile
import time
import uuid
from pathlib import Path
from typing import Any

import boto3

SCRIPT = Path(__file__).with_name("line.py")
ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker"
IMAGES = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
POINTS = [(1, 2, 5.0), (2, 1, 5.5), (3, 5, 13.5), (4, 0, 8.0)]  # y = 2*x1 + 1.5*x2
INSTANCE = {"InstanceType": "ml.m5.large"}

s3 = boto3.client("s3")
sagemaker = boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")


def upload(bucket: str) -> None:
    """Put the points and, as SageMaker's script mode wants it, the packed script into S3."""
    s3.create_bucket(Bucket=bucket)
    rows = "\n".join(",".join(map(str, point)) for point in POINTS)
    s3.put_object(Bucket=bucket, Key="points/points.csv", Body=rows.encode())
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as sources:
        sources.add(SCRIPT, SCRIPT.name)
    s3.put_object(Bucket=bucket, Key="sourcedir.tar.gz", Body=archive.getvalue())


def train(name: str, bucket: str) -> str:
    """Run a training job; returns the S3 URI of its model."""
    hyperparameters = {
        "sagemaker_program": SCRIPT.name,
        "sagemaker_submit_directory": f"s3://{bucket}/sourcedir.tar.gz",
        "sagemaker_job_name": name,
        "sagemaker_region": s3.meta.region_name,
        "sagemaker_container_log_level": 30,
    }
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/points"}
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={
            "TrainingImage": f"{IMAGES}/mxnet-training:1.9.0-cpu-py38",
            "TrainingInputMode": "File",
        },
        RoleArn=ROLE,
        HyperParameters={key: json.dumps(value) for key, value in hyperparameters.items()},
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/models"},
        ResourceConfig={**INSTANCE, "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    job = ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    return str(job["ModelArtifacts"]["S3ModelArtifacts"])


def deploy(name: str, model: str) -> None:
    """Serve the model."""
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": f"{IMAGES}/mxnet-inference:1.9.0-cpu-py38",
            "ModelDataUrl": model,
            "Environment": {"SAGEMAKER_PROGRAM": SCRIPT.name},
        },
    )
    variant = {"VariantName": "V", "ModelName": name, "InitialInstanceCount": 1, **INSTANCE}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    ended(lambda: sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus")


def ended(describe: Any, member: str) -> dict[str, Any]:
    """Return the description once the status is final; ends the program if it is a failure."""
    while (described := describe())[member] in ("InProgress", "Creating"):
        time.sleep(0.2)
    if described[member] not in ("Completed", "InService"):
        sys.exit(f"{described[member]}: {described.get('FailureReason')}")
    return dict(described)


def remove(name: str) -> None:
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    sagemaker.delete_model(ModelName=name)


def main() -> None:
    name = f"line-{uuid.uuid4().hex[:8]}"
    upload(name)
    print("trained:", model := train(name, name))
    deploy(name, model)
    print("in service:", name)
    reply = runtime.invoke_endpoint(
        EndpointName=name, ContentType="application/json", Body=json.dumps([[3, 4]])
    )
    [value] = json.load(reply["Body"])
    print(f"y(3, 4) = {value:.6f}")
    remove(name)


if __name__ == "__main__":
    main()

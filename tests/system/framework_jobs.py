"""Training jobs of the framework images: a script's archive in S3, as the SDKs send it."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from running_emulator import ROLE, Emulator

SCRIPTS = Path(__file__).parent / "image_scripts"
REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
MXNET = f"{REGISTRY}/mxnet-training:1.9.1-cpu-py3"
MXNET_SERVING = f"{REGISTRY}/mxnet-inference:1.9.1-cpu-py3"
CHAINER = "520713654638.dkr.ecr.us-east-1.amazonaws.com/sagemaker-chainer:7.8.1-cpu-py3"


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a tar.gz with these files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def script(name: str) -> bytes:
    """Return the archive with one script of the tests."""
    return packed({name: (SCRIPTS / name).read_bytes()})


def run_script(
    emulator: Emulator,
    name: str,
    program: str,
    source: bytes | None = None,
    *,
    image: str = MXNET,
    hosts: int = 1,
    instance_type: str = "ml.m5.large",
    hyperparameters: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Create the training job of a script; returns its bucket.

    Args:
        program: the script's name in the archive.
        source: the archive; None for the one with the tests' own script of that name.
        hyperparameters: go beside the toolkit's own and replace them; None leaves one out.
    """
    bucket = emulator.bucket()
    emulator.client("s3").put_object(
        Bucket=bucket,
        Key="source/sourcedir.tar.gz",
        Body=script(program) if source is None else source,
    )
    values = {
        "sagemaker_program": program,
        "sagemaker_submit_directory": f"s3://{bucket}/source/sourcedir.tar.gz",
        "sagemaker_job_name": name,
        "sagemaker_region": emulator.region,
        **(hyperparameters or {}),
    }
    emulator.client("sagemaker").create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
        ResourceConfig={
            "InstanceType": instance_type,
            "InstanceCount": hosts,
            "VolumeSizeInGB": 1,
        },
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        HyperParameters={
            key: json.dumps(value) for key, value in values.items() if value is not None
        },
        Environment=environment or {},
    )
    return bucket

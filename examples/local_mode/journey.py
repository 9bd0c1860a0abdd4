"""Digits in the SageMaker Python SDK's local mode: train, deploy, ask, delete.

Runs on version 1 or 2 of the SDK, in a shell that `sagemaker-emulator env` points at the emulator.
The SDK starts the containers on this machine by docker-compose; the data and what the job leaves
are in the emulator's S3. Lines that begin with `==` tell what was reached, the rest is the SDK's.
"""

import argparse
import gzip
import io
import json
import sys
import time
from pathlib import Path

import boto3
import numpy as np
import sagemaker
from sagemaker.chainer import Chainer
from sagemaker.mxnet import MXNet

DIGITS = Path(__file__).resolve().parents[1] / "digits"
FRAMEWORKS = {
    "mxnet": (MXNet, "mnist_mxnet.py", "1.4.1"),
    "chainer": (Chainer, "mnist_chainer.py", "5.0.0"),
}
FIRST = sagemaker.__version__.startswith("1.")


def read_idx(data):
    """Return the array in a gzipped file of the IDX format."""
    with gzip.open(io.BytesIO(data)) as file:
        rank = file.read(4)[3]
        shape = np.frombuffer(file.read(4 * rank), dtype=">u4")
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def held_out(bucket, limit):
    """Return images as rows of numbers from 0 to 1, and labels, from the bucket with samples."""
    s3 = boto3.client("s3")

    def read(name):
        key = f"mxnet/mnist/test/{name}.gz"
        return read_idx(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    images = read("images")[:limit]
    return images.reshape(len(images), -1).astype(np.float32) / 255, read("labels")[:limit]


def tell(text):
    # The SDK may have left a line without an end.
    sys.stdout.write(f"\n== {text}\n")
    sys.stdout.flush()


def estimator(framework, epochs):
    """Return an estimator for one container on this machine."""
    kind, script, version = FRAMEWORKS[framework]
    # Version 2 of the SDK gave these arguments other names.
    first = "train_" if FIRST else ""
    where = {f"{first}instance_type": "local", f"{first}instance_count": 1}
    return kind(
        entry_point=str(DIGITS / script),
        role=sagemaker.get_execution_role(),
        framework_version=version,
        py_version="py3",
        hyperparameters={"epochs": epochs},
        **where,
    )


def scores(predictor, framework, rows):
    """Return the scores of each digit for each row."""
    # MXNet's predictor sends JSON, Chainer's sends NPY; version 1 makes no JSON of an array.
    answer = predictor.predict(rows.tolist() if framework == "mxnet" and FIRST else rows)
    return np.asarray(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", nargs="?", choices=FRAMEWORKS, default="mxnet")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--accelerator", help="accelerator_type, such as local_sagemaker_notebook")
    parser.add_argument("--limit", type=int, default=360, help="how many digits to ask about")
    arguments = parser.parse_args()
    framework = arguments.framework

    began = time.monotonic()
    samples = f"sagemaker-sample-data-{boto3.Session().region_name}"
    job = estimator(framework, arguments.epochs)
    job.fit({name: f"s3://{samples}/mxnet/mnist/{name}" for name in ("train", "test")})
    tell(f"trained in {time.monotonic() - began:.1f} s")
    tell(f"model {job.model_data}")

    began = time.monotonic()
    accelerated = {"accelerator_type": arguments.accelerator} if arguments.accelerator else {}
    predictor = job.deploy(initial_instance_count=1, instance_type="local", **accelerated)
    tell(f"deployed in {time.monotonic() - began:.1f} s")

    try:
        rows, labels = held_out(samples, arguments.limit)
        answered = scores(predictor, framework, rows)
        reached = float((answered.argmax(axis=1) == labels).mean())
        tell(f"right {json.dumps({'digits': len(labels), 'accuracy': reached})}")
    finally:
        predictor.delete_endpoint()
    tell("endpoint deleted")


if __name__ == "__main__":
    main()

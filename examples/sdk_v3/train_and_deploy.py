"""MNIST from S3 to predictions with version 3 of the SageMaker Python SDK.

Trains the script of the MXNet notebook in a job, serves what it saved, asks the endpoint for digits
of the test set, and deletes the endpoint. Knows of no emulator.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode

SCRIPTS = Path(__file__).resolve().parent.parent / "mxnet_mnist"
INSTANCE = "ml.c5.xlarge"
DIGITS = 300


def image(session, scope):
    """Return the address of Amazon's MXNet image for training or for inference."""
    return image_uris.retrieve(
        "mxnet",
        session.boto_region_name,
        version="1.9.0",
        py_version="py38",
        instance_type=INSTANCE,
        image_scope=scope,
    )


def train(session, role, bucket, epochs):
    """Train on the sample data; returns the job."""
    trainer = ModelTrainer(
        training_image=image(session, "training"),
        source_code=SourceCode(source_dir=str(SCRIPTS), entry_script="mnist.py"),
        compute=Compute(instance_type=INSTANCE, instance_count=1),
        hyperparameters={"learning-rate": 0.1, "epochs": epochs},
        base_job_name="mnist",
        role=role,
        sagemaker_session=session,
    )
    channels = ("train", "test")
    trainer.train(
        input_data_config=[
            InputData(channel_name=name, data_source=f"s3://{bucket}/mxnet/mnist/{name}")
            for name in channels
        ]
    )
    return trainer._latest_training_job


def deploy(session, role, model_data):
    """Serve a trained model; returns its builder and the endpoint."""
    builder = ModelBuilder(
        image_uri=image(session, "inference"),
        s3_model_data_url=model_data,
        role_arn=role,
        sagemaker_session=session,
        instance_type=INSTANCE,
    )
    builder.build(model_name="mnist-v3")
    endpoint = builder.deploy(
        endpoint_name="mnist-v3", instance_type=INSTANCE, initial_instance_count=1
    )
    return endpoint


def held_out(session, bucket):
    """Return the first digits of the test set, and what they show."""
    s3 = session.boto_session.client("s3")

    def sample(name, header):
        body = s3.get_object(Bucket=bucket, Key=f"mxnet/mnist/test/{name}.gz")["Body"].read()
        return np.frombuffer(gzip.decompress(body), dtype=np.uint8, offset=header)

    images = sample("images", 16).reshape(-1, 1, 28, 28)[:DIGITS] / 255
    return images, sample("labels", 8)[:DIGITS]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    session, role = Session(), get_execution_role()
    bucket = f"sagemaker-sample-data-{session.boto_region_name}"
    job = train(session, role, bucket, arguments.epochs)
    endpoint = deploy(session, role, job.model_artifacts.s3_model_artifacts)
    images, labels = held_out(session, bucket)
    reply = endpoint.invoke(
        body=json.dumps(images.round(3).tolist()),
        content_type="application/json",
        accept="application/json",
    )
    told = np.argmax(json.loads(reply.body.read()), axis=1)
    print(f"{(told == labels).mean():.1%} of {len(labels)} digits are told right")
    endpoint.delete()


if __name__ == "__main__":
    main()

"""The main job on the scripted image: upload, train, deploy, invoke, delete."""

import pytest
from running_emulator import Emulator, unique

pytestmark = pytest.mark.docker


def test_what_a_job_trained_is_served(emulator: Emulator) -> None:
    bucket, name = emulator.bucket(), unique("main")
    emulator.client("s3").put_object(Bucket=bucket, Key="data/train/part.csv", Body=b"1,2,3")
    emulator.train(
        name,
        bucket=bucket,
        shell="cp /opt/ml/input/data/train/part.csv /opt/ml/model/weights.csv",
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{bucket}/data/train",
                    }
                },
            }
        ],
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert [transition["Status"] for transition in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    model = emulator.model(ModelDataUrl=job["ModelArtifacts"]["S3ModelArtifacts"])
    endpoint = emulator.deploy(emulator.config({"ModelName": model}))
    assert emulator.endpoint(endpoint)["EndpointStatus"] == "InService"
    assert emulator.command(endpoint, list="/opt/ml/model")["files"] == ["weights.csv"]
    reply = emulator.invoke(endpoint, b"\x00\xff any bytes", ContentType="text/csv")
    assert reply["Body"].read() == b"\x00\xff any bytes"
    assert reply["ContentType"] == "text/csv"
    emulator.delete(endpoint)
    assert emulator.containers(name=endpoint) == []

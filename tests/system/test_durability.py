"""What was acknowledged is still there after `kill -9` and a new `up` on the same state."""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from running_emulator import Emulator, unique

pytestmark = pytest.mark.docker

MEGABYTE = 2**20


def test_resources_objects_and_tags_survive_a_kill(launched: Callable[..., Emulator]) -> None:
    first = launched()
    s3, sagemaker = first.client("s3"), first.client("sagemaker")
    bucket, job = first.bucket(), unique("job")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [
        s3.put_object(Bucket=bucket, Key="a key/ü+%", Body=body, Metadata={"n": str(number)})
        for number, body in enumerate((b"one", b"two"))
    ]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="large")
    part = {"Bucket": bucket, "Key": "large", "UploadId": upload["UploadId"]}
    etag = s3.upload_part(**part, PartNumber=1, Body=b"x" * 5 * MEGABYTE)["ETag"]
    first.train(job, bucket=bucket, shell="echo kept", Tags=[{"Key": "team", "Value": "vision"}])
    ended = first.ended(job)
    model = first.model()
    config = first.config({"ModelName": model})
    arn = sagemaker.describe_model(ModelName=model)["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    before = [
        sagemaker.describe_model(ModelName=model),
        sagemaker.describe_endpoint_config(EndpointConfigName=config),
    ]
    first.kill()

    second = launched()
    s3, sagemaker = second.client("s3"), second.client("sagemaker")
    for number, (version, body) in enumerate(zip(versions, (b"one", b"two"), strict=True)):
        found = s3.get_object(Bucket=bucket, Key="a key/ü+%", VersionId=version["VersionId"])
        assert (found["Body"].read(), found["Metadata"]) == (body, {"n": str(number)})
    part = {"Bucket": bucket, "Key": "large", "UploadId": upload["UploadId"]}
    s3.complete_multipart_upload(
        **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == 5 * MEGABYTE
    assert without_metadata(second.job(job)) == without_metadata(ended)
    assert second.output(job) == ["kept"]
    assert [
        without_metadata(reply)
        for reply in (
            sagemaker.describe_model(ModelName=model),
            sagemaker.describe_endpoint_config(EndpointConfigName=config),
        )
    ] == [without_metadata(reply) for reply in before]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    assert sagemaker.list_tags(ResourceArn=ended["TrainingJobArn"])["Tags"] == [
        {"Key": "team", "Value": "vision"}
    ]


def test_every_acknowledged_object_survives_a_kill_in_the_middle(
    launched: Callable[..., Emulator],
) -> None:
    first = launched()
    bucket, s3 = first.bucket(), first.client("s3")
    acknowledged: dict[str, str] = {}

    def put(stem: int) -> None:
        number = 0
        while True:
            key, body = f"{stem}/{number}", f"{stem} {number}".encode() * 1000
            try:
                reply = s3.put_object(Bucket=bucket, Key=key, Body=body)
            except Exception:
                return  # the process is gone
            acknowledged[key] = reply["ETag"]
            number += 1

    writers = [threading.Thread(target=put, args=(stem,)) for stem in range(4)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 30
    while len(acknowledged) < 200 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    first.kill()
    for writer in writers:
        writer.join(60)

    second = launched()
    s3 = second.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    found = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}
    assert len(acknowledged) >= 200
    assert {key: found.get(key) for key in acknowledged} == acknowledged
    for key, tag in found.items():
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == tag.strip('"')


@pytest.mark.slow
def test_a_gigabyte_passes_through_without_being_held_in_memory(
    launched: Callable[..., Emulator], tmp_path: Path
) -> None:
    running = launched()
    bucket, s3 = running.bucket(), running.client("s3")
    source, copy = tmp_path / "source", tmp_path / "copy"
    block = hashlib.sha256(b"block").digest() * 2**15
    with source.open("wb") as file:
        for number in range(1024):
            file.write(number.to_bytes(32, "big") + block[32:])
    s3.head_bucket(Bucket=bucket)
    idle = peak_memory(running)
    transfer = TransferConfig(max_concurrency=4)
    s3.upload_file(str(source), bucket, "big", Config=transfer)
    s3.download_file(bucket, "big", str(copy), Config=transfer)
    assert digest(copy) == digest(source)
    whole = s3.get_object(Bucket=bucket, Key="big")["Body"]
    assert sum(len(chunk) for chunk in whole.iter_chunks(MEGABYTE)) == 1024 * MEGABYTE
    with source.open("rb") as file:
        s3.put_object(Bucket=bucket, Key="single", Body=file)
    assert s3.head_object(Bucket=bucket, Key="single")["ContentLength"] == 1024 * MEGABYTE
    # Half of the object would be 512 MB.
    assert peak_memory(running) - idle < 200 * MEGABYTE


def peak_memory(running: Emulator) -> int:
    """Return the most bytes that the process has had in memory."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def without_metadata(reply: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key != "ResponseMetadata"}

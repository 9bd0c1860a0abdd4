"""What the tests of training jobs put into S3, say in requests, and read from archives."""

import io
import json
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from running_emulator import Emulator, eventually


def line(script: str) -> str:
    """Return a Python script as one line, because hyperparameters have no others."""
    return f"exec({script.strip()!r})"


REPORT = line(
    """
import json, os, socket
config = '/opt/ml/input/config'
print(json.dumps({
    'environment': dict(os.environ),
    'files': {name: json.load(open(os.path.join(config, name))) for name in os.listdir(config)},
    'directories': sorted(os.listdir('/opt/ml')),
    'data': sorted(os.path.relpath(os.path.join(folder, name), '/opt/ml/input/data')
                   for folder, _, names in os.walk('/opt/ml/input/data') for name in names),
    'hostname': socket.gethostname(),
    'user': os.getuid(),
}))
"""
)


def put(emulator: Emulator, bucket: str, bodies: Mapping[str, bytes]) -> None:
    """Write objects by key."""
    s3 = emulator.client("s3")
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]),
                bodies.items(),
            )
        )


def read(emulator: Emulator, bucket: str, key: str) -> bytes:
    body: bytes = emulator.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def channel(name: str, uri: str, *, data_type: str = "S3Prefix", **members: Any) -> dict[str, Any]:
    """Return a channel; `distribution` shards it, other members go beside DataSource."""
    source = {"S3DataType": data_type, "S3Uri": uri}
    if distribution := members.pop("distribution", ""):
        source["S3DataDistributionType"] = distribution
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **members}


def archive(emulator: Emulator, bucket: str, key: str) -> dict[str, bytes | None]:
    """Return the members of a tar.gz by name: a file's content, None for anything else."""
    packed = io.BytesIO(read(emulator, bucket, key))
    with tarfile.open(fileobj=packed, mode="r:gz") as members:
        return {
            member.name: file.read() if (file := members.extractfile(member)) else None
            for member in members
        }


def model(emulator: Emulator, bucket: str, name: str) -> dict[str, bytes | None]:
    """Return what a job's model.tar.gz holds."""
    return archive(emulator, bucket, f"out/{name}/output/model.tar.gz")


def output(emulator: Emulator, bucket: str, name: str) -> dict[str, bytes | None]:
    """Return what a job's output.tar.gz holds."""
    return archive(emulator, bucket, f"out/{name}/output/output.tar.gz")


def path_of(job: Mapping[str, Any]) -> list[str]:
    """Return the statuses a job went through, after a look at how its transitions join."""
    transitions = job["SecondaryStatusTransitions"]
    for earlier, later in pairwise(transitions):
        assert earlier["EndTime"] == later["StartTime"]
        assert earlier["StartTime"] <= earlier["EndTime"]
        assert earlier["Status"] != later["Status"]
    if job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
        assert transitions[-1]["EndTime"] >= transitions[-1]["StartTime"]
    else:
        assert "EndTime" not in transitions[-1]
    assert transitions[-1]["Status"] == job["SecondaryStatus"]
    return [transition["Status"] for transition in transitions]


def assert_gone(emulator: Emulator, name: str) -> None:
    """Assert that an ended job leaves neither containers nor files; that comes after its end."""

    def gone() -> bool:
        files = list(emulator.state.glob(f"jobs/*/*/{name}"))
        return not files and not emulator.containers(name=name)

    eventually(gone, what=f"nothing is left of {name}")


def seen(emulator: Emulator, name: str, **request: Any) -> dict[str, Any]:
    """Return what the container of a job with these members sees."""
    emulator.train(name, **{"python": REPORT, **request})
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    report: dict[str, Any] = json.loads("".join(emulator.output(name)))
    return report

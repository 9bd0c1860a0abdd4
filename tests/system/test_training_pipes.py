"""Channels in Pipe mode, read by real containers (contract B9)."""

import gzip
import hashlib
import json
import os
import struct
from collections.abc import Callable
from typing import Any

import pytest
from running_emulator import IMAGE, Emulator, eventually, unique
from training_data import assert_gone, channel, line, path_of, put

pytestmark = pytest.mark.docker

PIPE = {"TrainingImage": IMAGE, "TrainingInputMode": "Pipe"}
PAIR = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
MAGIC = struct.pack("<I", 0xCED7230A)
LARGE = os.urandom(5_000_000)
WAITS = "cat /opt/ml/input/data/train_0 | head -c 10 | od -c; echo ready; sleep 600"
"""Reads a little, tells, and leaves the pipe full."""

READER = line(
    """
import hashlib, json, os, struct, sys
from concurrent.futures import ThreadPoolExecutor
data = '/opt/ml/input/data'

def epoch(channel, number, most=-1):
    with open(f'{data}/{channel}_{number}', 'rb') as pipe:
        content = pipe.read(most)
        assert os.path.exists(f'{data}/{channel}_{number + 1}')
    return content

def told(content):
    return content.decode() if len(content) < 200 else hashlib.sha256(content).hexdigest()

def records(content):
    found, position = [], 0
    while position < len(content):
        magic, word = struct.unpack_from('<II', content, position)
        assert magic == 0xCED7230A
        payload = content[position + 8 : position + 8 + (word & (1 << 29) - 1)]
        if word >> 29 in (2, 3):
            found[-1] += struct.pack('<I', magic) + payload
        else:
            found.append(payload)
        position += 8 + len(payload) + -len(payload) % 4
    return found

with open('/opt/ml/input/config/inputdataconfig.json') as file:
    described = json.load(file)
wanted = json.loads(os.environ['READ'])

def channel(name):
    seen = []
    for number, most in enumerate(wanted[name]):
        content = epoch(name, number, most)
        wrapped = described[name]['RecordWrapperType'] == 'RecordIO'
        seen.append([told(r) for r in records(content)] if wrapped else told(content))
    return seen

with ThreadPoolExecutor(len(wanted)) as pool:
    seen = dict(zip(wanted, pool.map(channel, wanted)))
print(json.dumps({'host': os.uname().nodename, 'seen': seen, 'config': described,
                  'left': sorted(os.listdir(data))}), flush=True)
"""
)


def seen(emulator: Emulator, name: str, read: dict[str, list[int]], **request: Any) -> list[Any]:
    """Return what the hosts of a job read.

    Args:
        read: for each channel how much to read of each epoch; -1 for all.
    """
    emulator.train(
        name,
        **{
            "python": READER,
            "Environment": {"READ": json.dumps(read)},
            "AlgorithmSpecification": PIPE,
            **request,
        },
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Completed", (job["FailureReason"], emulator.output(name))
    assert path_of(job)[:2] == ["Starting", "Training"]
    assert_gone(emulator, name)
    reports = [json.loads(text) for text in emulator.output(name)]
    return sorted(reports, key=lambda report: str(report["host"]))


def told(content: bytes) -> str:
    return content.decode() if len(content) < 200 else hashlib.sha256(content).hexdigest()


def ready(emulator: Emulator, name: str) -> None:
    eventually(lambda: "ready" in emulator.output(name), what=f"{name} is ready")


def reads_a_little(emulator: Emulator, name: str) -> str:
    """Start a job that leaves a pipe full."""
    bucket = emulator.bucket()
    put(emulator, bucket, {"in/a": LARGE})
    emulator.train(
        name,
        bucket=bucket,
        shell=f"trap 'exit 0' TERM; ({WAITS}) & wait",
        AlgorithmSpecification=PIPE,
        InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
    )
    ready(emulator, name)
    return bucket


def test_channels_stream_side_by_side_for_as_many_epochs_as_are_read(emulator: Emulator) -> None:
    name, bucket = unique("epochs"), emulator.bucket()
    put(
        emulator,
        bucket,
        {
            "in/b": LARGE,
            "in/a": b"first",
            "small/x": b"small",
            "zipped/1": gzip.compress(b"one "),
            "zipped/2": gzip.compress(LARGE),
        },
    )
    (report,) = seen(
        emulator,
        name,
        {"train": [-1, 5, -1, 0, -1], "test": [-1] * 20, "zipped": [-1, 4, -1]},
        bucket=bucket,
        InputDataConfig=[
            channel("train", f"s3://{bucket}/in/"),
            channel("test", f"s3://{bucket}/small/"),
            channel("zipped", f"s3://{bucket}/zipped/", CompressionType="Gzip"),
            channel("unread", f"s3://{bucket}/in/"),
        ],
    )
    whole = told(b"first" + LARGE)
    assert report["seen"] == {
        "train": [whole, "first", whole, "", whole],
        "test": ["small"] * 20,
        "zipped": [told(b"one " + LARGE), "one ", told(b"one " + LARGE)],
    }
    # A pipe's name is gone before its end is read; of one that is left early, some time after.
    assert report["left"] == [
        *("test_20", "test_21", "train_5", "train_6"),
        *("unread_0", "unread_1", "zipped_3", "zipped_4"),
    ]
    assert {found["TrainingInputMode"] for found in report["config"].values()} == {"Pipe"}


def test_records_manifests_and_shuffling_arrive_as_asked_for(emulator: Emulator) -> None:
    name, bucket = unique("records"), emulator.bucket()
    marked = b"head" + MAGIC + b"ta"
    lines = [{"source-ref": f"s3://{bucket}/in/{n}", "label": n, "other": "x"} for n in range(6)]
    put(
        emulator,
        bucket,
        {
            **{f"in/{number}": b"body %d" % number for number in range(6)},
            "large/a": LARGE + MAGIC + LARGE,
            "large/b": b"b",
            "lines": "\n".join(map(json.dumps, lines)).encode(),
            "manifest": json.dumps([{"prefix": f"s3://{bucket}/in/"}, "4", "2"]).encode(),
            "model/weights": marked,
        },
    )
    augmented = channel(
        "lines",
        f"s3://{bucket}/lines",
        data_type="AugmentedManifestFile",
        RecordWrapperType="RecordIO",
        ShuffleConfig={"Seed": 1},
    )
    augmented["DataSource"]["S3DataSource"]["AttributeNames"] = ["label", "source-ref"]
    (report,) = seen(
        emulator,
        name,
        {"lines": [-1] * 3, "large": [-1], "listed": [-1]},
        bucket=bucket,
        InputDataConfig=[
            augmented,
            channel("large", f"s3://{bucket}/large/", RecordWrapperType="RecordIO"),
            channel("listed", f"s3://{bucket}/manifest", data_type="ManifestFile"),
        ],
    )
    assert report["seen"]["large"] == [[told(LARGE + MAGIC + LARGE), "b"]]
    assert report["seen"]["listed"] == ["body 4body 2"]
    pairs = [list(zip(e[::2], e[1::2], strict=True)) for e in report["seen"]["lines"]]
    assert all(sorted(e) == [(str(n), f"body {n}") for n in range(6)] for e in pairs)
    assert len({tuple(e) for e in pairs}) == 3
    assert {"lines-manifest", "listed-manifest"} < set(report["left"])


def test_hosts_share_a_sharded_channel_and_files_come_beside_pipes(emulator: Emulator) -> None:
    name, bucket = unique("sharded"), emulator.bucket()
    put(emulator, bucket, {f"in/{number}": b"%d" % number for number in range(6)})
    put(emulator, bucket, {"model/weights": b"w"})
    emulator.train(
        name,
        bucket=bucket,
        shell="cd /opt/ml/input/data; cat train_0; echo; cat train_1; echo; cat model/weights",
        AlgorithmSpecification=PIPE,
        ResourceConfig=PAIR,
        InputDataConfig=[
            channel("train", f"s3://{bucket}/in/", distribution="ShardedByS3Key"),
            channel("model", f"s3://{bucket}/model/"),
        ],
    )
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert sorted(emulator.output(name)) == ["024", "024", "135", "135", "w", "w"]


def test_a_stop_does_not_wait_for_a_full_pipe_and_leaves_nothing(emulator: Emulator) -> None:
    name = unique("stopped")
    reads_a_little(emulator, name)
    emulator.client("sagemaker").stop_training_job(TrainingJobName=name)
    job = emulator.ended(name)
    assert path_of(job) == ["Starting", "Training", "Stopping", "Uploading", "Stopped"]
    assert_gone(emulator, name)
    emulator.client("sagemaker").delete_training_job(TrainingJobName=name)


def test_a_job_that_exits_without_reading_all_completes(emulator: Emulator) -> None:
    name, bucket = unique("leaves"), emulator.bucket()
    put(emulator, bucket, {"in/a": LARGE})
    emulator.train(
        name,
        bucket=bucket,
        shell="head -c 4 /opt/ml/input/data/train_0 > /dev/null; echo done",
        AlgorithmSpecification=PIPE,
        InputDataConfig=[channel(n, f"s3://{bucket}/in/") for n in ("train", "test")],
    )
    assert emulator.ended(name)["TrainingJobStatus"] == "Completed"
    assert_gone(emulator, name)


def test_an_object_that_goes_away_fails_the_job_with_its_name(emulator: Emulator) -> None:
    name, bucket = unique("vanished"), emulator.bucket()
    put(emulator, bucket, {"in/a": LARGE, "in/b": b"b"})
    script = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
pipe = open('/opt/ml/input/data/train_0', 'rb')
print('ready', len(pipe.read(10)), flush=True)
while not os.path.exists('/opt/ml/output/go'):
    time.sleep(0.05)
print('read', len(pipe.read()), flush=True)
"""
    emulator.train(
        name,
        bucket=bucket,
        python=line(script),
        AlgorithmSpecification=PIPE,
        InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
    )
    eventually(lambda: "ready 10" in emulator.output(name), what="it reads")
    emulator.client("s3").delete_object(Bucket=bucket, Key="in/b")
    (root,) = emulator.state.glob(f"jobs/*/*/{name}/algo-1")
    (root / "output" / "go").touch()
    job = emulator.ended(name)
    assert job["FailureReason"] == (
        f"ClientError: Data download failed:The S3 object 's3://{bucket}/in/b' does not exist"
    )
    assert emulator.output(name) == ["ready 10"]
    assert_gone(emulator, name)


def test_a_bad_manifest_fails_the_job_and_no_container_starts(emulator: Emulator) -> None:
    name, bucket = unique("unlisted"), emulator.bucket()
    put(emulator, bucket, {"lines": b'{"a-ref": "s3://%s/no"}' % bucket.encode()})
    augmented = channel("train", f"s3://{bucket}/lines", data_type="AugmentedManifestFile")
    augmented["DataSource"]["S3DataSource"]["AttributeNames"] = ["a-ref"]
    emulator.train(
        name,
        bucket=bucket,
        shell="echo began",
        AlgorithmSpecification=PIPE,
        InputDataConfig=[augmented],
    )
    assert emulator.ended(name)["FailureReason"] == (
        f"ClientError: Data download failed:The S3 object 's3://{bucket}/no' does not exist, on"
        f" line 1 of the augmented manifest 's3://{bucket}/lines'"
    )
    assert emulator.output(name) == []
    assert_gone(emulator, name)


def test_a_killed_emulators_pipes_fail_the_job_and_never_end_it_early(
    launched: Callable[..., Emulator],
) -> None:
    emulator, names = launched(), [unique("cut") for _ in range(2)]
    bucket = emulator.bucket()
    put(emulator, bucket, {"in/a": LARGE})
    for name, after in zip(names, ("sleep 600 & wait", "true"), strict=True):
        emulator.train(
            name,
            bucket=bucket,
            shell="trap 'exit 0' TERM; exec 3< /opt/ml/input/data/train_0;"
            " head -c 9 <&3 > /dev/null; echo ready;"
            f" while [ ! -e /opt/ml/output/go ]; do sleep 0.05; done; cat <&3 | wc -c; {after}",
            AlgorithmSpecification=PIPE,
            InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
        )
        ready(emulator, name)
    emulator.kill()
    for root in emulator.state.glob("jobs/*/*/*/algo-1"):
        (root / "output" / "go").touch()
    eventually(
        lambda: emulator.containers(name=names[1])[0].status == "exited", what="the second ended"
    )
    emulator = launched()
    for name in names:
        job = emulator.ended(name)
        assert job["TrainingJobStatus"] == "Failed"
        assert job["FailureReason"].startswith(
            "InternalServerError: We encountered an internal error - Platform Error: SageMaker pipe"
            " channel timed out."
        )
        assert_gone(emulator, name)

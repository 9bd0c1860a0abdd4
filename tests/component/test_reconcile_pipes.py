"""Pipe mode over real named pipes: what a container reads, and how it ends (contract B9)."""

import errno
import json
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from training_world import (
    BUCKET,
    MOST_PASSES,
    NAME,
    Crash,
    World,
    channel,
    source,
    writes,
)

from emulator.launch.fake import Behaviour
from emulator.lifecycle.training_job import Phase

T = TypeVar("T")
FOREVER = Behaviour(run_for=None, effect=writes)
LARGE = os.urandom(3_000_001)
WITHIN = 60.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()
    eventually(lambda: not feeding(), "no thread feeds pipes any more")


@pytest.fixture
def aside() -> Iterator[Callable[..., Any]]:
    """Do something that may block, for a while; returns what it returns."""
    pool = ThreadPoolExecutor(4)
    yield lambda act, *args: pool.submit(act, *args).result(WITHIN)
    pool.shutdown(wait=False)


def eventually(look: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + WITHIN
    while not (found := look()):
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.005)
    return found


def feeding() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pipe ")]


def pipe(name: str, prefix: str, **members: Any) -> dict[str, Any]:
    return {**channel(name, prefix), "InputMode": "Pipe", **members}


def running(world: World, *channels: dict[str, Any], **request: Any) -> Path:
    """Start a job with these channels; returns the first host's directory of data."""
    world.create(FOREVER, InputDataConfig=list(channels), **request)
    world.phase("Training")
    while not world.record().document["Emulator"].get("Launched"):
        world.look()
    return data(world)


def data(world: World, host: str = "algo-1") -> Path:
    spec = next(spec for spec in world.launcher.started if spec.hostname == host)
    return source(spec, "/opt/ml/input/data")


def names(directory: Path) -> list[str]:
    return sorted(found.name for found in directory.iterdir())


def ended(world: World, exit_code: int = 0) -> Any:
    """Let the containers exit; returns the job's document."""
    for container in world.launcher.find({}):
        world.launcher.kill(container.handle, exit_code)
    return world.run().document


def path_of(document: Any) -> str:
    return " ".join(entered["Status"] for entered in document["SecondaryStatusTransitions"])


def test_every_epoch_has_a_pipe_and_the_next_is_there_before_the_last_ends(
    world: World, aside: Callable[..., Any]
) -> None:
    for key, body in {"in/b": LARGE, "in/a": b"first", "in/c/": b"", "in/d": b""}.items():
        world.objects.put_bytes(BUCKET, key, body)
    directory = running(world, pipe("train", "in/"))
    assert names(directory) == ["train_0", "train_1"]

    def epoch(number: int) -> bytes:
        with (directory / f"train_{number}").open("rb") as reader:
            content = reader.read()
            assert (directory / f"train_{number + 1}").is_fifo()
            return content

    for number in range(4):
        assert aside(epoch, number) == b"first" + LARGE
    assert names(directory) == ["train_4", "train_5"]
    document = ended(world)
    assert path_of(document) == "Starting Training Uploading Completed"
    assert list(world.root.glob("jobs/*/*/*")) == []


def test_a_reader_that_has_enough_goes_on_with_the_next_epoch(
    world: World, aside: Callable[..., Any]
) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    directory = running(world, pipe("train", "in/"))

    def begins(number: int) -> bytes:
        with (directory / f"train_{number}").open("rb", buffering=0) as reader:
            return reader.read(10)

    for number in range(5):
        assert aside(begins, number) == LARGE[:10]
    for number in range(5, 100):
        aside((directory / f"train_{number}").open, "rb").close()
    assert aside((directory / "train_100").read_bytes) == LARGE
    assert ended(world)["TrainingJobStatus"] == "Completed"


def test_a_slow_reader_gets_everything(world: World, aside: Callable[..., Any]) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    directory = running(world, pipe("train", "in/"))

    def slowly() -> bytes:
        blocks = []
        with (directory / "train_0").open("rb", buffering=0) as reader:
            while block := reader.read(100_000):
                blocks.append(block)
                threading.Event().wait(0.005)
        return b"".join(blocks)

    assert aside(slowly) == LARGE


def test_a_file_system_that_cannot_splice_is_read(
    world: World, aside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("emulator.reconcile.fifos.os.splice", refuses)
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    directory = running(world, pipe("train", "in/"))
    assert aside((directory / "train_0").read_bytes) == LARGE


def test_a_pipe_that_nobody_opens_costs_the_job_nothing(world: World) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    running(world, pipe("train", "in/"), pipe("test", "in/"))
    assert len(feeding()) == 2
    assert ended(world)["TrainingJobStatus"] == "Completed"
    assert feeding() == []


def test_a_full_pipe_does_not_hold_up_a_stop(world: World, aside: Callable[..., Any]) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    directory = running(world, pipe("train", "in/"))
    with aside((directory / "train_0").open, "rb") as reader:
        assert reader.read(1) == LARGE[:1]
        world.stop()
        assert world.run().phase == "Stopped"
        assert feeding() == []


def test_channels_are_fed_side_by_side_and_file_channels_as_ever(
    world: World, aside: Callable[..., Any]
) -> None:
    for name in ("a", "b", "c"):
        world.objects.put_bytes(BUCKET, f"{name}/x", name.encode() * 2_000_000)
    directory = running(
        world,
        {**channel("file", "c/"), "InputMode": "File"},
        channel("one", "a/"),
        channel("two", "b/"),
        channel("model", "c/"),
        AlgorithmSpecification={"TrainingImage": "trainer", "TrainingInputMode": "Pipe"},
    )
    with (
        aside((directory / "one_0").open, "rb") as one,
        aside((directory / "two_0").open, "rb") as two,
    ):
        for _ in range(4):
            assert aside(one.read, 500_000) == b"a" * 500_000
            assert aside(two.read, 500_000) == b"b" * 500_000
    for name in ("file", "model"):
        assert (directory / name / "x").read_bytes() == b"c" * 2_000_000
    assert path_of(ended(world)) == "Starting Downloading Training Uploading Completed"


def test_hosts_share_what_is_sharded(world: World, aside: Callable[..., Any]) -> None:
    for number in range(7):
        world.objects.put_bytes(BUCKET, f"in/{number}", b"%d" % number)
    sharded = pipe("train", "in/", ShuffleConfig={"Seed": 3})
    sharded["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
    pair = {"InstanceType": "ml.m5.large", "InstanceCount": 2}
    running(world, sharded, ResourceConfig=pair)
    shares = []
    for epoch in range(3):
        first, second = (
            aside((data(world, host) / f"train_{epoch}").read_bytes)
            for host in ("algo-1", "algo-2")
        )
        assert sorted(first + second) == sorted(b"0123456")
        assert len(first) == 4
        shares.append(frozenset(first))
    assert len(set(shares)) > 1


def test_what_cannot_be_fed_fails_the_job_and_looks_like_no_end(
    world: World, aside: Callable[..., Any]
) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    world.objects.put_bytes(BUCKET, "in/b", b"gone soon")
    directory = running(world, pipe("train", "in/"))
    with aside((directory / "train_0").open, "rb") as reader:
        assert aside(reader.read, 10) == LARGE[:10]
        world.objects.delete(BUCKET, "in/b")
        assert aside(reader.read, len(LARGE) - 10) == LARGE[10:]
        assert world.woken.wait(WITHIN)
        waiting = select.poll()
        waiting.register(reader, select.POLLIN)
        assert waiting.poll(0) == []
        document = world.run().document
        assert aside(reader.read) == b""
    assert document["FailureReason"] == (
        f"ClientError: Data download failed:The S3 object 's3://{BUCKET}/in/b' does not exist"
    )
    assert path_of(document) == "Starting Training Uploading Failed"
    assert world.model() == ["algo-1"]
    assert world.launcher.find({}) == []
    assert list(world.root.glob("jobs/*/*/*")) == []


def test_an_object_that_was_replaced_is_read_anew(world: World, aside: Callable[..., Any]) -> None:
    world.objects.put_bytes(BUCKET, "in/a", b"old")
    directory = running(world, pipe("train", "in/"))
    assert aside((directory / "train_0").read_bytes) == b"old"
    world.objects.put_bytes(BUCKET, "in/a", b"new one")
    assert aside((directory / "train_1").read_bytes) == b"new one"


@pytest.mark.parametrize(
    "body, data_type, reason",
    [
        (b"{", "ManifestFile", "'s3://bucket/manifest' is not a valid manifest file"),
        (
            json.dumps([{"prefix": "s3://bucket/in/"}, "a", "b"]).encode(),
            "ManifestFile",
            "The S3 object 's3://bucket/in/b' does not exist",
        ),
        (
            b'{"x-ref": "s3://bucket/in/a"}\n{"x-ref": "s3://bucket/in/b"}\n',
            "AugmentedManifestFile",
            "The S3 object 's3://bucket/in/b' does not exist, on line 2 of the augmented manifest"
            " 's3://bucket/manifest'",
        ),
        (
            b'{"x-ref": "s3://bucket/in/a"}\nno json\n',
            "AugmentedManifestFile",
            "There is no JSON object on line 2 of the augmented manifest 's3://bucket/manifest'",
        ),
    ],
)
def test_a_bad_manifest_fails_the_job_before_a_container_starts(
    world: World, body: bytes, data_type: str, reason: str
) -> None:
    world.objects.put_bytes(BUCKET, "in/a", b"1")
    world.objects.put_bytes(BUCKET, "manifest", body)
    listed = pipe("train", "manifest")
    listed["DataSource"]["S3DataSource"] |= {"S3DataType": data_type, "AttributeNames": ["x-ref"]}
    world.create(FOREVER, InputDataConfig=[pipe("other", "in/"), listed])
    document = world.run().document
    assert document["FailureReason"] == f"ClientError: Data download failed:{reason}"
    assert world.launcher.started == []
    assert list(world.root.glob("jobs/*/*/*")) == []
    assert feeding() == []


def test_lines_without_the_attributes_are_told_in_the_log(
    world: World, aside: Callable[..., Any]
) -> None:
    world.objects.put_bytes(BUCKET, "manifest", b'{"a": 1, "b": 2}\n{"a": 3}\n\n{"a": 4, "b": [5]}')
    listed = pipe("train", "manifest")
    listed["DataSource"]["S3DataSource"] |= {
        "S3DataType": "AugmentedManifestFile",
        "AttributeNames": ["b", "a"],
    }
    directory = running(world, listed)
    assert aside((directory / "train_0").read_bytes) == b"21[5]4"
    assert (directory / "train-manifest").read_bytes().startswith(b'{"a": 1')
    ended(world)
    assert world.written.texts()[0][0] == (
        "[sagemaker-emulator] WARNING: 1 of 3 lines of s3://bucket/manifest lack an attribute of"
        " b, a and are left out."
    )


@pytest.mark.parametrize("exits", [False, True], ids=["goes on", "has exited"])
def test_a_job_whose_feeding_emulator_was_killed_fails(world: World, exits: bool) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    running(world, pipe("train", "in/"))
    world.restart()
    if exits:
        for container in world.launcher.find({}):
            world.launcher.kill(container.handle, 0)
    document = world.run().document
    assert document["TrainingJobStatus"] == "Failed"
    assert document["FailureReason"].startswith(
        "InternalServerError: We encountered an internal error - Platform Error: SageMaker pipe"
        " channel timed out. The emulator was killed while"
    )
    assert world.model() == ["algo-1"]
    assert world.launcher.find({}) == []


@pytest.mark.parametrize("after, hosts", [(False, 1), (True, 2)], ids=["before", "after"])
def test_a_crash_at_any_step_never_completes_a_job_that_read_less(
    tmp_path: Path, after: bool, hosts: int
) -> None:
    for step in range(MOST_PASSES):
        world = World(tmp_path / str(step))
        world.objects.put_bytes(BUCKET, "in/a", b"1")
        world.create(
            Behaviour(run_for=0.05, effect=writes),
            InputDataConfig=[pipe("t", "in/")],
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": hosts},
        )
        world.fuse.set(step, after=after)
        while_training = crashed = False
        try:
            while Phase(world.record().phase) not in (Phase.COMPLETED, Phase.FAILED):
                try:
                    world.look()
                except Crash:
                    crashed = True
                    started = bool(world.launcher.started)
                    while_training = started and world.record().phase == "Training"
                    world.restart()
            ends = "Failed" if while_training else "Completed"
            assert world.record().phase == ends, step
            world.fuse.out()
            world.run()
            assert world.launcher.find({}) == []
            assert list(world.root.glob("jobs/*/*/*")) == []
            if not crashed:
                assert step > 6, "the job does more than this to the world"
                return
        finally:
            world.close()
    raise AssertionError("the fuse never outlasted the job")


def test_a_container_cannot_lead_the_emulator_to_other_files(
    world: World, aside: Callable[..., Any], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"untouched")
    world.objects.put_bytes(BUCKET, "in/a", b"data")
    directory = running(world, pipe("train", "in/"))
    for number in (2, 3):
        (directory / f"train_{number}").symlink_to(outside)
    assert aside((directory / "train_0").read_bytes) == b"data"
    assert (directory / "train_2").is_fifo()
    kept = directory / "kept"
    os.link(directory / "train_1", kept)
    (directory / "train_1").unlink()
    (directory / "train_1").symlink_to(outside)
    assert aside(kept.read_bytes) == b"data"
    assert ended(world)["TrainingJobStatus"] == "Completed"
    assert outside.read_bytes() == b"untouched"


def test_an_interrupted_job_says_so(world: World) -> None:
    world.objects.put_bytes(BUCKET, "in/a", LARGE)
    running(world, pipe("train", "in/"))
    world.jobs.interrupt(world.record(), grace=1.0)
    assert feeding() == []
    world.restart()
    assert (
        world.run()
        .document["FailureReason"]
        .startswith("InternalServerError: The emulator was stopped while")
    )
    assert world.record().name == NAME

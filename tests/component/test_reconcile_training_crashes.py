"""A training job over crashes at every step: whatever died in between, the job ends the same.

A crash is an exception at the n-th thing that the reconciler does to the world, before or after it
is done; then a new reconciler takes over from what is on disk and on the engine, as after a kill.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
from training_world import BUCKET, MOST_PASSES, NAME, Crash, World, channel, fails, writes

from emulator.call import Record
from emulator.launch.fake import Behaviour


@dataclass(frozen=True)
class Case:
    """A job and how it ends.

    Attributes:
        stopped_in: the phase in which a client stops it.
    """

    behaviour: Behaviour
    phase: str
    path: str
    model: tuple[str, ...] = ("algo-1",)
    reason: str | None = None
    hosts: int = 1
    stopped_in: str = ""


WARNING = "The image is not quite that."
LINES = ("one v=1;", "two v=2;")
CASES = {
    "completes": Case(
        Behaviour(output=LINES, effect=writes),
        "Completed",
        "Starting Downloading Training Uploading Completed",
    ),
    "fails": Case(
        Behaviour(output=LINES, effect=fails, exit_code=3),
        "Failed",
        "Starting Downloading Training Uploading Failed",
        reason="AlgorithmError: broken, exit code: 3",
    ),
    "is stopped": Case(
        Behaviour(run_for=None, output=LINES, effect=writes),
        "Stopped",
        "Starting Downloading Training Stopping Uploading Stopped",
        stopped_in="Training",
    ),
    "has two hosts": Case(
        Behaviour(output=LINES, effect=writes),
        "Completed",
        "Starting Downloading Training Uploading Completed",
        model=("algo-1", "algo-2"),
        hosts=2,
    ),
}


def begin(world: World, case: Case) -> None:
    world.warnings = (WARNING,)
    world.objects.put_bytes(BUCKET, "in/a", b"1")
    world.objects.put_bytes(BUCKET, "in/b/c", b"2")
    world.objects.put_bytes(BUCKET, "ck/old", b"from before")
    world.create(
        case.behaviour,
        InputDataConfig=[channel("train", "in/")],
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck", "LocalPath": "/opt/ml/checkpoints"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": case.hosts},
    )


def live(world: World, case: Case) -> Record:
    """Bring the job to its end, over a crash if the fuse is set."""
    requested = False
    for _ in range(MOST_PASSES):
        try:
            if case.stopped_in and not requested and _launched(world.record(), case.stopped_in):
                requested = True
                world.stop()
            delay = world.look()
        except Crash:
            world.restart()
            continue
        if delay is None:
            return world.record()
        if delay and not case.stopped_in:
            for container in world.launcher.find({}):
                world.launcher.wait(container.handle, 1.0)
    raise AssertionError(f"still in {world.record().phase} after {MOST_PASSES} passes")


def _launched(record: Record, phase: str) -> bool:
    return record.phase == phase and bool(record.document["Emulator"].get("Launched"))


def as_ever(world: World, case: Case, record: Record) -> None:
    """Assert that the job ended as if nothing had happened."""
    assert record.phase == case.phase
    transitions = record.document["SecondaryStatusTransitions"]
    assert " ".join(found["Status"] for found in transitions) == case.path
    assert record.document.get("FailureReason") == case.reason
    assert world.model() == sorted(case.model)
    assert world.objects.object_exists(BUCKET, f"out/{NAME}/output/output.tar.gz")
    assert world.objects.read_bytes(BUCKET, "ck/epoch-1") == b"state"
    assert world.objects.object_exists(BUCKET, "ck/old")
    said = [f"[sagemaker-emulator] WARNING: {WARNING}", *LINES]
    assert world.written.texts() == [said] * case.hosts
    assert sorted(spec.hostname for spec in world.launcher.started) == sorted(
        f"algo-{number}" for number in range(1, case.hosts + 1)
    )
    assert world.launcher.find({}) == []
    assert list(world.root.glob("jobs/*/*/*")) == []


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_changes_nothing_in_the_end(
    tmp_path: Path, case: Case, after: bool
) -> None:
    for step in range(MOST_PASSES):
        world = World(tmp_path / str(step))
        try:
            begin(world, case)
            world.fuse.set(step, after=after)
            record = live(world, case)
            as_ever(world, case, record)
            if world.fuse.left >= 0:
                assert step > 8, "the job does more than this to the world"
                return
        finally:
            world.close()
    raise AssertionError("the fuse never outlasted the job")

"""The emulator dies at each step of an instance's life; the next one makes good of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from notebook_world import NAME, SCOPE, SERVES, World

from emulator.kinds import NOTEBOOK_INSTANCE
from emulator.launch.fake import Behaviour
from emulator.lifecycle.notebook_instance import Event

MOST_STEPS = 30
FAILS = Behaviour(exit_code=66, output=("failure\tno such host",))


def _stop(world: World) -> None:
    world.ask(Event.STOP_REQUESTED)


def _start_again(world: World) -> None:
    world.stop()
    world.ask(Event.START_REQUESTED)


def _delete(world: World) -> None:
    world.stop()
    world.ask(Event.DELETE_REQUESTED)


def _update(world: World) -> None:
    world.stop()
    world.ask(Event.UPDATE_REQUESTED)


def _die(world: World) -> None:
    world.launcher.kill(world.launcher.find({})[0].handle)


@dataclass(frozen=True)
class Case:
    """What is done to a settled instance, and what must come of it whatever happens meanwhile."""

    phase: str
    containers: int
    least: int
    behaviour: Behaviour = SERVES
    then: Callable[[World], None] | None = None
    starts: int = 1


CASES = {
    "created": Case("InService", 1, least=3),
    "failing": Case("Failed", 0, least=3, behaviour=FAILS, starts=0),
    "stopped": Case("Stopped", 0, least=3, then=_stop),
    "started again": Case("InService", 1, least=3, then=_start_again, starts=2),
    "dying": Case("Failed", 0, least=2, then=_die),
    "updated": Case("Stopped", 0, least=1, then=_update),
    "deleted": Case("gone", 0, least=1, then=_delete, starts=0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_changes_nothing_in_the_end(
    tmp_path: Path, case: Case, after: bool
) -> None:
    for step in range(MOST_STEPS):
        world = World(tmp_path / str(step), case.behaviour)
        try:
            world.create(AcceleratorTypes=["ml.eia1.medium"])
            if case.then:
                world.settle()
                case.then(world)
            world.fuse.set(step, after=after)
            as_ever(world, case)
            if world.fuse.left >= 0:
                assert step >= case.least, "the reconciler does more than this to the world"
                return
        finally:
            world.close()
    raise AssertionError("the fuse never outlasted the instance")


def as_ever(world: World, case: Case) -> None:
    """Let the instance settle and assert that it ended as if nothing had happened."""
    phase = world.settle()
    while phase != "gone" and phase != case.phase:
        phase = world.settle()
    assert phase == case.phase
    assert len(world.launcher.find({})) == case.containers
    assert len(world.devices()) == case.containers
    assert len(world.starts()) == case.starts
    record = world.store.find(NOTEBOOK_INSTANCE, SCOPE, NAME)
    if record is None:
        assert not world.folder.exists()
        return
    assert ("Url" in record.document) == (case.phase == "InService")
    assert ("start" in record.document["Emulator"]) == (case.phase == "InService")
    assert ("FailureReason" in record.document) == (case.phase == "Failed")

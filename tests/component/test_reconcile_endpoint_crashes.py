"""An endpoint over crashes at every step: whatever died in between, it ends the same.

A crash is an exception at the n-th thing that the reconciler does to the world, before or after it
is done; then a new reconciler takes over from what is in the store, on disk and on the engine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from endpoint_world import NAME, SCOPE, World, store_model

from emulator.kinds import ENDPOINT
from emulator.storage import Storage

MOST_STEPS = 40
PING_FAILED = "did not pass the ping health check. Please check CloudWatch logs for this endpoint."


@dataclass(frozen=True)
class Case:
    """What happens to an endpoint, and what is there in the end.

    Attributes:
        image, instances: what it is created with.
        then: what a client asks for once it is settled; None for nothing more.
        containers: generation and number of each container.
        staged: generations whose models are on disk.
        least: how often the reconciler changes the world at least, over the part with the crash.
    """

    phase: str
    containers: tuple[tuple[str, str], ...] = ()
    staged: tuple[str, ...] = ()
    image: str = "serves"
    instances: int = 1
    then: Callable[[World], None] | None = None
    config: str = "config"
    reason: str = ""
    least: int = 2


CASES = {
    "created": Case("InService", (("1", "0"), ("1", "1")), ("1",), instances=2, least=3),
    "created in vain": Case("Failed", image="dies", reason=PING_FAILED, least=3),
    "updated": Case(
        "InService",
        (("2", "0"), ("2", "1")),
        ("2",),
        then=lambda world: world.update(instances=2),
        config="next",
        least=3,
    ),
    "updated in vain": Case(
        "InService",
        (("1", "0"),),
        ("1",),
        then=lambda world: world.update("dies"),
        reason=PING_FAILED,
        least=3,
    ),
    "made larger": Case(
        "InService",
        (("1", "0"), ("1", "1"), ("1", "2")),
        ("1",),
        then=lambda world: world.resize(3),
        least=3,
    ),
    "made smaller": Case(
        "InService",
        (("1", "0"),),
        ("1",),
        instances=3,
        then=lambda world: world.resize(1),
        least=1,
    ),
    "deleted": Case("gone", instances=2, then=World.delete, least=1),
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage(tmp_path_factory.mktemp("storage"))
    store_model(made)
    yield made
    made.close()


def as_ever(world: World, case: Case, phase: str) -> None:
    """Assert that the endpoint ended as if nothing had happened."""
    assert phase == case.phase
    world.until(lambda: world.running() == list(case.containers), passes=phase != "gone")
    world.until(lambda: world.staged() == list(case.staged), passes=phase != "gone")
    serving = case.phase == "InService"
    assert world.reached() == (world.addresses() if serving else [])
    record = world.store.find(ENDPOINT, SCOPE, NAME)
    if record is None:
        assert case.phase == "gone"
        return
    assert case.reason in record.document.get("FailureReason", "")
    assert ("FailureReason" in record.document) == bool(case.reason)
    assert record.document["EndpointConfigName"] == case.config
    assert "target" not in record.document["Emulator"]
    if serving:
        [variant] = record.document["ProductionVariants"]
        assert variant["CurrentInstanceCount"] == len(case.containers)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_changes_nothing_in_the_end(
    tmp_path: Path, storage: Storage, case: Case, after: bool
) -> None:
    for step in range(MOST_STEPS):
        world = World(tmp_path / str(step), storage)
        try:
            world.create(case.image, case.instances)
            if case.then:
                world.settle()
                case.then(world)
            world.fuse.set(step, after=after)
            phase = world.settle()
            as_ever(world, case, phase)
            if world.fuse.left >= 0:
                assert step >= case.least, "the reconciler does more than this to the world"
                return
        finally:
            world.close()
    raise AssertionError("the fuse never outlasted the endpoint")

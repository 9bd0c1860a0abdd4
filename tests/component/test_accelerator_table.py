"""Every case of the rule of accelerators, as an endpoint on scripted containers shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import endpoint_world
import pytest
from endpoint_world import SERVES, World

from emulator.accelerators import Accelerators, Device
from emulator.accelerators.types import LOCAL
from emulator.launch.fake import Behaviour
from emulator.reconcile import labels
from emulator.reconcile.acceleration import TAG
from emulator.storage import Storage

CAPABLE = Behaviour(
    run_for=None,
    output=SERVES.output,
    handler=SERVES.handler,
    labels={labels.ACCELERATOR_FRAMEWORK: "mxnet"},
)


MEDIUM, LARGE, XLARGE = "ml.eia1.medium", "ml.eia1.large", "ml.eia2.xlarge"
CPU, NOTHING = "cpu", ""
UNABLE = "the image declares no framework that can use an accelerator"
HELD = "was first used by tensorflow and can't be used by mxnet"
SMALL = f"no attached accelerator holds it (attached: {MEDIUM})"
NONE = "no accelerator is attached"


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        attached: type of the accelerator, empty for none.
        user: framework that has used it first, empty for none.
        image: ``capable`` of MXNet on accelerators, or just ``serves``.
        fallback: the setting.
        serves: type of the accelerator that serves, ``cpu``, or empty for a failure.
        reason: what the logs say, or FailureReason.
    """

    asked: str
    attached: str
    user: str
    image: str
    fallback: str
    serves: str
    reason: str


CASES = [
    Case(LARGE, "", "", "capable", "cpu", CPU, NONE),
    Case(LARGE, "", "", "capable", "never", NOTHING, NONE),
    Case(LARGE, "", "", "serves", "cpu", CPU, UNABLE),
    Case(LARGE, "", "", "serves", "never", NOTHING, UNABLE),
    Case(LARGE, LARGE, "", "capable", "cpu", LARGE, f"is {LARGE} attached to emulator"),
    Case(LARGE, LARGE, "", "capable", "never", LARGE, f"is {LARGE} attached to emulator"),
    Case(LARGE, LARGE, "mxnet", "capable", "cpu", LARGE, f"is {LARGE} attached to emulator"),
    Case(LARGE, LARGE, "mxnet", "capable", "never", LARGE, f"is {LARGE} attached to emulator"),
    Case(LARGE, LARGE, "tensorflow", "capable", "cpu", NOTHING, HELD),
    Case(LARGE, LARGE, "tensorflow", "capable", "never", NOTHING, HELD),
    Case(LARGE, LARGE, "tensorflow", "serves", "cpu", CPU, UNABLE),
    Case(LARGE, LARGE, "", "serves", "never", NOTHING, UNABLE),
    Case(LARGE, XLARGE, "", "capable", "cpu", XLARGE, f"is {XLARGE}, which holds {LARGE},"),
    Case(LARGE, MEDIUM, "", "capable", "cpu", CPU, SMALL),
    Case(LARGE, MEDIUM, "", "capable", "never", NOTHING, SMALL),
    Case(LARGE, MEDIUM, "tensorflow", "capable", "cpu", CPU, SMALL),
    Case(LARGE, MEDIUM, "tensorflow", "capable", "never", NOTHING, SMALL),
    Case(LOCAL, "", "", "capable", "cpu", CPU, NONE),
    Case(LOCAL, "", "", "capable", "never", NOTHING, NONE),
    Case(LOCAL, MEDIUM, "", "capable", "cpu", MEDIUM, f"is {MEDIUM} attached to emulator"),
    Case(LOCAL, MEDIUM, "mxnet", "capable", "never", MEDIUM, f"is {MEDIUM} attached to emulator"),
    Case(LOCAL, MEDIUM, "tensorflow", "capable", "cpu", NOTHING, HELD),
    Case(LOCAL, MEDIUM, "tensorflow", "capable", "never", NOTHING, HELD),
    Case(LOCAL, MEDIUM, "", "serves", "cpu", CPU, UNABLE),
    Case(LOCAL, MEDIUM, "", "serves", "never", NOTHING, UNABLE),
]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage(tmp_path_factory.mktemp("storage"))
    endpoint_world.store_model(made)
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, storage: Storage) -> Iterator[World]:
    made = World(tmp_path, storage)
    made.launcher.images["capable"] = CAPABLE
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_client_logs_tags_and_metrics_say_what_serves(world: World, case: Case) -> None:
    devices = [Device("emulator/0", case.attached)] if case.attached else []
    accelerators = Accelerators(devices, cpu_allowed=case.fallback == "cpu")
    if case.user:
        accelerators.acquire(case.attached, case.user, "an earlier endpoint")
    world.accelerators = lambda: accelerators
    world.restart()
    world.create(case.image, AcceleratorType=case.asked)

    assert world.settle() == ("InService" if case.serves else "Failed")

    if not case.serves:
        assert case.reason in world.record().document["FailureReason"]
        assert world.launcher.started == []
        assert world.store.tags(world.record().arn) == {}
        return
    world.until(lambda: world.written.texts() != [[]], passes=False)
    first = world.written.texts()[0][0]
    assert case.reason in first
    assert ("WARNING" in first) == (case.serves == CPU)
    used = CPU if case.serves == CPU else f"{case.serves} at emulator"
    assert world.store.tags(world.record().arn) == {f"{TAG}V1": f"{case.asked} = {used}"}
    assert world.written.metrics == [0.0 if case.serves == CPU else 1.0]

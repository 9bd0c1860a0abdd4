"""Endpoints with an `AcceleratorType`: what runs, and what client, logs, tags and metrics say."""

import logging
from collections.abc import Iterator
from pathlib import Path

import endpoint_world
import pytest
from endpoint_world import SERVES, World

from emulator.accelerators import Accelerators, Device
from emulator.accelerators.types import GIB, LOCAL
from emulator.errors import TemporaryError
from emulator.launch.contract.limits import Limits
from emulator.launch.fake import Behaviour
from emulator.reconcile import labels
from emulator.reconcile.acceleration import TAG
from emulator.storage import Storage

MEDIUM, LARGE = "ml.eia1.medium", "ml.eia1.large"
MARK = "[sagemaker-emulator] "
CAPABLE = Behaviour(
    run_for=None,
    output=SERVES.output,
    handler=SERVES.handler,
    labels={labels.ACCELERATOR_FRAMEWORK: "mxnet"},
)
NO_CAPACITY = "Unable to provision requested ML compute capacity due to InsufficientInstanceCap"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage(tmp_path_factory.mktemp("storage"))
    endpoint_world.store_model(made)
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, storage: Storage) -> Iterator[World]:
    made = World(tmp_path, storage)
    made.launcher.images |= {"capable": CAPABLE}
    yield made
    made.close()


def attached(
    world: World, *types: str, cpu_allowed: bool = True, claimed: str = "", backing: str = "cpu"
) -> Accelerators:
    """Attach accelerators of these types, the first of them claimed by a framework."""
    devices = [Device(f"emulator/{n}", kind, backing) for n, kind in enumerate(types)]
    made = Accelerators(devices, cpu_allowed=cpu_allowed)
    if claimed:
        made.readopt(types[0], "emulator/0", claimed, "an earlier endpoint")
    world.accelerators = lambda: made
    world.restart()
    return made


def said(world: World) -> list[str]:
    """Return the first line of the one instance's log stream."""
    world.until(lambda: len(world.written.texts()[0]) > 1, passes=False)
    return world.written.texts()[0][:-1]


def tag(world: World) -> str | None:
    return world.store.tags(world.record().arn).get(f"{TAG}V1")


USED = (
    f"AcceleratorType {MEDIUM} is {MEDIUM} attached to emulator: the CPU computes, with 1 GB of"
    " memory for each container."
)


@pytest.mark.parametrize(
    "types, image, line, told, value, memory",
    [
        ([MEDIUM], "capable", USED, f"{MEDIUM} = {MEDIUM} at emulator", 1.0, 1 * GIB),
        (
            [],
            "capable",
            f"WARNING: AcceleratorType {MEDIUM} runs on the CPU: no accelerator is attached.",
            f"{MEDIUM} = cpu",
            0.0,
            None,
        ),
        (
            [MEDIUM],
            "serves",
            f"WARNING: AcceleratorType {MEDIUM} runs on the CPU: the image declares no framework"
            " that can use an accelerator.",
            f"{MEDIUM} = cpu",
            0.0,
            None,
        ),
    ],
    ids=["attached", "nothing attached", "image not capable"],
)
def test_what_serves_is_told_by_log_tag_metric_and_the_emulator(
    world: World,
    caplog: pytest.LogCaptureFixture,
    types: list[str],
    image: str,
    line: str,
    told: str,
    value: float,
    memory: int | None,
) -> None:
    attached(world, *types)
    with caplog.at_level(logging.INFO, logger="emulator"):
        world.create(image, AcceleratorType=MEDIUM)
        assert world.settle() == "InService"
    [spec] = world.launcher.started
    assert spec.environment["SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT"] == "true"
    assert spec.environment["SAGEMAKER_EMULATOR_ACCELERATOR"] == "cpu"
    assert spec.memory_bytes == memory
    assert said(world) == [MARK + line]
    assert tag(world) == told
    assert world.written.metrics == [value]
    assert [text for text in caplog.messages if line.removeprefix("WARNING: ") in text]


@pytest.mark.parametrize(
    "types, claimed, image, reason",
    [
        ([], "", "capable", "no accelerator is attached"),
        ([MEDIUM], "", "capable", "no attached accelerator holds it (attached: ml.eia1.medium)"),
        ([LARGE], "", "serves", "the image declares no framework that can use an accelerator"),
        ([LARGE], "tensorflow", "capable", "was first used by tensorflow and can't be used by"),
    ],
    ids=["nothing attached", "too small", "image not capable", "another framework"],
)
def test_without_a_fallback_an_endpoint_fails_before_anything_runs(
    world: World, types: list[str], claimed: str, image: str, reason: str
) -> None:
    attached(world, *types, cpu_allowed=False, claimed=claimed)
    world.create(image, AcceleratorType=LARGE)
    assert world.settle() == "Failed"
    failure = world.record().document["FailureReason"]
    assert failure.startswith(NO_CAPACITY)
    assert reason in failure
    assert world.launcher.started == []
    assert tag(world) is None


def test_another_framework_is_refused_even_where_the_cpu_may_serve(world: World) -> None:
    attached(world, MEDIUM, claimed="tensorflow")
    world.create("capable", AcceleratorType=LOCAL)
    assert world.settle() == "Failed"
    assert "Restart the emulator to use it" in world.record().document["FailureReason"]


def test_an_endpoint_in_service_is_named_as_the_user_until_it_is_deleted(world: World) -> None:
    made = attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    [device] = made.report()["accelerators"]
    assert device["users"] == [f"{world.record().arn}, generation 1, variant V1"]
    world.delete()
    world.settle()
    [device] = made.report()["accelerators"]
    assert (device["framework"], device["users"]) == ("mxnet", [])


def test_an_update_to_a_configuration_without_accelerator_lets_go_of_it_and_its_tag(
    world: World,
) -> None:
    made = attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    assert tag(world)
    world.update()
    assert world.settle() == "InService"
    assert tag(world) is None
    assert made.report()["accelerators"][0]["users"] == []


def test_after_a_restart_the_claim_of_a_running_container_still_holds(world: World) -> None:
    attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    after = attached(world, MEDIUM)
    world.look()
    [device] = after.report()["accelerators"]
    assert device["framework"] == "mxnet"
    assert device["users"] == [f"{world.record().arn}, generation 1, variant V1"]
    assert world.store.tags(world.record().arn)[f"{TAG}V1"]


def test_an_adopted_container_keeps_its_limit_and_claims_no_other_accelerator(world: World) -> None:
    attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    other = Accelerators([Device("another", MEDIUM)])
    world.accelerators = lambda: other
    world.restart()
    world.look()
    assert other.report()["accelerators"][0]["framework"] is None
    attached(world, MEDIUM)
    world.look()
    world.launcher.starve(world.launcher.find({})[0].handle)
    world.look()
    assert [text for text in world.written.texts()[0] if "more than the 1 GB" in text]


def test_what_serves_after_a_restart_without_the_accelerator_is_told_anew(world: World) -> None:
    attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    world.endpoints.interrupt(world.record(), 0.0)
    after = attached(world)
    world.until(world.reached)
    assert tag(world) == f"{MEDIUM} = cpu"
    assert world.written.metrics == [1.0, 0.0]
    [shown] = after.report()["stand_ins"]
    assert shown["user"] == f"{world.record().arn}, generation 1, variant V1"


def test_after_a_restart_an_endpoint_waits_for_what_a_notebook_instance_brings_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    attached(world, MEDIUM)
    world.create("capable", AcceleratorType=LOCAL)
    world.settle()
    world.endpoints.interrupt(world.record(), 0.0)
    after = attached(world)
    device = Device("n/2", MEDIUM, host="notebook-instance/n")
    after.expect("n", [device])
    world.until(lambda: [text for text in caplog.messages if "notebook-instance/n starts" in text])
    assert len(world.launcher.started) == 1
    after.attach(device)
    after.expect_no_more("n")
    world.until(world.reached)
    assert world.launcher.started[1].labels[labels.ACCELERATOR] == "n/2"
    assert world.written.metrics == [1.0, 1.0]


def test_a_new_endpoint_waits_as_well(world: World) -> None:
    attached(world).expect("n", [Device("n/1", MEDIUM)])
    world.create("capable", AcceleratorType=MEDIUM)
    with pytest.raises(TemporaryError, match="starts again"):
        world.settle()
    assert world.record().phase == "Creating"
    assert world.launcher.started == []


def test_a_container_started_after_its_accelerator_went_away_gets_another(world: World) -> None:
    made = attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    made.detach("emulator/0")
    made.attach(Device("n/2", MEDIUM, host="notebook-instance/n"))
    world.launcher.kill(world.launcher.find({})[0].handle)
    world.until(lambda: len(world.launcher.started) == 2)
    assert world.launcher.started[1].labels[labels.ACCELERATOR] == "n/2"
    assert tag(world) == f"{MEDIUM} = {MEDIUM} at notebook-instance/n"


def test_a_container_on_the_cpu_is_shown_by_the_emulator_that_takes_over(world: World) -> None:
    attached(world)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    after = attached(world)
    world.look()
    [shown] = after.report()["stand_ins"]
    assert shown["reason"].startswith(f"AcceleratorType {MEDIUM} runs on the CPU")
    assert tag(world) == f"{MEDIUM} = cpu"


def test_the_lesser_of_two_memory_limits_counts(world: World) -> None:
    world.limits = Limits(memory_bytes=GIB // 2)
    attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    assert world.launcher.started[0].memory_bytes == GIB // 2


@pytest.mark.parametrize("machine_has", [True, False])
def test_a_gpu_behind_an_accelerator_is_given_or_missed(world: World, machine_has: bool) -> None:
    world.launcher.gpus = machine_has
    attached(world, MEDIUM, backing="gpu:0")
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    [spec] = world.launcher.started
    assert spec.gpus == machine_has
    backing = "gpu:0" if machine_has else "cpu"
    assert spec.environment["SAGEMAKER_EMULATOR_ACCELERATOR"] == backing
    assert ("the CPU computes." in said(world)[0]) != machine_has


def test_a_container_killed_for_memory_while_it_starts_fails_the_endpoint(world: World) -> None:
    starved = Behaviour(run_for=0.0, oom=True, labels=CAPABLE.labels)
    world.launcher.images["starved"] = starved
    attached(world, MEDIUM)
    world.create("starved", AcceleratorType=MEDIUM)
    assert world.settle() == "Failed"
    failure = world.record().document["FailureReason"]
    assert failure.startswith("The primary container for production variant V1 did not pass")
    assert "more than the 1 GB of memory that ml.eia1.medium has" in failure


def test_a_process_killed_for_memory_in_service_is_told_once(world: World) -> None:
    attached(world, MEDIUM)
    world.create("capable", AcceleratorType=MEDIUM)
    world.settle()
    world.launcher.starve(world.launcher.find({})[0].handle)
    world.look()
    world.look()
    lines = [text for text in world.written.texts()[0] if "A process was killed" in text]
    assert len(lines) == 1
    assert lines[0].startswith(f"{MARK}WARNING: ")
    assert "1 GB" in lines[0]


def test_nothing_of_it_is_said_of_a_variant_without_accelerator(world: World) -> None:
    attached(world, MEDIUM)
    world.create("capable")
    world.settle()
    assert tag(world) is None
    assert world.written.metrics == []
    assert "SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT" not in world.launcher.started[0].environment

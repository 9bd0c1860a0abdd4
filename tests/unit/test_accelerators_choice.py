"""The one rule of accelerators: every row of its table."""

from dataclasses import dataclass

import pytest

from emulator.accelerators import (
    Accelerators,
    Choice,
    Device,
    NoAccelerator,
    NotYetAttached,
    declared,
)
from emulator.accelerators.choice import choose
from emulator.accelerators.registry import MOST_USERS
from emulator.accelerators.types import GIB, LOCAL, SIZES
from emulator.protocol import model

HELD = "first used by tensorflow and can't be used by mxnet"


@dataclass(frozen=True)
class Row:
    """One row of the table in docs/accelerators.md.

    Attributes:
        attached: type of the accelerator, empty for none.
        holder: framework that has claimed it.
        cpu: the CPU may stand in.
        image: the framework of the image's library; empty if it has none.
        serves: type of the accelerator that serves, ``cpu``, or empty for a refusal.
        says: part of the sentence in the logs and, for a refusal, in FailureReason.
    """

    asked: str
    attached: str
    holder: str
    cpu: bool
    image: str
    serves: str
    says: str


MEDIUM, LARGE = "ml.eia1.medium", "ml.eia2.xlarge"
ROWS = [
    # Nothing is attached.
    Row(MEDIUM, "", "", True, "mxnet", "cpu", "no accelerator is attached"),
    Row(MEDIUM, "", "", False, "mxnet", "", "no accelerator is attached"),
    Row(LOCAL, "", "", True, "mxnet", "cpu", "no accelerator is attached"),
    Row(LOCAL, "", "", False, "mxnet", "", "no accelerator is attached"),
    # One that fits, and that nobody or the same framework has claimed.
    Row(MEDIUM, MEDIUM, "", True, "mxnet", MEDIUM, "attached to emulator"),
    Row(MEDIUM, MEDIUM, "", False, "mxnet", MEDIUM, "attached to emulator"),
    Row(MEDIUM, MEDIUM, "mxnet", True, "mxnet", MEDIUM, "attached to emulator"),
    Row(MEDIUM, MEDIUM, "mxnet", False, "mxnet", MEDIUM, "attached to emulator"),
    Row(MEDIUM, LARGE, "", True, "mxnet", LARGE, "which holds ml.eia1.medium"),
    Row(LOCAL, MEDIUM, "", True, "mxnet", MEDIUM, "attached to emulator"),
    Row(LOCAL, MEDIUM, "mxnet", False, "mxnet", MEDIUM, "attached to emulator"),
    # One that fits, and that another framework has claimed: refused, whatever the fallback.
    Row(MEDIUM, MEDIUM, "tensorflow", True, "mxnet", "", HELD),
    Row(MEDIUM, MEDIUM, "tensorflow", False, "mxnet", "", HELD),
    Row(LOCAL, MEDIUM, "tensorflow", True, "mxnet", "", HELD),
    Row(LOCAL, MEDIUM, "tensorflow", False, "mxnet", "", HELD),
    # One that is too small, whoever has claimed it.
    Row(LARGE, MEDIUM, "", True, "mxnet", "cpu", "no attached accelerator holds it"),
    Row(LARGE, MEDIUM, "", False, "mxnet", "", "no attached accelerator holds it"),
    Row(LARGE, MEDIUM, "tensorflow", True, "mxnet", "cpu", "no attached accelerator holds it"),
    Row(LARGE, MEDIUM, "tensorflow", False, "mxnet", "", "no attached accelerator holds it"),
    # An image that can't use one.
    Row(MEDIUM, MEDIUM, "", True, "", "cpu", "declares no framework"),
    Row(MEDIUM, MEDIUM, "", False, "", "", "declares no framework"),
    Row(MEDIUM, "", "", True, "", "cpu", "declares no framework"),
    Row(MEDIUM, "", "", False, "", "", "declares no framework"),
    Row(LOCAL, MEDIUM, "tensorflow", True, "", "cpu", "declares no framework"),
    Row(LOCAL, MEDIUM, "tensorflow", False, "", "", "declares no framework"),
    # No type at all: the API refuses it; a container of local mode may ask.
    Row("ml.eia3.medium", MEDIUM, "", True, "mxnet", "cpu", "is no type of accelerator"),
    Row("ml.eia3.medium", MEDIUM, "", False, "mxnet", "", "is no type of accelerator"),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_of_the_table_is_decided_so(row: Row) -> None:
    devices = [Device("emulator/0", row.attached)] if row.attached else []
    claims = {"emulator/0": row.holder} if row.holder else {}

    def decide() -> Choice:
        return choose(row.asked, row.image, devices, claims, cpu_allowed=row.cpu)

    if not row.serves:
        with pytest.raises(NoAccelerator, match=row.says):
            decide()
        return
    choice = decide()
    assert (choice.device.type if choice.device else "cpu") == row.serves
    assert row.says in choice.reason
    assert row.asked in choice.reason


def test_the_smallest_that_fits_serves_and_a_larger_one_where_it_is_claimed() -> None:
    devices = [Device("a", "ml.eia2.xlarge"), Device("b", MEDIUM), Device("c", "ml.eia1.large")]
    claims: dict[str, str] = {}
    found = []
    for _ in devices:
        device = choose(MEDIUM, "mxnet", devices, claims, cpu_allowed=False).device
        assert device is not None
        found.append(device.id)
        claims[device.id] = "tensorflow"
    assert found == ["b", "c", "a"]


def test_throughput_counts_besides_memory() -> None:
    # ml.eia2.medium has the memory of ml.eia1.large and half of its speed.
    choice = choose("ml.eia1.large", "mxnet", [Device("a", "ml.eia2.medium")], {}, cpu_allowed=True)
    assert choice.device is None


def test_the_notebook_instances_accelerator_comes_before_the_emulators() -> None:
    devices = [
        Device("emulator/0", MEDIUM),
        Device("n", "ml.eia2.xlarge", host="notebook-instance/n"),
    ]
    local = choose(LOCAL, "mxnet", devices, {}, cpu_allowed=True)
    other = choose(MEDIUM, "mxnet", devices, {}, cpu_allowed=True)
    assert local.device == devices[1]
    assert local.memory_bytes == 8 * GIB
    assert other.device == devices[0]


def test_the_limit_is_the_memory_of_the_type_that_was_asked_for() -> None:
    choice = choose(MEDIUM, "mxnet", [Device("a", LARGE)], {}, cpu_allowed=True)
    assert choice.memory_bytes == 1 * GIB
    assert choose(MEDIUM, "mxnet", [], {}, cpu_allowed=True).memory_bytes is None


@pytest.mark.parametrize(
    "host, way_out",
    [
        ("emulator", "Restart the emulator to use it"),
        ("notebook-instance/n", "Stop and start the notebook instance, or create a new one, to"),
    ],
)
def test_a_refusal_says_what_frees_the_accelerator(host: str, way_out: str) -> None:
    with pytest.raises(NoAccelerator, match=way_out):
        choose(LOCAL, "mxnet", [Device("a", MEDIUM, host=host)], {"a": "tf"}, cpu_allowed=True)


def test_the_types_are_those_of_the_model() -> None:
    shapes = model.sagemaker().shapes
    for shape in ("ProductionVariantAcceleratorType", "NotebookInstanceAcceleratorType"):
        assert set(SIZES) == set(shapes[shape]["enum"])


def test_settings_declare_accelerators_in_their_order() -> None:
    assert declared("", 1.0) == []
    assert declared("ml.eia1.medium,ml.eia2.large=gpu:1,ml.eia1.large=cpu", 1.0) == [
        Device("emulator/0", "ml.eia1.medium", "cpu", "emulator", 1.0),
        Device("emulator/1", "ml.eia2.large", "gpu:1", "emulator", 1.0),
        Device("emulator/2", "ml.eia1.large", "cpu", "emulator", 1.0),
    ]


def test_the_first_framework_keeps_an_accelerator_until_its_host_starts_again() -> None:
    accelerators = Accelerators([Device("n/1", MEDIUM, host="notebook-instance/n")])
    accelerators.acquire(LOCAL, "mxnet", "first")
    accelerators.release("first")
    with pytest.raises(NoAccelerator, match="first used by mxnet"):
        accelerators.acquire(LOCAL, "tensorflow", "second")
    [shown] = accelerators.report()["accelerators"]
    assert (shown["framework"], shown["users"]) == ("mxnet", [])

    accelerators.detach("n/1")
    accelerators.attach(Device("n/2", MEDIUM, host="notebook-instance/n"))
    assert accelerators.acquire(LOCAL, "tensorflow", "second").device is not None
    [shown] = accelerators.report()["accelerators"]
    assert (shown["framework"], shown["users"]) == ("tensorflow", ["second"])


def test_a_claim_of_an_earlier_run_holds_before_its_accelerator_is_attached_again() -> None:
    accelerators = Accelerators()
    assert accelerators.readopt(MEDIUM, "n/1", "mxnet", "endpoint") is None
    accelerators.attach(Device("n/1", MEDIUM))
    choice = accelerators.readopt(MEDIUM, "n/1", "mxnet", "endpoint")
    assert choice == choose(MEDIUM, "mxnet", [Device("n/1", MEDIUM)], {}, cpu_allowed=True)
    with pytest.raises(NoAccelerator):
        accelerators.acquire(MEDIUM, "tensorflow", "other")


@pytest.mark.parametrize("cpu_allowed", [True, False])
def test_what_is_attached_again_soon_is_waited_for_by_whom_it_may_serve(cpu_allowed: bool) -> None:
    accelerators = Accelerators(cpu_allowed=cpu_allowed)
    accelerators.expect("n", [Device("n/1", MEDIUM, host="notebook-instance/n")])
    for asked in (LOCAL, MEDIUM):
        with pytest.raises(NotYetAttached, match=f"notebook-instance/n .* brings {MEDIUM}"):
            accelerators.acquire(asked, "mxnet", "first")
    accelerators.attach(Device("emulator/0", MEDIUM))
    assert accelerators.acquire(MEDIUM, "mxnet", "second").device is not None


@pytest.mark.parametrize("asked, framework", [(LARGE, "mxnet"), (LOCAL, "")])
def test_nobody_waits_for_what_would_not_serve(asked: str, framework: str) -> None:
    accelerators = Accelerators()
    accelerators.expect("n", [Device("n/1", MEDIUM)])
    assert accelerators.acquire(asked, framework, "first").device is None


def test_nobody_waits_any_longer_than_it_takes() -> None:
    accelerators = Accelerators()
    accelerators.expect("n", [Device("n/1", MEDIUM)])
    accelerators.expect_no_more("n")
    assert accelerators.acquire(LOCAL, "mxnet", "first").device is None


def test_who_is_on_the_cpu_is_shown_until_it_ends_or_gets_an_accelerator() -> None:
    accelerators = Accelerators()
    accelerators.acquire(MEDIUM, "mxnet", "first")
    accelerators.acquire(MEDIUM, "", "second")
    shown = accelerators.report()["stand_ins"]
    assert [(each["user"], each["reason"].partition(": ")[2]) for each in shown] == [
        ("first", "no accelerator is attached."),
        ("second", "the image declares no framework that can use an accelerator."),
    ]
    accelerators.release("second")
    accelerators.attach(Device("a", MEDIUM))
    accelerators.acquire(MEDIUM, "mxnet", "first")
    report = accelerators.report()
    assert (report["accelerators"][0]["users"], report["stand_ins"]) == (["first"], [])


def test_only_the_latest_users_are_remembered() -> None:
    accelerators = Accelerators()
    for number in range(MOST_USERS + 2):
        accelerators.acquire(LOCAL, "mxnet", f"user {number}")
    shown = [each["user"] for each in accelerators.report()["stand_ins"]]
    assert (len(shown), shown[0]) == (MOST_USERS, "user 2")
    accelerators.attach(Device("a", MEDIUM))
    for number in range(MOST_USERS + 2):
        accelerators.acquire(LOCAL, "mxnet", f"user {number}")
    [device] = accelerators.report()["accelerators"]
    assert (len(device["users"]), device["users"][0]) == (MOST_USERS, "user 2")


def test_a_reset_frees_what_is_attached() -> None:
    accelerators = Accelerators([Device("a", MEDIUM)])
    accelerators.acquire(MEDIUM, "mxnet", "first")
    accelerators.free()
    [shown] = accelerators.report()["accelerators"]
    assert (shown["framework"], shown["users"]) == (None, [])
    assert accelerators.acquire(MEDIUM, "tensorflow", "second").device is not None

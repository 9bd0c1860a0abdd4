"""docs/accelerators.md says what the rule and the sizes are."""

import re
from pathlib import Path

import pytest

from emulator.accelerators import Device, NoAccelerator
from emulator.accelerators.choice import choose
from emulator.accelerators.types import SIZES, readable
from emulator.reconcile import labels
from emulator.reconcile.acceleration import NAMESPACE, TAG

PAGE = (Path(__file__).parents[2] / "docs" / "accelerators.md").read_text("utf-8")
ATTACHED = {
    "one that fits": "ml.eia1.medium",
    "one that is too small": "ml.eia1.medium",
    "none": "",
}
CLAIMS = {"nobody, or the same framework": ["", "mxnet"], "another framework": ["tensorflow"]}
IMAGES = {"can use one": "mxnet", "can't use one": ""}
REFUSED_BEFORE = "refused by CreateEndpointConfig"


def rows(first: str) -> list[list[str]]:
    """Return the cells of the table whose header begins so."""
    table = PAGE[PAGE.index(first) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_sizes_are_those_of_the_types() -> None:
    told = {cells[0].strip("`"): (cells[1], int(cells[2])) for cells in rows("| type |")}
    assert told == {
        name: (readable(size.memory_bytes), size.f32_tflops) for name, size in SIZES.items()
    }


@pytest.mark.parametrize("row", rows("| attached | claimed by"), ids=" ".join)
def test_the_rule_decides_as_its_table_says(row: list[str]) -> None:
    attached, claimed, image, *outcomes = row
    if outcomes == [REFUSED_BEFORE] * 2:  # by the API: tests/contract/test_endpoint_configs.py
        return
    asked = "ml.eia2.xlarge" if attached == "one that is too small" else "ml.eia1.medium"
    kinds = [ATTACHED[attached]] if attached in ATTACHED else ["ml.eia1.medium", ""]
    for kind in kinds:
        devices = [Device("a", kind)] if kind else []
        for holder in CLAIMS.get(claimed, ["", "mxnet", "tensorflow"] if claimed else [""]):
            claims = {"a": holder} if holder and kind else {}
            for outcome, cpu in zip(outcomes, (True, False), strict=True):
                try:
                    chosen = choose(asked, IMAGES[image], devices, claims, cpu_allowed=cpu)
                    found = "the accelerator" if chosen.device else "the CPU"
                except NoAccelerator:
                    found = "refused"
                assert found == outcome, (kind, holder, cpu)


def test_names_are_those_of_the_code() -> None:
    assert f"`{labels.ACCELERATOR_FRAMEWORK}`" in PAGE
    assert f"tag `{TAG}VARIANT`" in PAGE
    assert f"of `{NAMESPACE}`" in PAGE
    assert re.search(r"`--attach-accelerator ml\.eia2\.large=gpu:0`", PAGE)

"""The clients page names every variable that `env` sets, and undoes them all."""

import re
from pathlib import Path

import pytest

from emulator.cli.clients import variables
from emulator.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
ROWS = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| `.*$", PAGE, re.MULTILINE))))
UNDONE = set(re.findall(r"[A-Z0-9_]{5,}", PAGE.partition("\nunset ")[2].partition("```")[0]))
CHOSEN = variables(Settings(), {"HTTP_PROXY": "http://proxy"})
WRITTEN = variables(Settings(), {}, as_written=True)


@pytest.mark.parametrize("name", sorted(name for name, value in CHOSEN.items() if value))
def test_a_variable_that_is_set_has_its_row(name: str) -> None:
    assert name in ROWS


@pytest.mark.parametrize("name", sorted(name for name, value in CHOSEN.items() if not value))
def test_a_variable_that_is_unset_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_line_that_undoes_it_has_all_but_the_exceptions_of_a_proxy() -> None:
    made = {name for name, value in (CHOSEN | WRITTEN).items() if value}
    assert made - {"NO_PROXY", "no_proxy"} == UNDONE


def test_the_pins_are_those_that_are_tested() -> None:
    locks = {
        "sagemaker==1.72.1": "images/sagemaker-sdk/1.72.1/requirements.lock",
        "sagemaker==2.257.7": "images/sagemaker-sdk/2.257.7/requirements.lock",
        "sagemaker==3.27.0": "tests/sdk/requirements/v3.lock",
    }
    for pin, lock in locks.items():
        assert pin in PAGE
        assert pin in (Path(__file__).parents[2] / lock).read_text()

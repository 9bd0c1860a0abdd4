"""docs/cli.md is the help of every command."""

import re
from pathlib import Path

import pytest

from emulator.cli import reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
COMMANDS = ("up", "env", "images list", "images build", "images tag", "doctor")


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.commands_page(), (
        "run python -m emulator.cli.reference docs"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_other_tools_rely_on_has_a_section(command: str) -> None:
    titles = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert f"sagemaker-emulator {command}" in titles


def test_the_page_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("EMULATOR_PORT", "1")
    assert PAGE.read_text(encoding="utf-8") == reference.commands_page()

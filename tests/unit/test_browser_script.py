"""How scripts/browser.py finds a browser; nothing is ever installed here."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from scripts_of_tree import load


@pytest.fixture(scope="module")
def browser() -> ModuleType:
    return load("browser")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Make a command; there is no other on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return make


@pytest.mark.parametrize(
    "commands, missing",
    [
        ({}, ["chromium", "chromedriver"]),
        ({"chromium": "echo Chromium 1"}, ["chromedriver"]),
        ({"chromium": "echo Chromium 1", "chromedriver": "exit 1"}, ["chromedriver"]),
        ({"chromium": "echo Chromium 1", "chromedriver": "true"}, ["chromedriver"]),
        ({"chromium": "echo Chromium 1", "chromedriver": "echo ChromeDriver 1"}, []),
    ],
)
def test_what_answers_is_found(
    browser: ModuleType,
    command: Callable[[str, str], None],
    commands: dict[str, str],
    missing: list[str],
) -> None:
    for name, script in commands.items():
        command(name, script)

    assert browser.missing() == missing


def test_what_answers_is_not_installed(
    browser: ModuleType, command: Callable[[str, str], None]
) -> None:
    command("chromium", "echo Chromium 1")
    command("chromedriver", "echo ChromeDriver 1")

    assert browser.provide() == ["Chromium 1", "ChromeDriver 1"]


def test_elsewhere_than_on_debian_it_says_what_is_missing(
    browser: ModuleType, command: Callable[[str, str], None]
) -> None:
    with pytest.raises(browser.Refused, match="chromium and chromedriver"):
        browser.provide()


def test_an_ordinary_user_is_told_what_to_install(
    browser: ModuleType, command: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    command("apt-get", "exit 1")
    monkeypatch.setattr(browser.os, "geteuid", lambda: 1000)

    with pytest.raises(browser.Refused, match="sudo apt-get install chromium chromium-driver"):
        browser.provide()

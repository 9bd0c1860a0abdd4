"""`sagemaker-emulator doctor`: what is wrong, and the mend."""

import os
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import doctor
from emulator.cli.claim import claimed
from emulator.cli.doctor import Finding
from emulator.cli.main import commands
from emulator.settings import Settings

Usage = namedtuple("Usage", "total used free")
LOCAL_MODE = ["docker command", "compose", "image names", "way to it", "serving port", "this shell"]


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point everything that looks for an engine at a socket that is not there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on, without ever answering."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def in_state(path: Path) -> Settings:
    return replace(Settings(), state=path)


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_the_mend_is_told_and_the_exit_code_is_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands, ["doctor", "--port", "0", "--state", str(tmp_path)])
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].startswith("✗ engine  ")
    assert lines[1].split() == ["mend:", "make", "engine"]
    assert [line[2:].partition("  ")[0] for line in lines if line[0] in "✓✗!"] == [
        "engine",
        "images",
        "port",
        "disk",
        "state",
        *LOCAL_MODE,
    ]


@pytest.mark.usefixtures("no_engine")
def test_every_failure_comes_with_a_mend(tmp_path: Path) -> None:
    for check in (doctor.check_engine, doctor.check_images):
        found = check(in_state(tmp_path))
        assert not found.ok
        assert found.required
        assert "make engine" in found.mend


@pytest.mark.parametrize(
    "findings, code",
    [
        ([Finding("a", True, "fine")], 0),
        ([Finding("a", False, "not best", "better it", required=False)], 0),
        ([Finding("a", False, "broken", "mend it")], 1),
        ([Finding("a", False, "broken", "mend it"), Finding("b", True, "fine")], 1),
    ],
)
def test_only_what_is_required_decides_the_exit_code(
    findings: list[Finding], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = tuple(lambda _, found=found: found for found in findings)
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert CliRunner().invoke(commands, ["doctor"]).exit_code == code


def test_a_taken_port_is_wrong_and_a_free_one_is_not(taken: int, monkeypatch) -> None:
    monkeypatch.setattr("emulator.cli.ports._ANSWER_SECONDS", 0.05)
    found = doctor.check_port(replace(Settings(), port=taken))
    assert (found.ok, found.required) == (False, True)
    assert "--port" in found.mend
    assert doctor.check_port(replace(Settings(), port=0)).ok


@pytest.mark.parametrize(
    "free, ok, required",
    [(6 * 10**9, True, False), (2 * 10**9, False, False), (10**8, False, True)],
)
def test_little_room_is_a_hint_and_none_is_wrong(
    free: int, ok: bool, required: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, free))
    found = doctor.check_disk(in_state(tmp_path / "absent" / "state"))
    assert (found.ok, found.required) == (ok, required)
    assert str(tmp_path) in found.text


def test_a_state_directory_that_can_be_made_is_fine_and_is_not_made(tmp_path: Path) -> None:
    assert doctor.check_state(in_state(tmp_path / "a" / "b")).ok
    assert list(tmp_path.iterdir()) == []


def test_a_state_directory_in_use_names_the_pid(tmp_path: Path) -> None:
    with claimed(tmp_path):
        assert f"pid {os.getpid()}" in doctor.check_state(in_state(tmp_path)).text


def test_a_state_directory_below_a_file_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = doctor.check_state(in_state(tmp_path / "file" / "state"))
    assert not found.ok
    assert "--state DIR" in found.mend

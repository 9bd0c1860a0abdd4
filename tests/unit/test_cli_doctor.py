"""`sagemaker-emulator doctor`: what is wrong, and the mend."""

import os
import shutil
import socket
import sys
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.catalogue import build
from emulator.catalogue.build import ImageState
from emulator.cli import doctor, mends
from emulator.cli.claim import claimed
from emulator.cli.doctor import Finding
from emulator.cli.main import commands
from emulator.launch.docker.engine import Engine
from emulator.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
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
    assert lines[1].split()[:2] == ["mend:", "start"]
    assert lines[1].endswith("or unset DOCKER_HOST to use one on this machine")
    assert [line[2:].partition("  ")[0] for line in lines if line[0] in "✓✗!"] == [
        "engine",
        "init",
        "images",
        "port",
        "disk",
        "state",
        *LOCAL_MODE,
    ]


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_only_the_engine_is_wanting(tmp_path: Path) -> None:
    settings = in_state(tmp_path)
    for check, required in ((doctor.check_engine, True), (doctor.check_images, False)):
        found = check(settings)
        assert (found.ok, found.required) == (False, required)
        assert "unset DOCKER_HOST" in found.mend


@pytest.mark.parametrize(
    "where, mend", [(ROOT, "make engine"), (ROOT / "docs", f"make -C {ROOT} engine")]
)
def test_in_a_checkout_the_mend_is_a_target_of_make(
    where: Path, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.chdir(where)
    assert mends.engine() == mend


@pytest.mark.parametrize(
    "program, called",
    [
        ("/nowhere/bin/sagemaker-emulator", "/nowhere/bin/sagemaker-emulator"),
        ("/a b/sagemaker-emulator", "'/a b/sagemaker-emulator'"),
        ("/a/emulator/cli/__main__.py", f"{sys.executable} -m emulator.cli"),
    ],
)
def test_a_mend_is_called_as_doctor_was(
    program: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "doctor"])
    assert mends.command() == called
    assert mends.images("chainer") == f"{called} images build chainer"


def test_a_mend_is_short_where_path_leads_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = Path(sys.executable).with_name("sagemaker-emulator")
    monkeypatch.setattr(sys, "argv", [str(beside), "doctor"])
    monkeypatch.setenv("PATH", str(beside.parent))
    assert mends.command() == "sagemaker-emulator"


def test_images_that_are_not_built_are_wanting_for_who_needs_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [ImageState("a", "a", "id", 1, True), ImageState("b:1", "b", None, 0, False)]
    monkeypatch.setattr(build, "listing", lambda: states)
    found = doctor.check_images(in_state(tmp_path))
    assert (found.ok, found.required) == (False, False)
    assert found.text == "not built: b:1; images of your own need none of them"
    assert found.mend == "sagemaker-emulator images build b:1"


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


DOCKER = {"Components": [{"Name": "Engine"}]}
PODMAN = {"Components": [{"Name": "Podman Engine"}]}


@pytest.mark.parametrize(
    "version, info, catatonit, ok, word",
    [
        (DOCKER, {"InitBinary": "docker-init", "InitCommit": {"ID": "de40ad0"}}, "", True, ""),
        (DOCKER, {"InitBinary": "docker-init", "InitCommit": {"ID": ""}}, "", True, ""),
        (DOCKER, {"InitBinary": "docker-init", "InitCommit": {"ID": "N/A"}}, "", False, "tini"),
        (PODMAN, {"InitBinary": ""}, "there", True, ""),
        (PODMAN, {"InitBinary": ""}, "", False, "catatonit"),
    ],
)
def test_an_engine_without_an_init_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: dict[str, Any],
    info: dict[str, Any],
    catatonit: str,
    ok: bool,
    word: str,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    answers = {"/version": version, "/info": info}
    monkeypatch.setattr(Engine, "get", lambda engine, path: answers[path])
    monkeypatch.setattr(doctor, "_CATATONIT", (tmp_path / "catatonit",))
    monkeypatch.setenv("PATH", str(tmp_path))
    if catatonit:
        (tmp_path / "catatonit").touch()
    finding = doctor.check_init(Settings())
    assert (finding.ok, finding.required) == (ok, False)
    assert ok or word in finding.mend

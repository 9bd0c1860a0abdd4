"""What `doctor` says of local mode: commands, names, the way to the emulator, port and shell."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emulator import clients
from emulator.catalogue import naming
from emulator.catalogue.naming import Standing
from emulator.cli import local_mode, ports
from emulator.cli.local_mode import CHECKS
from emulator.errors import PermanentError
from emulator.settings import Settings

URL = "http://10.231.0.1:4610"
SETTINGS = replace(Settings(), region="us-west-2")
Commands = Callable[..., None]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Have no other command on PATH than those made by this: name=shell script."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(**scripts: str) -> None:
        for name, script in scripts.items():
            file = tmp_path / name.replace("_", "-")
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)

    return make


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "health", lambda base: {"status": "ok", "url_for_containers": URL})


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "health", lambda base: None)


@pytest.mark.parametrize(
    "scripts, said",
    [
        ({}, "not on PATH"),
        ({"docker": "exit 1"}, "it finds no engine"),
    ],
)
def test_a_docker_command_that_is_no_use_is_told(
    commands: Commands, scripts: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    commands(**scripts)
    found = local_mode.check_docker(SETTINGS)
    assert (found.ok, found.required, found.text) == (False, False, said)
    assert found.mend.startswith("make ")


def test_a_docker_command_that_finds_an_engine_is_fine(commands: Commands) -> None:
    commands(docker="echo 28.2.2")
    found = local_mode.check_docker(SETTINGS)
    assert (found.ok, found.text) == (True, "finds the engine 28.2.2")


# What the SDKs' own detection takes.
PLUGIN = 'case "$2" in version) echo "Docker Compose version {}";; esac'


@pytest.mark.parametrize(
    "scripts, taken, ok",
    [
        ({}, "neither docker-compose nor docker's plugin", False),
        ({"docker": "exit 1"}, "neither docker-compose nor docker's plugin", False),
        ({"docker": "exit 1", "docker_compose": "exit 0"}, "SDK v1, v2, v3", True),
        ({"docker": PLUGIN.format("v2.29.7")}, "SDK v2, v3", False),
        ({"docker": PLUGIN.format("v5.0.0")}, "SDK v3", False),
        ({"docker": PLUGIN.format("1.0")}, "SDK of no version", False),
        ({"docker": PLUGIN.format("v5.0.0"), "docker_compose": "exit 0"}, "SDK v1, v2, v3", True),
    ],
)
def test_it_is_told_which_versions_of_the_sdk_take_this_compose(
    commands: Commands, scripts: dict[str, str], taken: str, ok: bool
) -> None:
    commands(**scripts)
    found = local_mode.check_compose(SETTINGS)
    assert found.ok == ok
    assert found.text.endswith(taken)
    assert ok or found.mend


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "standing, ok, said",
    [
        (Standing(2, (), (), frozenset({URL})), True, f"2 of us-west-2, and lead to {URL}"),
        (Standing(0, ("a", "b"), (), frozenset()), False, "no image has a name of us-west-2"),
        (Standing(1, ("b",), (), frozenset({URL})), False, "1 missing, 0 of images built anew"),
        (Standing(2, (), ("a",), frozenset({URL})), False, "0 missing, 1 of images built anew"),
        (Standing(2, (), (), frozenset({"http://x:1"})), False, f"lead to http://x:1, not {URL}"),
        (Standing(2, (), (), frozenset()), False, f"lead to no emulator, not {URL}"),
    ],
)
def test_names_must_be_there_and_lead_to_the_running_emulator(
    standing: Standing, ok: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "standing", lambda region: standing)
    found = local_mode.check_names(SETTINGS)
    assert found.ok == ok
    assert said in found.text
    assert ok or found.mend == "sagemaker-emulator images tag --region us-west-2"


@pytest.mark.usefixtures("stopped")
def test_without_an_emulator_names_need_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "standing", lambda region: Standing(2, (), (), frozenset()))
    assert local_mode.check_names(SETTINGS).text == "2 of us-west-2; no emulator runs"
    assert local_mode.check_way(SETTINGS).text == "not checked: no emulator runs"


def test_without_an_engine_the_mend_is_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(region: str) -> Standing:
        raise PermanentError("No container engine answers.")

    monkeypatch.setattr(naming, "standing", fail)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert local_mode.check_names(replace(SETTINGS, port=0)).mend == "make engine"


@pytest.mark.parametrize(
    "url, answering, ok",
    [
        (URL, True, True),
        (URL, False, False),
        ("http://host.docker.internal:4610", False, True),
    ],
)
def test_the_emulator_must_answer_where_containers_look(
    url: str, answering: bool, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def health(base: str) -> dict[str, str] | None:
        return None if base == url and not answering else {"url_for_containers": url}

    monkeypatch.setattr(ports, "health", health)
    found = local_mode.check_way(SETTINGS)
    assert found.ok == ok
    assert ok or "firewall" in found.mend


def test_a_taken_serving_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(local_mode, "_SERVING_PORT", port)
        found = local_mode.check_serving_port(SETTINGS)
        assert (found.ok, found.text) == (False, f"{port} is taken")
    assert local_mode.check_serving_port(SETTINGS).ok


@pytest.mark.parametrize(
    "variables, said",
    [
        ({}, "clients are not pointed at the emulator"),
        ({"AWS_ENDPOINT_URL": URL}, "the SDKs would call the STS of AWS itself"),
        ({"AWS_ENDPOINT_URL": URL, "PYTHONPATH": f"/mine{os.pathsep}{clients.SHIM}"}, ""),
        ({"AWS_ENDPOINT_URL": URL, "HTTPS_PROXY": "http://127.0.0.1:4611"}, ""),
    ],
)
def test_a_shell_must_be_pointed_at_the_emulator(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "PYTHONPATH", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = local_mode.check_shell(SETTINGS)
    assert found.ok == (not said)
    assert said in found.text


@pytest.mark.usefixtures("stopped")
def test_local_mode_is_never_required(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    found = [check(SETTINGS) for check in CHECKS]
    assert not any(finding.required for finding in found if not finding.ok)
    assert all(finding.mend for finding in found if not finding.ok)

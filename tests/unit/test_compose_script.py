"""How scripts/compose.py finds docker-compose; nothing is ever installed here."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from scripts_of_tree import load


@pytest.fixture(scope="module")
def compose() -> ModuleType:
    return load("compose")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Make a command; there is no other on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return make


PLUGIN = 'test "$1" = compose && echo "Docker Compose version v2.29.7"'


@pytest.mark.parametrize(
    "commands, found, missing",
    [
        ({}, None, ["docker-compose", "docker"]),
        ({"docker": "exit 1"}, None, ["docker-compose"]),
        ({"docker": PLUGIN}, "docker compose", []),
        ({"docker-compose": "echo 1.29.2"}, "docker-compose", ["docker"]),
        ({"docker-compose": "echo 1.29.2", "docker": PLUGIN}, "docker-compose", []),
        ({"docker-compose": "exit 1", "docker": PLUGIN}, "docker compose", []),
    ],
)
def test_the_command_that_answers_is_found(
    compose: ModuleType,
    command: Callable[[str, str], None],
    commands: dict[str, str],
    found: str | None,
    missing: list[str],
) -> None:
    for name, script in commands.items():
        command(name, script)
    answered = compose.find()
    assert (answered and answered[0]) == found
    assert compose.missing() == missing


def test_what_is_there_is_not_installed_again(
    compose: ModuleType, command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("docker-compose", "echo docker-compose version 1.29.2")
    command("docker", "exit 1")
    command("apt-get", f"touch {tmp_path}/called")
    assert compose.provide() == ("docker-compose", "docker-compose version 1.29.2")
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "tools, user, said",
    [
        ([], 0, "only Debian's and Ubuntu's can be installed"),
        (["apt-get"], 1000, "sudo apt-get install docker-compose docker.io"),
    ],
)
def test_where_nothing_can_be_installed_the_message_says_what_to_do(
    compose: ModuleType,
    command: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    tools: list[str],
    user: int,
    said: str,
) -> None:
    for tool in tools:
        command(tool, "exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(compose.Refused, match=said):
        compose.provide()


def test_the_name_of_the_package_that_a_release_has_is_found(
    compose: ModuleType, command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("docker", "exit 1")
    # Stands for apt-get of a release that knows the second name only.
    command(
        "apt-get",
        'for last; do :; done; test "$1" = update && exit 0\n'
        'test "$last" = docker-compose-v2 || exit 100\n'
        f"echo '#!/bin/sh' > {tmp_path}/docker-compose; "
        f"echo 'echo 2' >> {tmp_path}/docker-compose; /bin/chmod 755 {tmp_path}/docker-compose",
    )
    compose.install(["docker-compose"])
    assert compose.find() == ("docker-compose", "2")


def test_a_package_that_cannot_be_had_is_told_with_apts_words(
    compose: ModuleType, command: Callable[[str, str], None]
) -> None:
    command("apt-get", 'test "$1" = update && exit 0; echo Unable to locate; exit 100')
    with pytest.raises(compose.Refused, match="Unable to locate"):
        compose.install(["docker-compose"])

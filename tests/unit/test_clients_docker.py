"""The wrapper of docker that `env` puts on PATH: ECR's registries end here, all else passes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from emulator import clients
from emulator.cli.clients import variables
from emulator.settings import Settings

REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
MINE = f"{REGISTRY}/team/mine"
# Stands for the real docker: notes how it was called, and has one image and one more tag of it.
REAL = f"""#!/bin/sh
printf '%s\\n' "$*" >> "$(dirname "$0")/calls"
case "$*" in
*"image inspect {MINE}:v1" | *"image inspect {MINE}" | *"image inspect sha256:01") exit 0 ;;
*"image inspect "*) exit 1 ;;
*"image ls --quiet {MINE}") echo 0123456789ab ;;
*"image ls --quiet"*) [ ! -e "$(dirname "$0")/down" ] || {{ echo "no engine" >&2; exit 3; }} ;;
*) echo "the real docker"; exit 42 ;;
esac
"""


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Return the folder of a docker that stands for the real one."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "docker").write_text(REAL)
    (folder / "docker").chmod(0o755)
    return folder


def run(real: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Call docker as a shell does after `env`."""
    path = f"{real}{os.pathsep}{os.environ['PATH']}"
    chosen = variables(Settings(), {"PATH": path})["PATH"]
    return subprocess.run(
        ["/bin/sh", "-c", 'docker "$@"', "sh", *arguments],
        env={"PATH": str(chosen)},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def calls(real: Path) -> list[str]:
    noted = real / "calls"
    return noted.read_text().splitlines() if noted.exists() else []


@pytest.mark.parametrize(
    "arguments",
    [
        ("login", "--username", "AWS", "--password-stdin", REGISTRY),
        ("login", "-u", "AWS", "--password-stdin", f"https://{REGISTRY}"),
        ("login", "-u", "AWS", "-p", "token", "-e", "none", f"https://{REGISTRY}"),
        ("login", "--username=AWS", "--password=token", f"{REGISTRY}.cn"),
        ("--config", "/c", "login", REGISTRY, "-u", "AWS", "--password-stdin"),
    ],
)
def test_a_login_succeeds_and_asks_nobody(real: Path, arguments: tuple[str, ...]) -> None:
    done = run(real, *arguments, given="token" * 100_000)
    assert (done.returncode, done.stdout) == (0, "Login Succeeded\n")
    assert "no registry was asked" in done.stderr
    assert calls(real) == []
    assert run(real, "logout", REGISTRY).returncode == 0


@pytest.mark.parametrize(
    "arguments, asked",
    [
        (("push", f"{MINE}:v1"), f"image inspect {MINE}:v1"),
        (("push", "--quiet", MINE), f"image inspect {MINE}"),
        (("image", "push", f"{MINE}:v1"), f"image inspect {MINE}:v1"),
        (("push", "-a", MINE), f"image ls --quiet {MINE}"),
        (
            ("-H", "unix:///s", "--tls", "push", f"{MINE}:v1"),
            f"-H unix:///s --tls image inspect {MINE}:v1",
        ),
        (("pull", f"{MINE}@sha256:01"), "image inspect sha256:01"),
        (("pull", "--platform", "linux/amd64", f"{MINE}:v1"), f"image inspect {MINE}:v1"),
    ],
)
def test_an_image_that_the_engine_has_is_pushed_and_pulled_without_a_registry(
    real: Path, arguments: tuple[str, ...], asked: str
) -> None:
    done = run(real, *arguments)
    assert done.returncode == 0
    assert "is on this machine's engine" in done.stderr
    assert calls(real) == [asked]
    if "push" in arguments:
        assert done.stdout == f"The push refers to repository [{MINE}]\n"


@pytest.mark.parametrize("name", [f"{MINE}:v2", f"{REGISTRY}/other"])
def test_an_image_that_the_engine_lacks_is_not_pulled_and_the_real_docker_refuses_to_push_it(
    real: Path, name: str
) -> None:
    pulled = run(real, "pull", name)
    assert pulled.returncode == 1
    assert pulled.stderr.startswith(f"Error response from daemon: manifest for {name} not found\n")
    assert f"docker tag YOUR-IMAGE {name}" in pulled.stderr
    pushed = run(real, "push", name)
    assert (pushed.returncode, pushed.stdout) == (42, "the real docker\n")
    assert calls(real)[-1] == f"push {name}"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--version",),
        ("login",),
        ("login", "-u", "AWS", "-p", REGISTRY),
        ("login", "registry.example.org"),
        ("push", "registry.example.org/mine:v1"),
        ("push", f"registry.example.org/{REGISTRY}/mine:v1"),
        ("pull", "python:3.11"),
        ("pull", "public.ecr.aws/docker/library/python:3.11"),
        ("push", "--help", MINE),
        ("tag", "mine", f"{MINE}:v1"),
        ("build", "-t", f"{MINE}:v1", "a b", "c  d"),
        ("image", "rm", f"{MINE}:v1"),
        ("run", "--rm", f"{MINE}:v1", "push", MINE),
    ],
)
def test_everything_else_is_the_real_dockers(real: Path, arguments: tuple[str, ...]) -> None:
    done = run(real, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (42, "the real docker\n", "")
    assert calls(real) == [" ".join(arguments)]


@pytest.mark.parametrize("command", ["push", "pull"])
def test_an_engine_that_does_not_answer_is_the_error_and_not_a_missing_image(
    real: Path, command: str
) -> None:
    (real / "down").touch()
    done = run(real, command, f"{MINE}:v2")
    assert (done.returncode, done.stderr) == (1, "no engine\n")


def test_the_wrapper_comes_once_before_the_real_docker_and_not_without_one(real: Path) -> None:
    def path(before: str) -> str:
        return str(variables(Settings(), {"PATH": before})["PATH"])

    whole = f"{clients.WRAPPERS}:{real}:{clients.COMMANDS}"
    assert path(str(real)) == path(whole) == whole
    assert path("/nowhere") == f"/nowhere:{clients.COMMANDS}"
    assert path(f"{clients.WRAPPERS}:/nowhere") == f"/nowhere:{clients.COMMANDS}"
    alone = subprocess.run(
        [clients.WRAPPERS / "docker", "push", MINE],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (alone.returncode, "there is no docker on PATH" in alone.stderr) == (127, True)


def test_a_notebook_instance_has_the_wrapper_first_and_the_commands_last() -> None:
    dockerfile = Path(__file__).parents[2] / "images" / "notebook" / "Dockerfile"
    (line,) = (line for line in dockerfile.read_text().splitlines() if "ENV PATH=" in line)
    folders = line.removeprefix("ENV PATH=").removesuffix(" \\").split(":")
    copied = "/opt/sagemaker-emulator/clients"
    assert f"COPY clients {copied}" in dockerfile.read_text()
    assert folders[0] == f"{copied}/{clients.WRAPPERS.name}"
    assert folders[-1] == f"{copied}/{clients.COMMANDS.name}"


@pytest.mark.parametrize("folder", ["emulator", "sagemaker-emulator"])
def test_the_wrappers_of_two_installations_do_not_call_each_other(
    real: Path, tmp_path: Path, folder: str
) -> None:
    other = tmp_path / folder / "clients" / "wrappers"
    other.mkdir(parents=True)
    shutil.copy(clients.WRAPPERS / "docker", other)
    done = subprocess.run(
        [clients.WRAPPERS / "docker", "info"],
        env={"PATH": f"{clients.WRAPPERS}:{other}:{real}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, calls(real)) == (42, ["info"])

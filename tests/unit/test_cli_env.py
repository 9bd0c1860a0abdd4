"""`sagemaker-emulator env`: what points clients at the emulator."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator import clients
from emulator.cli.claim import claimed
from emulator.cli.clients import variables
from emulator.cli.main import commands
from emulator.settings import Settings


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(commands, ["env", *arguments], env=environ)


def evaluated(script: str, environ: dict[str, str]) -> dict[str, str]:
    """Return the environment of a shell that started with `environ` and ran the script."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'eval "$SCRIPT"; env -0'],
        env={"PATH": os.environ["PATH"], "SCRIPT": script, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_a_shell_that_evaluates_it_points_at_the_emulator_and_nowhere_else() -> None:
    stray = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "token",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
    }
    found = evaluated(run(**stray).stdout, stray)
    assert {key: value for key, value in found.items() if key.startswith("AWS_")} == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4610",
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DATA_PATH": str(clients.DATA),
    }
    assert found["PYTHONPATH"] == str(clients.SHIM)


def test_settings_choose_url_region_and_account() -> None:
    script = run("--port", "5000", "--region", "eu-west-1", EMULATOR_ACCOUNT="000000000001").stdout
    found = evaluated(script, {})
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5000"
    assert (found["AWS_REGION"], found["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")
    assert found["AWS_ACCESS_KEY_ID"] == "000000000001"


@pytest.mark.parametrize("region", ["it's", "a b", "$(false)", "`false`", 'quo"te', "a\nb"])
def test_values_survive_the_shell(region: str) -> None:
    assert evaluated(run("--region", region).stdout, {})["AWS_REGION"] == region


def test_an_override_of_a_service_that_is_not_emulated_is_left_alone() -> None:
    stray = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"}
    assert evaluated(run(**stray).stdout, stray)["AWS_ENDPOINT_URL_DYNAMODB"].endswith(":8000")


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "127.0.0.1"),
        ("example.org", "example.org,127.0.0.1"),
        ("127.0.0.1,example.org", "127.0.0.1,example.org"),
    ],
)
def test_a_proxy_is_passed_by(before: str, after: str) -> None:
    chosen = variables(Settings(), {"HTTP_PROXY": "http://proxy", "no_proxy": before})
    assert chosen["no_proxy"] == after


def test_without_a_proxy_its_exceptions_are_left_alone() -> None:
    assert not {"no_proxy", "NO_PROXY"} & set(variables(Settings(), {"no_proxy": "example.org"}))


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "{own}"),
        ("/a:/b", "{own}:/a:/b"),
        ("/a::/b", "{own}:/a::/b"),
        ("/a:{own}:/b", "{own}:/a:/b"),
        ("{own}", "{own}"),
    ],
)
@pytest.mark.parametrize(
    "name, own", [("PYTHONPATH", clients.SHIM), ("AWS_DATA_PATH", clients.DATA)]
)
def test_our_directory_comes_once_and_before_the_users(
    name: str, own: Path, before: str, after: str
) -> None:
    chosen = variables(Settings(), {name: before.format(own=own)})
    assert chosen[name] == after.format(own=own)


@pytest.mark.parametrize("before", ["/a:/b", "/a:{own}:/b", "/a:/b:{own}"])
def test_our_commands_come_once_and_after_the_users(before: str) -> None:
    chosen = variables(Settings(), {"PATH": before.format(own=clients.COMMANDS)})
    assert chosen["PATH"] == f"/a:/b:{clients.COMMANDS}"


def test_a_machine_without_a_gpu_has_the_command_that_says_so(tmp_path: Path) -> None:
    def called(path: str) -> int:
        chosen = variables(Settings(), {"PATH": path})
        return subprocess.run(
            ["nvidia-smi"], env={"PATH": str(chosen["PATH"])}, check=False, capture_output=True
        ).returncode

    assert called("/nowhere") == 9
    real = tmp_path / "nvidia-smi"
    real.write_text("#!/bin/sh\nexit 0\n")
    real.chmod(0o755)
    assert called(str(tmp_path)) == 0


@pytest.mark.parametrize("user, left", [("", None), (":/a", "/a")])
def test_as_written_takes_the_quick_waiters_back_and_nothing_else(
    user: str, left: str | None
) -> None:
    before = {"AWS_DATA_PATH": f"{clients.DATA}{user}"}
    quick = variables(Settings(), before)
    written = variables(Settings(), before, as_written=True)
    assert written == quick | {"AWS_DATA_PATH": left, clients.AS_WRITTEN: "1"}


def test_as_written_in_a_fresh_shell_sets_no_data_path() -> None:
    found = evaluated(run("--as-written").stdout, {})
    assert "AWS_DATA_PATH" not in found
    assert found[clients.AS_WRITTEN] == "1"


def test_without_the_flag_a_shell_becomes_quick_again() -> None:
    before = {clients.AS_WRITTEN: "1"}
    assert clients.AS_WRITTEN not in evaluated(run(**before).stdout, before)


def test_with_port_0_the_url_is_that_of_the_running_emulator(tmp_path: Path) -> None:
    settings = replace(Settings(), port=0, state=tmp_path)
    with claimed(tmp_path) as held:
        held.announce("http://127.0.0.1:5123")
        assert variables(settings, {})["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5123"


def test_with_port_0_and_no_emulator_it_fails_and_exports_nothing(tmp_path: Path) -> None:
    result = run("--port", "0", "--state", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "sagemaker-emulator up" in result.stderr

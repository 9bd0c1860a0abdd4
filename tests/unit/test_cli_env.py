"""`sagemaker-emulator env`: what points clients at the emulator."""

import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.session import Session
from click.testing import CliRunner, Result

from emulator import clients
from emulator.cli.claim import claimed
from emulator.cli.clients import variables
from emulator.cli.formats import FORMATS
from emulator.cli.main import commands
from emulator.services import SERVICES
from emulator.settings import Settings


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have what is written for clients in the test's own directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


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


def test_a_shell_that_evaluates_it_points_at_the_emulator_and_nowhere_else(cache: Path) -> None:
    stray = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "token",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
    }
    found = evaluated(run(**stray).stdout, stray)
    assert Path(found.pop("AWS_CONFIG_FILE")).is_relative_to(cache)
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


# Other formats.

HARD = ["it's", "a b", "$HOME", "`id`", 'quo"te', 'it\'s "both" $HOME', "back\\slash", "a\nb", "#"]


def read_dotenv(text: str) -> dict[str, str]:
    """Read a file of variables as python-dotenv, Compose and Node do."""
    found = {}
    pattern = r"""^(\w+)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\n]*))$"""
    for name, literal, escaped, plain in re.findall(pattern, text, flags=re.MULTILINE):
        for code, meant in (("\\n", "\n"), ('\\"', '"'), ("\\\\", "\\")):
            escaped = escaped.replace(code, meant)
        found[name] = literal or escaped or plain
    return found


def read_fish(text: str) -> dict[str, str]:
    """Read exports of fish: a single quote and a backslash alone are escaped in single quotes."""
    pattern = r"^set --global --export (\w+) '((?:[^'\\]|\\.)*)'$"
    found = re.findall(pattern, text, flags=re.MULTILINE)
    return {name: re.sub(r"\\(['\\])", r"\1", value) for name, value in found}


def read_powershell(text: str) -> dict[str, str]:
    """Read assignments of PowerShell: a single quote alone is doubled in single quotes."""
    found = re.findall(r"^\$Env:(\w+) = '((?:[^']|'')*)'$", text, flags=re.MULTILINE)
    return {name: value.replace("''", "'") for name, value in found}


@pytest.mark.parametrize(
    "form, read",
    [
        ("sh", lambda text: evaluated(text, {})),
        ("dotenv", read_dotenv),
        ("fish", read_fish),
        ("powershell", read_powershell),
        ("json", json.loads),
    ],
)
@pytest.mark.parametrize("value", HARD)
def test_a_value_survives_every_format(form: str, read, value: str) -> None:
    found = read(FORMATS[form]({"FIRST": "1", "HARD": value, "GONE": None, "LAST": "/a:/b"}))
    expected = {"FIRST": "1", "HARD": value, "LAST": "/a:/b"}
    assert {name: found.get(name) for name in expected} == expected
    assert found.get("GONE") is None


@pytest.mark.parametrize(
    "form, line",
    [
        ("sh", "unset AWS_PROFILE"),
        ("fish", "set --erase AWS_PROFILE"),
        ("powershell", "Remove-Item Env:AWS_PROFILE -ErrorAction Ignore"),
        ("dotenv", "# AWS_PROFILE must not be set"),
        ("json", '  "AWS_PROFILE": null,'),
    ],
)
def test_every_format_says_what_must_not_be_set(form: str, line: str) -> None:
    assert line in run("--format", form).stdout.splitlines()


# The AWS configuration.


def region_of(environ: dict[str, str]) -> str:
    done = subprocess.run(
        ["aws", "configure", "get", "region"],
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_command_line_of_aws_gets_the_region_that_env_chose(tmp_path: Path) -> None:
    found = evaluated(run("--region", "eu-west-1").stdout, {"HOME": str(tmp_path)})
    assert region_of({"AWS_CONFIG_FILE": found["AWS_CONFIG_FILE"]}) == "eu-west-1"


def test_every_choice_has_a_configuration_of_its_own_that_is_written_anew_when_changed() -> None:
    def file(region: str) -> Path:
        return Path(evaluated(run("--region", region).stdout, {})["AWS_CONFIG_FILE"])

    west, east = file("eu-west-1"), file("us-east-1")
    assert west != east
    east.write_text("[default]\nregion = somewhere\n")
    assert file("us-east-1") == east
    assert "region = us-east-1" in east.read_text()
    assert set(east.parent.iterdir()) == {east, west}


def test_the_profile_leads_a_users_own_configuration_to_the_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "config"
    own.write_text("[default]\nregion = ap-south-1\n\n")
    profile = run("--format", "aws-config", "--port", "5000", "--region", "eu-west-1").stdout
    with own.open("a") as file:
        file.write(profile)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(own))
    assert Session().get_config_variable("region") == "ap-south-1"
    chosen = Session(profile="sagemaker-emulator")
    client = chosen.create_client("sagemaker")
    assert client.meta.endpoint_url == "http://127.0.0.1:5000"
    assert client.meta.region_name == "eu-west-1"
    assert chosen.get_credentials().access_key == Settings().account


def test_where_nothing_can_be_written_the_rest_is_printed_and_that_is_told(cache: Path) -> None:
    cache.write_text("a file in place of the directory")
    result = run()
    assert result.exit_code == 0
    assert "AWS_CONFIG_FILE" not in result.stdout
    assert "export AWS_ENDPOINT_URL=" in result.stdout
    assert "`aws configure get region`" in result.stderr


# Whether anybody is there.


def test_a_shell_is_told_when_nobody_listens_and_pointed_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        assert run("--port", port).stderr == ""
    result = run("--port", port)
    assert result.exit_code == 0
    assert result.stderr == (
        f"Nobody listens at http://127.0.0.1:{port} yet: start it with `sagemaker-emulator up`.\n"
    )
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in result.stdout


def test_no_service_of_the_emulator_is_left_to_another_endpoint() -> None:
    packages = ["cloudwatch" if name == "monitoring" else name for name in SERVICES]
    models = [Session().get_service_model(name) for name in (*packages, "sagemaker")]
    elsewhere = {
        f"AWS_ENDPOINT_URL_{model.service_id.replace(' ', '_').upper()}": "https://elsewhere"
        for model in models
    }
    chosen = variables(Settings(), elsewhere)
    assert [name for name in elsewhere if chosen.get(name, "") is not None] == []

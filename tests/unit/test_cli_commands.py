"""The command line as a whole: flags from the table, errors in one sentence, quick help."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

import emulator
from emulator import settings
from emulator.cli.main import commands
from emulator.cli.up import up

HEAVY = ("boto3", "botocore", "docker", "flask", "granian", "moto", "rich", "requests")


def test_up_has_the_flag_of_every_setting() -> None:
    flags = {flag for parameter in up.params for flag in parameter.opts}
    assert {row.flag for row in settings.table()} <= flags


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(commands, ["--version"])
    assert result.output.split()[-1] == emulator.__version__


@pytest.mark.parametrize(
    "arguments, environ, sentence",
    [
        (["env", "--port", "x"], {}, "--port=x: a port lies between 0 and 65535."),
        (["env"], {"EMULATOR_PORT": "x"}, "EMULATOR_PORT=x: a port lies between 0 and 65535."),
        (["env"], {"EMULATOR_PROT": "1"}, "EMULATOR_PROT: no such setting."),
        (["up", "--stop-grace", "-1"], {}, "--stop-grace=-1: give a whole number"),
        (["nonsense"], {}, "No such command"),
    ],
)
def test_a_wrong_usage_is_told_in_a_sentence(
    arguments: list[str], environ: dict[str, str], sentence: str
) -> None:
    result = CliRunner().invoke(commands, arguments, env=environ)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["env"]])
def test_a_quick_command_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import atexit, sys
from emulator.cli.main import main
heavy = lambda: sys.stderr.write(repr(sorted(set({HEAVY}) & set(sys.modules))))
atexit.register(heavy)
sys.argv = ["sagemaker-emulator", *{arguments}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.endswith("[]")  # `env` also says that nobody listens

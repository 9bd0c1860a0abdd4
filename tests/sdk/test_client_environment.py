"""What `env` prints is all that the three versions of the SageMaker Python SDK need."""

import ast
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from environments import Shell, interpreter
from outside import Outside

from emulator.clients.shim.sitecustomize import ADAPTED
from tests.system.running_emulator import ACCOUNT, REGION, Emulator

pytestmark = pytest.mark.docker
Shells = Callable[..., Shell]
VERSIONS = ("v1", "v2", "v3")
SESSION = """
try:
    from sagemaker import Session, get_execution_role
except ImportError:
    from sagemaker.core.helper.session_helper import Session, get_execution_role
"""
PACE = """
import json, boto3, importlib, time
name = "sagemaker.core.helper.session_helper" if {v3} else "sagemaker.session"
waiter = boto3.client("sagemaker").get_waiter("training_job_completed_or_stopped")
print(json.dumps([importlib.import_module(name).time is time, waiter.config.delay]))
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_role_bucket_and_upload_work_and_nothing_goes_to_aws(
    version: str, shell: Shells, emulator: Emulator
) -> None:
    opened = shell(version)
    (opened.home / "data.csv").write_text("1,2\n")
    script = SESSION + (
        "session = Session()\n"
        "uploaded = session.upload_data('data.csv', key_prefix='uploads')\n"
        "print(get_execution_role(), session.default_bucket(), uploaded)\n"
    )
    with Outside() as outside:
        opened.environment.update(outside.variables)
        role, bucket, uploaded = opened.python(script).split()[-3:]
        assert not outside.called
    assert bucket == f"sagemaker-{REGION}-{ACCOUNT}"
    assert uploaded == f"s3://{bucket}/uploads/data.csv"
    body = emulator.client("s3").get_object(Bucket=bucket, Key="uploads/data.csv")["Body"]
    assert body.read() == b"1,2\n"
    found = emulator.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]
    assert found["Arn"] == role


def test_processes_that_a_process_starts_reach_the_emulator_too(shell: Shells) -> None:
    asked = (
        "import boto3; sts = boto3.client('sts', endpoint_url='https://sts.amazonaws.com');"
        "print(sts.get_caller_identity()['Account'])"
    )
    script = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {asked!r}], check=True)"
    )
    assert shell("v1").python(script).strip() == ACCOUNT


def test_the_command_line_of_aws_reaches_it_as_well(shell: Shells) -> None:
    opened = shell("v1")
    done = subprocess.run(
        ["aws", "sts", "get-caller-identity", "--query", "Account", "--output", "text"],
        env=opened.environment,
        cwd=opened.home,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == ACCOUNT


@pytest.mark.parametrize("version", VERSIONS)
def test_a_shell_can_have_the_pace_as_written(version: str, shell: Shells) -> None:
    assert pace(shell(version, "--as-written")) == [True, 120]


def test_a_single_process_can_have_the_pace_as_written(shell: Shells) -> None:
    opened = shell("v1")
    assert pace(opened) == [False, 0.5]
    opened.environment["SAGEMAKER_EMULATOR_AS_WRITTEN"] = "1"
    assert pace(opened) == [True, 120]


def pace(opened: Shell) -> Any:
    """Return whether the SDK has the clock of all, and the seconds between a waiter's questions."""
    printed = opened.python(PACE.format(v3=opened.version == "v3"))
    return json.loads(printed.splitlines()[-1])


@pytest.mark.parametrize("version", VERSIONS)
def test_all_modules_that_are_adapted_can_be(version: str, shell: Shells) -> None:
    script = f"""
import importlib, importlib.util, json
found = []
for name in {list(ADAPTED)!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    found.append(name)
print(json.dumps(found))
"""
    opened = shell(version)
    done = subprocess.run(
        [str(interpreter(version)), "-c", script],
        env=opened.environment,
        cwd=opened.home,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert "sagemaker-emulator:" not in done.stderr
    adapted = {ADAPTED[name][1] for name in json.loads(done.stdout.splitlines()[-1])}
    assert {"yield_sts", "scale", "compress", "notice"} <= adapted
    assert ("mute" in adapted) == (version != "v1")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_timeout_is_measured_where_sleeps_in_name_count(version: str) -> None:
    packages = next((interpreter(version).parent.parent / "lib").glob("python3*/site-packages"))
    compressed = [name for name, (_, how) in ADAPTED.items() if how == "compress"]
    sources = [packages / f"{name.replace('.', '/')}.py" for name in compressed]
    present = [source for source in sources if source.exists()]
    subtracted = {
        ast.unparse(node.right)
        for source in present
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and ast.unparse(node.left) == "time.time()"
    }
    assert present
    assert subtracted == {"last_describe_job_call"}

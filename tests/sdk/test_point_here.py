"""`point_here` is all that the three versions of the SDK need in a Python that runs already."""

import os
import subprocess
from pathlib import Path

import pytest
from environments import ROOT, interpreter
from outside import Outside
from test_client_environment import SESSION

from tests.system.running_emulator import ACCOUNT, REGION, Emulator

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_an_interpreter_is_pointed_there_with_the_sdk_already_imported(
    version: str, emulator: Emulator, tmp_path: Path
) -> None:
    script = f"""
import boto3
{SESSION}
from emulator.clients import point_here

with point_here({emulator.url!r}):
    session = Session()
    print(get_execution_role(), session.default_bucket(), session.boto_region_name)
    print(boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] is not None)
try:
    boto3.client("sagemaker")
    print("somewhere")
except Exception as error:
    print(type(error).__name__)
"""
    with Outside() as outside:
        done = subprocess.run(
            [str(interpreter(version)), "-c", script],
            env={
                "PYTHONPATH": str(ROOT),
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "AWS_EC2_METADATA_DISABLED": "true",
                **outside.variables,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not outside.called
    *_, session, reached, after = done.stdout.splitlines()
    role, bucket, region = session.split()
    assert role.startswith(f"arn:aws:iam::{ACCOUNT}:role/")
    assert (bucket, region) == (f"sagemaker-{REGION}-{ACCOUNT}", REGION)
    assert (reached, after) == ("True", "NoRegionError")

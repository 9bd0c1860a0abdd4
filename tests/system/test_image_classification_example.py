"""The example goes from pictures to labels, and nothing of it is left."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from running_emulator import ACCOUNT, REGION, Emulator

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def classify(emulator: Emulator, *arguments: str) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "examples.image_classification.classify", *arguments],
        cwd=ROOT,
        env={
            **clean,
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": REGION,
        },
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_drawn_shapes_are_told_apart_and_nothing_is_left(emulator: Emulator) -> None:
    bucket = "drawn-shapes"
    done = classify(emulator, "--bucket", bucket)
    assert done.returncode == 0, done.stdout + done.stderr
    # The log as it came, then what SageMaker read from it, then what the endpoint said.
    assert "  Docker entrypoint called with argument(s): train\n" in done.stdout
    final = dict(re.findall(r"^(\w+:accuracy) ([\d.]+)$", done.stdout, re.MULTILINE))
    assert float(final["train:accuracy"]) >= 0.9
    assert float(final["validation:accuracy"]) >= 0.9
    told = re.findall(r"^(\w+)/\d+\.png is of class (\w+) \(\d+%\)$", done.stdout, re.MULTILINE)
    assert len(told) == 12
    assert sum(shape == label for shape, label in told) >= 11

    sagemaker = emulator.client("sagemaker")
    assert not sagemaker.list_endpoints(NameContains="pictures-")["Endpoints"]
    assert not sagemaker.list_endpoint_configs(NameContains="pictures-")["EndpointConfigs"]
    assert not sagemaker.list_models(NameContains="pictures-")["Models"]
    buckets = emulator.client("s3").list_buckets()["Buckets"]
    assert bucket not in [each["Name"] for each in buckets]


def test_what_cannot_be_packed_is_said_before_anything_is_made(
    emulator: Emulator, tmp_path: Path
) -> None:
    done = classify(emulator, str(tmp_path), "--bucket", "never-made")
    assert done.returncode == 1
    assert "has no folders: it must have one for each class of pictures" in done.stderr
    buckets = emulator.client("s3").list_buckets()["Buckets"]
    assert "never-made" not in [each["Name"] for each in buckets]

"""`make demo-local`: the SDK's local mode from end to end, and nothing left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from environments import ROOT, interpreter

from emulator.catalogue import naming
from examples.local_mode import leftovers
from examples.local_mode.demo import REGION
from tests.system.running_emulator import engine

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def demo(python: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}
    return subprocess.run(
        [
            *(sys.executable, "-m", "examples.local_mode.demo"),
            *("--python", str(python), "--report", str(folder)),
        ],
        cwd=ROOT,
        # It must not matter what the shell's AWS clients use otherwise.
        env={**clean, "AWS_PROFILE": "absent"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def left() -> list[str]:
    """Return the names of containers and images of the demo's region that are on the engine."""
    client = engine()
    try:
        found = client.containers.list(all=True, filters={"network": leftovers.NETWORK})
        containers = [one.name for one in found if f".ecr.{REGION}." in str(one.attrs["Config"])]
    finally:
        client.close()
    return [*containers, *sorted(naming.standing(REGION).urls)]


def test_it_tells_the_digits_right_and_leaves_nothing(tmp_path: Path) -> None:
    done = demo(interpreter("v2"), tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["digits"] == 360
    assert report["accuracy"] >= 0.95
    assert f"right       {report['accuracy']:.1%} of 360" in done.stdout
    for step in ("emulator started", "images named", "trained in", "deployed in", "cleaned up"):
        assert step in done.stderr
    assert (tmp_path / "sdk.log").read_text().count("accuracy=") == 20
    assert left() == []


def test_when_the_script_fails_its_end_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    done = demo(sys.executable, tmp_path)
    assert done.returncode == 1
    assert "No module named 'sagemaker'" in done.stderr
    assert "Traceback" not in done.stdout
    assert left() == []

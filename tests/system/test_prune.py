"""`prune` on a real engine, which other emulators use, too: it takes what is asked for, no more."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_emulator import LABEL, Emulator, engine, eventually, unique
from training_data import channel, put

pytestmark = pytest.mark.docker


def prune(*arguments: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("sagemaker-emulator")), "prune", *arguments]
    return subprocess.run(
        command, input=answer, capture_output=True, text=True, timeout=100, check=False
    )


def line_of(listed: str, instance: str) -> list[str]:
    [line] = [line for line in listed.splitlines() if line.startswith(f"{instance}\t")]
    return line.split("\t")


def made_by(instance: str) -> list[str]:
    """Return the names of all that an emulator has made on the engine."""
    wanted = {"label": f"{LABEL}instance={instance}"}
    client = engine()
    try:
        found = [
            *client.containers.list(all=True, filters=wanted, ignore_removed=True),
            *client.networks.list(filters=wanted),
            *client.volumes.list(filters=wanted),
        ]
        return [each.name for each in found]
    finally:
        client.close()


def test_what_a_removed_state_directory_left_on_the_engine_can_be_removed(
    launched: Callable[..., Emulator], emulator: Emulator
) -> None:
    removed, name = launched(), unique("abandoned")
    bucket = removed.bucket()
    put(removed, bucket, {"data/a": b"1"})
    removed.train(
        name,
        bucket=bucket,
        shell="echo begun; sleep 600",
        InputDataConfig=[channel("train", f"s3://{bucket}/data/")],
    )
    eventually(lambda: "begun" in removed.output(name), what="it runs")
    instance = removed.instance

    refused = prune("--instance", instance, "--yes", "--stopped")
    assert line_of(refused.stdout, instance)[3] == "stays: it runs"
    removed.kill()
    assert line_of(prune(answer="n\n").stdout, instance)[3] == "stays: it does not run"
    shutil.rmtree(removed.state)
    before = set(made_by(instance))
    assert len(before) >= 4, "a job, its pause, a network and a volume"

    listed = prune(answer="n\n")
    assert listed.returncode == 1
    assert line_of(listed.stdout, instance)[2:] == [
        str(removed.state),
        "goes: its state directory is gone",
    ]
    assert line_of(listed.stdout, emulator.instance)[3] == "stays: it runs"
    assert set(made_by(instance)) == before

    others = set(made_by(emulator.instance))
    done = prune("--yes", "--instance", instance)
    assert (done.returncode, done.stderr) == (0, "")
    assert made_by(instance) == []
    assert others <= set(made_by(emulator.instance))
    again = prune("--instance", instance)
    assert again.returncode == 1
    assert "nothing of an emulator" in again.stderr

"""The demo: digits through MXNet and Chainer, from S3 to predictions, and nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from PIL import Image

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LABEL = "org.sagemaker-emulator.instance"


def demo(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "examples.digits.demo", *arguments],
        cwd=ROOT,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=280,
    )


def left_of(instance: str) -> list[object]:
    """Return the containers that an emulator left."""
    client = docker.from_env()
    try:
        return list(client.containers.list(all=True, filters={"label": f"{LABEL}={instance}"}))
    finally:
        client.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory):
    """One run of the demo: what it said, its report folder and its state directory."""
    folder = tmp_path_factory.mktemp("demo")
    done = demo(
        *("--report", str(folder / "report"), "--state", str(folder / "state")),
        # It must not matter what the shell's AWS clients use otherwise.
        AWS_PROFILE="absent",
        AWS_ENDPOINT_URL_S3="http://192.0.2.1",
    )
    return done, folder / "report", folder / "state"


@pytest.mark.parametrize("framework", ["MXNet", "Chainer"])
def test_the_endpoint_tells_at_least_95_percent_of_the_held_out_digits_right(
    finished, framework: str
) -> None:
    done, folder, _ = finished
    assert done.returncode == 0, done.stderr
    document = json.loads((folder / "report.json").read_text())
    assert (document["train"], document["held_out"]) == (1437, 360)
    run = document["frameworks"][framework]
    assert run["accuracy"] >= 0.95
    # The endpoint answers as the script saw it in the training job.
    assert run["metrics"]["test:accuracy"] == pytest.approx(run["accuracy"], abs=0.005)
    assert list(run["training_job_seconds"])[-1] == "Completed"
    assert run["seconds"].keys() >= {"training job", "endpoint in service"}


def test_it_shows_progress_and_the_jobs_log_on_standard_error(finished) -> None:
    done, *_ = finished
    assert done.stderr.count("epoch 20 of 20: loss=") == 2
    assert done.stderr.count("✓ training job") == 2
    assert "✗" not in done.stderr


def test_what_is_kept_is_told_and_is_there(finished) -> None:
    done, folder, state = finished
    for path in (folder / "report.html", folder / "emulator.log", state):
        assert str(path) in done.stdout
        assert path.exists()
    for name in ("mxnet", "chainer"):
        assert (folder / name / "model.tar.gz").stat().st_size > 10_000
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.size[0] > 500
        assert f'src="{name}.png"' in (folder / "report.html").read_text()


def test_no_container_is_left(finished) -> None:
    *_, state = finished
    assert left_of((state / "instance").read_text().strip()) == []


def test_digits_that_are_not_there_are_told_and_nothing_is_started(tmp_path: Path) -> None:
    done = demo("--mnist", str(tmp_path), "--report", str(tmp_path / "report"))
    assert done.returncode == 1
    assert "has no file train-images-idx3-ubyte.gz" in done.stderr
    assert not (tmp_path / "report" / "emulator.log").exists()


def test_an_emulator_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = demo("--state", str(tmp_path / "file" / "state"), "--report", str(tmp_path / "report"))
    assert done.returncode == 1
    assert "The emulator did not start" in done.stderr
    assert "can't be used" in done.stderr


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "examples.digits.demo", "--report", str(tmp_path)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job, as this run may be, ignores the signal and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        told = []
        for line in process.stderr:
            told.append(line)
            if "epoch 2 of 20" in line or "✗ training job" in line:  # people press it twice
                process.send_signal(signal.SIGINT)
    assert process.returncode == 1
    assert "✗ training job" in "".join(told)
    assert not [line for line in told if "Traceback" in line]
    log = (tmp_path / "emulator.log").read_text()
    instance = re.search(r"network sagemaker-emulator-(\w+)", log)[1]
    assert left_of(instance) == []

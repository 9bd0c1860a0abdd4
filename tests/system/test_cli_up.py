"""`sagemaker-emulator up`, as a process: the ready line, signals, the lock, the port."""

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from running_emulator import Emulator, eventually, health, unique

from emulator.cli.up import SAME_WISH_SECONDS

pytestmark = pytest.mark.docker

COMMAND = [sys.executable, "-m", "emulator.cli"]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "AWS_"))}


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments], env=CLEAN, capture_output=True, text=True, timeout=180
    )


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `up` with these flags; its log is up.log in the test's directory."""
    started = []

    def begin(
        *flags: str, under: Sequence[str] = (), **environment: str
    ) -> "subprocess.Popen[str]":
        with (tmp_path / "up.log").open("w") as log:
            command = [*under, *COMMAND, "up", "--state", str(tmp_path / "state"), *flags]
            process = subprocess.Popen(
                command,
                env={**CLEAN, **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                process_group=0,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        with process:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def test_a_botocore_that_is_too_old_ends_it_with_a_sentence_before_it_serves(
    up: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    (tmp_path / "old" / "botocore").mkdir(parents=True)
    (tmp_path / "old" / "botocore" / "__init__.py").write_text("__version__ = '1.31.85'\n")
    process = up("--port", "0", PYTHONPATH=str(tmp_path / "old"))
    assert process.stdout.read() == ""
    assert process.wait(60) == 1
    (said,) = (tmp_path / "up.log").read_text().splitlines()
    assert said.startswith("Error: The emulator can't work with botocore 1.31.85: it needs ")


def test_a_part_that_cannot_be_imported_ends_it_with_a_sentence(
    up: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "moto.py").write_text("raise ImportError('it is broken')")
    process = up("--port", "0", PYTHONPATH=str(tmp_path / "broken"))
    assert process.wait(60) == 1
    last = (tmp_path / "up.log").read_text().splitlines()[-1]
    assert last == "Error: The emulator can't work: the storage can't be loaded (" + (
        "ImportError: it is broken)."
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_line_tells_that_it_serves_and_a_signal_ends_it_cleanly(
    up: Callable[..., "subprocess.Popen[str]"], number: signal.Signals, tmp_path: Path
) -> None:
    process = up("--port", "0")
    ready = process.stdout.readline()
    url = ready.removeprefix("ready ").rstrip("\n")
    assert re.fullmatch(r"ready http://127\.0\.0\.1:\d+\n", ready)
    eventually(lambda: health(url)["status"] == "ok", what="the engine is reached")
    assert health(url)["versions"]["emulator"]
    process.send_signal(number)
    assert process.wait(60) == 0
    assert process.stdout.read() == ""
    assert (tmp_path / "state").is_dir()
    log = (tmp_path / "up.log").read_text().splitlines()
    assert log[-1].endswith(" INFO    stopped")
    assert "Traceback" not in "\n".join(log)


def to_any_thread(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)


def to_another_thread(process: "subprocess.Popen[str]") -> None:
    """Do to the process what the kernel may do with a signal: hand it to no main thread."""
    others = {int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()}
    others.remove(process.pid)  # the main thread's number
    assert ctypes.CDLL(None).tgkill(process.pid, min(others), signal.SIGTERM) == 0


def test_a_signal_that_another_thread_gets_ends_it_all_the_same(
    up: Callable[..., "subprocess.Popen[str]"],
) -> None:
    process = up("--port", "0")
    assert process.stdout.readline().startswith("ready ")
    to_another_thread(process)
    assert process.wait(60) == 0


def test_signals_of_one_moment_are_one_wish(
    up: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = up("--port", "0")
    assert process.stdout.readline().startswith("ready ")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        process.send_signal(number)
    assert process.wait(60) == 0
    assert (tmp_path / "up.log").read_text().splitlines()[-1].endswith(" INFO    stopped")


def test_coreutils_timeout_which_signals_its_child_and_then_the_group_ends_it_cleanly(
    up: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = up("--port", "0", under=("timeout", "--preserve-status", "600"))
    assert process.stdout.readline().startswith("ready ")
    process.send_signal(signal.SIGTERM)  # which `timeout` takes as it does the end of its time
    assert process.wait(60) == 0
    log = (tmp_path / "up.log").read_text()
    assert log.splitlines()[-1].endswith(" INFO    stopped")
    assert "ended at once" not in log


@pytest.mark.parametrize("send", [to_any_thread, to_another_thread])
def test_a_second_signal_ends_it_at_once_and_the_next_start_finds_what_was_left(
    launched: Callable[..., Emulator], send: Callable[["subprocess.Popen[str]"], None]
) -> None:
    running = launched()
    job = unique("deaf")
    running.train(job, shell="trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    eventually(lambda: running.output(job), what="the container ignores SIGTERM")
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: "stopping" in running.log.read_text(), what="it is stopping")
    later = time.monotonic() + SAME_WISH_SECONDS
    eventually(lambda: time.monotonic() > later, what="what follows is another wish")
    send(running.process)
    assert running.process.wait(60) == 143
    assert "ended at once" in running.log.read_text()
    running.kill()  # closes the helper's pipes and clients
    again = launched(state=running.state)
    assert again.instance == running.instance
    urllib.request.urlopen(f"{again.url}/_emulator/reset", data=b"", timeout=60).close()
    eventually(lambda: not again.containers(name=job), what="the container is removed")


def test_a_second_emulator_on_the_state_is_refused_with_the_pid(emulator: Emulator) -> None:
    done = run("up", "--port", "0", "--state", str(emulator.state))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"(pid {emulator.process.pid}) at {emulator.url}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_with_an_emulator_is_refused_with_its_url(
    emulator: Emulator, tmp_path: Path
) -> None:
    port = emulator.url.rpartition(":")[2]
    done = run("up", "--port", port, "--state", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"An emulator is running at {emulator.url} already" in done.stderr


def test_a_port_of_another_program_is_refused_with_the_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("up", "--port", str(port), "--state", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Port {port} of 127.0.0.1 is taken by another program" in done.stderr
    assert "--port" in done.stderr


def test_doctor_finds_the_running_emulator(emulator: Emulator) -> None:
    port = emulator.url.rpartition(":")[2]
    done = run("doctor", "--port", port, "--state", str(emulator.state))
    assert done.returncode == 0, done.stdout
    assert f"an emulator is running at {emulator.url}" in done.stdout
    assert f"in use by the emulator with pid {emulator.process.pid}" in done.stdout


def test_the_images_are_listed_and_take_the_names_of_a_region(tmp_path: Path) -> None:
    listed = [line.split("\t") for line in run("images", "list").stdout.splitlines()]
    assert {name.partition(":")[0] for name, *_ in listed} >= {
        "mxnet-training",
        "mxnet-inference",
        "chainer",
    }
    nobody = ("--port", "0", "--state", str(tmp_path))
    try:
        tagged = run("images", "tag", "--region", "eu-west-3", *nobody)
        assert tagged.returncode == 0, tagged.stderr
        assert "No emulator is running" in tagged.stderr
        names = dict(line.split("\t") for line in tagged.stdout.splitlines())
        for uri, image in names.items():
            assert ".dkr.ecr.eu-west-3.amazonaws.com/" in uri
            assert image.startswith("sagemaker-emulator/")
    finally:
        untagged = run("images", "untag", "--region", "eu-west-3")
    assert set(untagged.stdout.splitlines()) == names.keys()


def test_the_aws_command_line_works_with_nothing_but_the_exports(
    emulator: Emulator, tmp_path: Path
) -> None:
    aws = shutil.which("aws", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert aws, "the AWS CLI is not installed"
    exports = run("env", "--port", "0", "--state", str(emulator.state)).stdout
    bucket = emulator.bucket()
    (tmp_path / "file").write_text("some text")
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    script = f"""
        eval {shlex.quote(exports)}
        set -e
        {aws} s3 cp {tmp_path}/file s3://{bucket}/a/file >&2
        {aws} s3 cp s3://{bucket}/a/file -
        {aws} sagemaker list-endpoints
        {aws} sts get-caller-identity --query Account --output text
    """
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_PROFILE": "absent",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("some text")
    assert '"Endpoints"' in done.stdout
    assert done.stdout.split()[-1] == "123456789012"


def test_the_users_own_aws_configuration_does_not_reach_the_emulator(launched) -> None:
    running = launched(AWS_PROFILE="absent", AWS_CONFIG_FILE="/nonexistent", AWS_REGION="mars")
    bucket = running.bucket()
    assert bucket in [found["Name"] for found in running.client("s3").list_buckets()["Buckets"]]
    assert running.client("logs").describe_log_groups()["logGroups"] == []


def test_one_that_listens_everywhere_is_reached_by_containers(launched) -> None:
    everywhere = launched("--host", "0.0.0.0")
    look = (
        "import os, urllib.request as u;"
        " print(u.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_emulator/health').status)"
    )
    name = unique("everywhere")
    everywhere.train(name, python=look)
    assert everywhere.ended(name)["TrainingJobStatus"] == "Completed"
    assert everywhere.output(name) == ["200"]

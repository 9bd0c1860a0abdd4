"""The demo of local mode: an SDK trains and deploys by docker-compose, on an emulator of its own.

`journey.py` runs in an environment of the SageMaker Python SDK, which is named on the command line,
with no more than what `sagemaker-emulator env` prints. Exit code 0: it told at least 95 % of the
held-out digits right, and everything that was started is removed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from rich.console import Console

from emulator.cli.clients import variables
from emulator.settings import read
from examples.digits import service
from examples.digits.narration import Narration
from examples.digits.service import EmulatorFailed
from examples.local_mode import leftovers

WANTED = 0.95
# One that is rarely used: the names that its images get are taken away again.
REGION = "eu-north-1"
JOURNEY = Path(__file__).with_name("journey.py")
MARK = "== "
_END_SECONDS = 60


class JourneyFailed(Exception):
    """The SDK's script failed; the message has the end of its log."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--python",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=Path(".venv-sdk/v2/bin/python"),
    show_default=True,
    help="Interpreter that has the SageMaker Python SDK, version 1 or 2.",
)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo-local"),
    show_default=True,
    help="Where the report and the logs go.",
)
def demo(python: Path, folder: Path) -> None:
    """Train, deploy and ask an MXNet model in the SDK's local mode, on a local emulator."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    tell = Narration(Console(stderr=True))
    began = time.monotonic()
    try:
        with _emulator(folder / "emulator.log", tell):
            reached = _travel(python.absolute(), folder / "sdk.log", tell)
    except (EmulatorFailed, JourneyFailed) as problem:
        raise click.ClickException(str(problem)) from None
    report = {**reached, "seconds": round(time.monotonic() - began, 1)}
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    click.echo(f"right       {report['accuracy']:.1%} of {report['digits']} held-out digits")
    click.echo(f"seconds     {report['seconds']}")
    click.echo(f"report      {folder / 'report.json'}")
    click.echo(f"logs        {folder / 'sdk.log'}, {folder / 'emulator.log'}")
    click.echo("removed     containers, their network, the images' names, the emulator's state")
    if report["accuracy"] < WANTED:
        raise click.ClickException(f"The accuracy is below {WANTED}.")


@contextmanager
def _emulator(log: Path, tell: Narration) -> Iterator[None]:
    """Run an emulator inside the block, with this process's clients pointed at it."""
    os.environ["EMULATOR_REGION"] = REGION
    with tempfile.TemporaryDirectory(prefix="sagemaker-emulator-demo-") as state:
        with tell.phase("emulator started"):
            emulator = service.start(Path(state), log)
        try:
            with tell.phase("images named"):
                _images("tag", "--port", "0", "--state", state)
            flags = {"port": emulator.url.rpartition(":")[2], "region": REGION}
            service.point_at(variables(read({}, flags), os.environ))
            yield
        finally:
            with tell.phase("cleaned up"):
                leftovers.remove(REGION)
                _images("untag")
                with suppress(OSError):  # it may be what failed
                    emulator.reset()
                emulator.stop()


def _images(*arguments: str) -> None:
    """Run `sagemaker-emulator images` for the region; raises EmulatorFailed."""
    command = [sys.executable, "-m", "emulator.cli", "images", *arguments, "--region", REGION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmulatorFailed(done.stderr.strip())


def _travel(python: Path, log: Path, tell: Narration) -> dict[str, float]:
    """Run the SDK's script, showing what it reaches; returns what it measured."""
    measured: dict[str, float] = {}
    tell.title("MXNet in local mode")
    with log.open("w") as written, tell.phase("journey"), _running(python) as journey:
        assert journey.stdout is not None
        for line in journey.stdout:
            written.write(line)
            if line.startswith(MARK):
                said = line.removeprefix(MARK).strip()
                tell.line(said)
                if said.startswith("right "):
                    measured = json.loads(said.removeprefix("right "))
        code = journey.wait()
    if code or not measured:
        ending = "\n  ".join(service.last_lines(log))
        raise JourneyFailed(f"The script's exit code is {code}. The end of {log}:\n  {ending}")
    return measured


@contextmanager
def _running(python: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the script in a session of its own, which is ended with the block."""
    journey = subprocess.Popen(
        [str(python), str(JOURNEY)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with journey:
        try:
            yield journey
        except BaseException:
            os.killpg(journey.pid, signal.SIGINT)  # docker-compose, too, ends what it started
            with suppress(subprocess.TimeoutExpired):
                journey.wait(_END_SECONDS)
            journey.kill()
            raise


if __name__ == "__main__":
    demo(prog_name="python -m examples.local_mode.demo")

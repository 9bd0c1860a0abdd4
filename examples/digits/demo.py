"""The demo: the main job for MXNet and for Chainer on an emulator of its own.

Exit code 0: both told at least 95 % of the held-out digits right, and all that was started is
removed. What is kept, and where, is told at the end.
"""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from emulator.cli.clients import variables
from emulator.settings import read
from examples.digits import dataset, report, service
from examples.digits.main_job import Framework, JobFailed, MainJob, frameworks
from examples.digits.narration import Narration
from examples.digits.report import Measured
from examples.digits.service import EmulatorFailed

WANTED = 0.95
REGION = "us-east-1"
BUCKET = "digits-demo"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--mnist",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="DIGITS_MNIST",
    help="Folder with MNIST's four IDX files, used in place of the bundled digits. [DIGITS_MNIST]",
)
@click.option("--download", is_flag=True, help="Fetch what is missing in the folder of --mnist.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="State directory of the emulator, which is kept; a temporary one if not given.",
)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/demo"),
    show_default=True,
    help="Where the report, the pictures and the models go.",
)
def demo(mnist: Path | None, download: bool, state: Path | None, folder: Path) -> None:
    """Train, deploy and ask MXNet and Chainer about handwritten digits, on a local emulator."""
    _hear_one_interrupt()
    console = Console(stderr=True)
    tell = Narration(console)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        digits = _digits(mnist, download, tell)
        tell.title(f"{digits.source}: {len(digits.train[0])} and {len(digits.test[0])} held out")
        dataset.write_channels(digits, folder / "data")
        runs = _runs(digits, folder, state, tell)
    except (dataset.NoDigits, EmulatorFailed) as problem:
        raise click.ClickException(str(problem)) from None
    except (JobFailed, BotoCoreError, ClientError) as problem:
        log = folder / "emulator.log"
        console.print(f"\nThe end of {log}:", *service.last_lines(log), sep="\n  ", markup=False)
        raise click.ClickException(str(problem)) from None
    report.write(folder, digits, runs, WANTED)
    report.show(console, runs, WANTED)
    _tell_what_is_kept(folder, state)
    if any(run.accuracy < WANTED for run in runs):
        raise click.ClickException(f"The accuracy is below {WANTED}.")


def _digits(mnist: Path | None, download: bool, tell: Narration) -> dataset.Digits:
    if mnist is None:
        if download:
            raise click.UsageError("--download needs a folder: --mnist DIR")
        return dataset.bundled()
    if download:
        dataset.download(mnist, tell.line)
    return dataset.mnist(mnist)


def _runs(
    digits: dataset.Digits, folder: Path, state: Path | None, tell: Narration
) -> list[Measured]:
    """Run every framework's main job on one emulator, which is stopped at the end."""
    log = folder / "emulator.log"
    kept = state is not None
    with _state_directory(state) as directory, _emulator(directory, log, tell, kept=kept):
        return [_measure(framework, digits, folder, tell) for framework in frameworks(REGION)]


@contextmanager
def _state_directory(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.absolute()
    else:
        with tempfile.TemporaryDirectory(prefix="sagemaker-emulator-demo-") as name:
            yield Path(name)


@contextmanager
def _emulator(state: Path, log: Path, tell: Narration, *, kept: bool) -> Iterator[None]:
    """Run an emulator inside the block; unless its state is kept, nothing of it is left."""
    with tell.phase("emulator started"):
        emulator = service.start(state, log)
    try:
        flags = {"port": emulator.url.rpartition(":")[2], "region": REGION}
        service.point_at(variables(read({}, flags), os.environ))
        yield
    finally:
        with tell.phase("emulator stopped"):
            if not kept:
                with suppress(OSError):  # it may be what failed
                    emulator.reset()
            emulator.stop()


def _hear_one_interrupt() -> None:
    """Let the first Ctrl-C end the demo, and no later one what it then removes."""

    def hear(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hear)


def _measure(
    framework: Framework, digits: dataset.Digits, folder: Path, tell: Narration
) -> Measured:
    kept = folder / framework.name
    kept.mkdir(exist_ok=True)
    tell.title(framework.title)
    name = f"digits-{framework.name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    job = MainJob(framework, name, BUCKET, tell)
    outcome = job.run(folder / "data", digits, kept / "model.tar.gz")
    reached = report.accuracy(outcome.predicted, digits.test[1])
    tell.line(f"{reached:.1%} of {len(digits.test[1])} held-out digits told right")
    return Measured(framework.title, outcome, dict(tell.seconds), reached, kept)


def _tell_what_is_kept(folder: Path, state: Path | None) -> None:
    click.echo(f"report      {folder / 'report.html'} (numbers: report.json)")
    click.echo(f"digits      {folder / 'data'}")
    click.echo(f"models      {folder}/mxnet/model.tar.gz, {folder}/chainer/model.tar.gz")
    click.echo(f"log         {folder / 'emulator.log'}")
    if state is None:
        click.echo("removed     endpoints, models, containers, and the emulator's temporary state")
    else:
        click.echo(f"state       {state.absolute()} (objects, jobs and logs)")
        click.echo("removed     endpoints, models and containers")


if __name__ == "__main__":
    demo(prog_name="python -m examples.digits.demo")

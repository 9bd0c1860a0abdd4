"""`prune`: removes what emulators have left on the engine that can't come back for it.

An emulator finds its containers again at its next start. One whose state directory was removed
never starts again, and what it has left would stay.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli import claim
from emulator.errors import PermanentError

if TYPE_CHECKING:
    from emulator.launch.docker.leftovers import Leftovers

GONE = "its state directory is gone"
STOPPED = "it does not run"
RUNNING = "it runs"
ELSEWHERE = "it ran on another machine"
UNKNOWN = "where it ran is not known"


@click.command(short_help="Remove what removed emulators left on the engine.")
@click.option("--stopped", is_flag=True, help="And what is left of emulators that do not run.")
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="ID",
    help="Only what this emulator has left, wherever it ran; more than one may be named.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(stopped: bool, instances: tuple[str, ...], yes: bool) -> None:
    """Remove containers, networks and volumes of emulators whose state directory is gone.

    Lists what emulators have made on the engine, one in each line: id, what is there, state
    directory, whether it goes and why; separated by tabs. Then it asks. What runs is left alone,
    and so is all that no emulator has made. With --stopped, jobs that a killed emulator has left
    running go, too, which its next start would take over.
    """
    from emulator.launch.docker import leftovers
    from emulator.launch.docker.engine import Engine

    engine = Engine()
    try:
        going = _choose(leftovers.find(engine), instances, stopped)
        if not going:
            click.echo("Nothing to remove.", err=True)
            return
        if not yes:
            click.confirm("Remove what goes?", abort=True, err=True)
        for left in going:
            with _claimed(left):
                leftovers.remove(engine, left)
    finally:
        engine.close()


def _choose(
    found: "list[Leftovers]", instances: tuple[str, ...], stopped: bool
) -> "list[Leftovers]":
    """Return what goes, having listed everything that was asked about."""
    if unknown := set(instances) - {left.instance for left in found}:
        raise PermanentError(f"The engine has nothing of an emulator {', '.join(sorted(unknown))}.")
    going = []
    for left in found:
        if instances and left.instance not in instances:
            continue
        why = standing(left)
        goes = why == GONE or (stopped and why == STOPPED) or (bool(instances) and why != RUNNING)
        if goes:
            going.append(left)
        verdict = f"{'goes' if goes else 'stays'}: {why}"
        click.echo("\t".join((left.instance, str(left), left.state or "-", verdict)))
    return going


def standing(left: "Leftovers") -> str:
    """Return whether an emulator may come back for what it has left: one of the words above."""
    if not (left.machine and left.state):
        return UNKNOWN
    if left.machine != socket.gethostname():
        return ELSEWHERE
    state = Path(left.state)
    try:
        own = (state / "instance").read_text().strip() == left.instance
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    except OSError:  # another user's, say
        return UNKNOWN
    if not own:
        return GONE
    return RUNNING if claim.holder(state) else STOPPED


@contextlib.contextmanager
def _claimed(left: "Leftovers") -> Iterator[None]:
    """Keep an emulator from starting on the state directory while its things are removed."""
    if standing(left) in (STOPPED, RUNNING):
        with claim.claimed(Path(left.state)):
            yield
    else:
        yield

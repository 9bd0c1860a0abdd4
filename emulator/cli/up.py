"""`up`: the emulator in the foreground, until a signal ends it.

The first SIGINT, SIGTERM or SIGHUP stops it: containers are stopped, the state is kept. A later
one, while it stops, ends the process at once; what then is left running is found by the next start.
"""

import logging
import math
import os
import signal
import sys
import threading
from collections.abc import MutableMapping
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import click

from emulator.cli import claim, ports
from emulator.cli.flags import with_settings
from emulator.clock import monotonic
from emulator.prepare import prepare
from emulator.settings import Settings

if TYPE_CHECKING:
    from emulator.assemble import Assembly

log = logging.getLogger(__name__)

SAME_WISH_SECONDS = 1.0
"""Signals that follow the first within this time are the same wish, passed on by more than one.

coreutils' `timeout` signals its child and then the whole process group; a terminal signals the
group, and wrappers such as `make` or `uv run` pass on to their child what they got themselves.
"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(short_help="Run the emulator in the foreground.")
@with_settings()
def up(settings: Settings) -> None:
    """Run the emulator in the foreground.

    Prints one line, `ready http://HOST:PORT`, on standard output when clients may call. Stops on
    Ctrl-C (SIGINT) or SIGTERM: containers are stopped, the state is kept. A further signal, a
    second or more after the first, ends it at once.
    """
    settings = replace(settings, state=settings.state.absolute())
    _configure_logging(settings.log_level)
    with claim.claimed(settings.state) as held:
        ports.check_free(settings)
        asked = _listen_to_signals()
        _leave_aws(os.environ)
        try:
            prepared = prepare(settings)
        except OSError:
            ports.check_free(settings)  # says who took the port since it was checked
            raise
        url = f"http://{settings.host}:{prepared.port}"
        held.announce(url)
        click.echo(f"ready {url}")
        # Takes many times as long as all before. Connections wait in the socket meanwhile.
        from emulator.assemble import assemble

        _serve(assemble(settings, prepared), asked)


def _serve(assembly: "Assembly", asked: threading.Event) -> None:
    """Start the emulator, wait until it is asked to stop, and stop it."""
    try:
        try:
            assembly.start(on_failure=asked.set)
        except OSError:
            ports.check_free(assembly.settings)  # says who took the proxy's port meanwhile
            raise
        asked.wait()
        if assembly.failure:
            raise assembly.failure
        log.info("stopping: containers are stopped, the state is kept; once more ends it at once")
    finally:
        assembly.close()
    log.info("stopped")


def _leave_aws(environ: MutableMapping[str, str]) -> None:
    """Forget the user's AWS configuration: an absent profile, say, would fail our own requests.

    What emulates S3 and its like here makes boto3 sessions, which read all that.
    """
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]
    environ.update(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )


def _listen_to_signals() -> threading.Event:
    """Return the event that the first signal sets; a later signal ends the process.

    The kernel hands a signal to any thread, and Python runs a signal's handler on the main thread
    alone, which hears of it only when it next does something: waiting or joining, never. So a
    thread reads the numbers that the interpreter itself writes, whichever thread was interrupted.
    """
    asked = threading.Event()
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, _go_on)
    threading.Thread(target=_hear, args=(heard, asked), name="signals", daemon=True).start()
    return asked


def _go_on(number: int, frame: FrameType | None) -> None:
    """Let the main thread go on: what a signal asks for is `_hear`'s to do."""


def _hear(heard: int, asked: threading.Event) -> None:
    alone_from = math.inf
    while True:
        (number,) = os.read(heard, 1)
        if monotonic() >= alone_from:
            os.write(sys.stderr.fileno(), b"ended at once; containers may be left running\n")
            os._exit(128 + number)
        alone_from = min(alone_from, monotonic() + SAME_WISH_SECONDS)
        asked.set()


def _configure_logging(level: str) -> None:
    """Write our log lines at this level to standard error, and the warnings of others."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        force=True,
    )
    logging.getLogger("emulator").setLevel(level.upper())
    logging.captureWarnings(True)

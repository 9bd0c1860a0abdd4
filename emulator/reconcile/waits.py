"""Long waits are told: for whom, and until when."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from emulator.clock import now

PATIENCE = 2.0
"""Seconds that a wait takes before anything is said of it."""


@contextlib.contextmanager
def told(say: Callable[[], None], *, after: float = PATIENCE) -> Iterator[None]:
    """Call `say` in a thread of its own if the body takes longer than `after` seconds."""
    timer = threading.Timer(after, say)
    timer.name, timer.daemon = "wait", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def stopping(who: str, asked_at: float, grace: float) -> str:
    """Return what to say of a container that goes on after SIGTERM.

    Args:
        who: the container.
        asked_at: when it was sent SIGTERM, in epoch seconds.
        grace: seconds until SIGKILL.
    """
    return (
        f"{who} goes on after SIGTERM. It is waited for until {_clock(asked_at + grace)} UTC"
        f" ({grace:g} s), then killed."
    )


def draining(who: str, invocations: int, seconds: float) -> str:
    """Return what to say of a container that is stopped only after its last invocation."""
    return (
        f"{who} is stopped after its last invocation ({invocations} under way), at the latest at"
        f" {_clock(now() + seconds)} UTC."
    )


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))

"""A compressed clock for the modules of the SageMaker SDK that poll.

Such a module sees another `time`: its sleeps are short. Where it compares two readings of the
clock with an interval of its own ("describe every 30 s"), the time that it believes to have slept
counts. Where a user's timeout is measured, real seconds count. No other module sees this clock.
"""

import functools
import time
from typing import Any, Callable

from . import hastened, replace

LONGEST = 0.5
"""Seconds of the longest sleep."""


class Moment(float):
    """A reading of the clock: a real time, and how far sleeps in name are ahead of it.

    The difference of two moments is what the module believes to have passed. Everything else,
    such as a deadline (a moment plus seconds) and comparing with one, is about real time.
    """

    def __new__(cls, real: float, ahead: float) -> "Moment":
        moment = super().__new__(cls, real)
        moment.ahead = ahead
        return moment

    ahead: float

    def __sub__(self, other: float) -> float:
        passed = float(self) - float(other)
        return passed + self.ahead - other.ahead if isinstance(other, Moment) else passed


class ShortSleeps:
    """The module `time` with short sleeps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        """Sleep half a second at most."""
        time.sleep(min(seconds, LONGEST))


class CompressedTime(ShortSleeps):
    """The module `time` with short sleeps that count in full between two readings."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def sleep(self, seconds: float) -> None:
        """Sleep half a second at most; all of `seconds` has passed for the readings."""
        super().sleep(seconds)
        self._ahead += max(0.0, seconds - LONGEST)

    def time(self) -> Moment:
        """Return the real time, which knows what has been slept in name."""
        return Moment(time.time(), self._ahead)


def compress(module: Any) -> None:
    """Adapt a module in which differences of readings are compared with its own intervals only."""
    if hastened():
        replace(module, "time", lambda _: CompressedTime())


def shorten(module: Any) -> None:
    """Adapt a module in which readings measure a user's timeout."""
    if hastened():
        replace(module, "time", lambda _: ShortSleeps())


def shorten_polls(module: Any) -> None:
    """Adapt a module that has sleeps of other meaning too: `_wait_until` alone asks more often."""
    if hastened():
        replace(module, "_wait_until", _asking_often)


def _asking_often(wait: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(wait)
    def wait_until(callable_fn: Any, poll: float = 5) -> Any:
        return wait(callable_fn, min(poll, LONGEST))

    return wait_until

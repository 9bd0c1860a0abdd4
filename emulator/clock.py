"""The only source of the current time."""

import time


def now() -> float:
    """Return seconds since the epoch, rounded to the millisecond that AWS reports (contract A1)."""
    return round(time.time(), 3)


def monotonic() -> float:
    """Return seconds of a clock that never goes back, for deadlines."""
    return time.monotonic()

"""What the emulator itself has to say in a container's log stream: before the container's lines.

Notices are no output of the container; metrics are never looked for in them.
"""

from collections.abc import Iterable

from emulator.logs import LogLine

_MARK = "[sagemaker-emulator] WARNING: "


def lines(warnings: Iterable[str], at: float) -> list[LogLine]:
    """Return the warnings as lines of a stream, written at `at` (epoch seconds)."""
    return [LogLine(at, _MARK + warning) for warning in warnings]

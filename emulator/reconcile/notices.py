"""What the emulator itself has to say in a container's log stream: before the container's lines.

Notices are no output of the container; metrics are never looked for in them.
"""

from collections.abc import Iterable

from emulator.logs import LogLine

_MARK = "[sagemaker-emulator] "
_WARNING = _MARK + "WARNING: "


def lines(warnings: Iterable[str], at: float, facts: Iterable[str] = ()) -> list[LogLine]:
    """Return warnings, then facts, as lines of a stream, written at `at` (epoch seconds)."""
    texts = [_WARNING + warning for warning in warnings] + [_MARK + fact for fact in facts]
    return [LogLine(at, text) for text in texts]

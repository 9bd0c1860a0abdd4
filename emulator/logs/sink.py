"""Where log lines go: a stream of a CloudWatch Logs group (contract B10)."""

from collections.abc import Sequence
from typing import Protocol

from emulator.call import Scope
from emulator.logs.capture import LogLine


class LogStreams(Protocol):
    """The service behind; ``storage.Storage`` is one."""

    def put_log_lines(
        self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]
    ) -> None: ...


class LogSink:
    """Appends lines to log streams.

    Args:
        streams: the service that keeps them.
    """

    def __init__(self, streams: LogStreams) -> None:
        self._streams = streams

    def append(self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]) -> None:
        """Append lines in their order; makes the group and the stream if need be.

        CloudWatch has no empty messages: an empty line is kept as one space. Tabs stay tabs.
        """
        self._streams.put_log_lines(
            scope, group, stream, [LogLine(line.at, line.text or " ") for line in lines]
        )

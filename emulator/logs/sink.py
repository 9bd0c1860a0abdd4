"""Where a container's output goes: CloudWatch Logs streams and metrics (contract B10)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from emulator.call import Scope
from emulator.clock import now
from emulator.logs.capture import LogLine
from emulator.logs.metrics import MetricDefinition, extract


class Service(Protocol):
    """The services behind; ``storage.Storage`` is one."""

    def put_log_lines(
        self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]
    ) -> None: ...

    def last_log_line(self, scope: Scope, group: str, stream: str) -> float: ...

    def put_metric(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        value: float,
        at: float,
        dimensions: Mapping[str, str],
    ) -> None: ...


class LogSink:
    """Appends lines to log streams, and publishes the metrics that they hold.

    Args:
        service: what keeps them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def append(self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]) -> None:
        """Append lines in their order; makes the group and the stream if need be.

        CloudWatch has no empty messages: an empty line is kept as one space.
        """
        self._service.put_log_lines(
            scope, group, stream, [LogLine(line.at, line.text or " ") for line in lines]
        )

    def last(self, scope: Scope, group: str, stream: str) -> float:
        """Return the epoch seconds of the stream's last line, 0.0 if there is none."""
        return self._service.last_log_line(scope, group, stream)

    def publish(
        self,
        scope: Scope,
        namespace: str,
        dimensions: Mapping[str, str],
        definitions: Sequence[MetricDefinition],
        lines: Sequence[LogLine],
    ) -> None:
        """Publish every metric value that the lines hold, at the time of its line."""
        for line in lines:
            for name, value in extract(definitions, line.text):
                self._service.put_metric(scope, namespace, name, value, line.at, dimensions)

    def measure(
        self, scope: Scope, namespace: str, name: str, value: float, dimensions: Mapping[str, str]
    ) -> None:
        """Publish one value of a metric that no log line holds, at the present time."""
        self._service.put_metric(scope, namespace, name, value, now(), dimensions)

"""What the reconcilers need from the parts below, in their own words."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from emulator.call import Scope
from emulator.launch.driver import LogLine


class Resolved(Protocol):
    """Which local image serves a reference."""

    @property
    def image(self) -> str: ...

    @property
    def image_id(self) -> str: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...


class ResolveImage(Protocol):
    """Finds the local image for a reference; raises PermanentError saying what was looked for."""

    def __call__(self, reference: str, purpose: str) -> Resolved: ...


class Telemetry(Protocol):
    """Keeps container output as CloudWatch Logs streams, and metrics."""

    def put_log_lines(
        self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]
    ) -> None: ...

    def last_log_line(self, scope: Scope, group: str, stream: str) -> float:
        """Return the epoch seconds of the stream's last line, 0.0 for an absent stream."""
        ...

    def put_metric(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        value: float,
        at: float,
        dimensions: Mapping[str, str],
    ) -> None: ...

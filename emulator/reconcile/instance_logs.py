"""The output of an endpoint's containers: one log stream for each instance (contract B10)."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from emulator.call import Record, Scope
from emulator.clock import now
from emulator.errors import EmulatorError
from emulator.launch.driver import Launcher, Observed
from emulator.logs import LogSink, without_controls
from emulator.names import endpoint_log_group
from emulator.reconcile import labels, notices
from emulator.reconcile.follow import Followers
from emulator.reconcile.last_words import last_words, never_ran

log = logging.getLogger(__name__)


class InstanceLogs:
    """Carries the output of one endpoint's instances.

    Args:
        wake: called with scope and endpoint name when a container has written its last line.
    """

    def __init__(
        self,
        record: Record,
        launcher: Launcher,
        followers: Followers,
        logs: LogSink,
        wake: Callable[[Scope, str], None],
    ) -> None:
        self._scope, self._name = record.scope, record.name
        self._launcher = launcher
        self._followers = followers
        self._logs = logs
        self._wake = wake
        self._told = set[str]()

    def announce(
        self, variant: str, instance_id: str, warnings: Sequence[str], facts: Sequence[str]
    ) -> None:
        """Begin an instance's stream with warnings and facts; one that has begun stays as it is.

        The emulator's own log has them once for each variant.
        """
        stream = f"{variant}/{instance_id}"
        said = notices.lines(warnings, now(), facts)
        if not said or self._logs.last(self._scope, self._group, stream):
            return
        self._logs.append(self._scope, self._group, stream, said)
        if variant not in self._told:
            self._told.add(variant)
            for warning in warnings:
                log.warning("Endpoint/%s, variant %s: %s", self._name, variant, warning)
            for fact in facts:
                log.info("Endpoint/%s, variant %s: %s", self._name, variant, fact)

    def warn(self, observed: Observed, warning: str) -> None:
        """Add a warning to the stream of an instance that runs."""
        variant = observed.labels[labels.VARIANT]
        stream = f"{variant}/{observed.labels[labels.INSTANCE_ID]}"
        self._logs.append(self._scope, self._group, stream, notices.lines([warning], now()))
        log.warning("Endpoint/%s, variant %s: %s", self._name, variant, warning)

    def replaced(self, variant: str, instance_id: str, why: str) -> None:
        """End the stream of an instance with how it has ended, and that another takes its place."""
        stream = f"{variant}/{instance_id}"
        # At the time of its last line; see JobLogs.tell.
        at = self._logs.last(self._scope, self._group, stream) or now()
        text = f"this instance is replaced by another: {why}"
        self._logs.append(self._scope, self._group, stream, notices.lines([text], at))

    def follow(self, observed: Observed, *, new: bool) -> None:
        """Pass on what a container writes.

        Args:
            new: it has only just been started, so that nothing is passed on yet; whatever its
                clock says, no line of it is too old.
        """
        marks = observed.labels
        group, stream = self._group, f"{marks[labels.VARIANT]}/{marks[labels.INSTANCE_ID]}"
        self._followers.follow(
            observed.handle,
            sink=lambda lines: self._logs.append(self._scope, group, stream, lines),
            since=0.0 if new else self._logs.last(self._scope, group, stream),
            ended=lambda: self._wake(self._scope, self._name),
            rewrite=without_controls,
        )

    def obituary(self, observed: Observed | None) -> str:
        """Return how a container has ended, with the last that it had to say."""
        if observed is None:
            return "The container was removed."
        with contextlib.suppress(EmulatorError):  # the container may be going away right now
            if why := never_ran(self._output(observed)):
                return f"The container could not be started: {why}"
        cause = " for using too much memory" if observed.out_of_memory else ""
        text = f"The container exited with code {observed.exit_code}{cause}."
        last = ""
        with contextlib.suppress(EmulatorError):
            last = last_words(self._output(observed))
        return f"{text} Its last words: {last}" if last else text

    def _output(self, observed: Observed) -> Iterator[str]:
        return (line.text for line in self._launcher.logs(observed.handle, follow=False))

    @property
    def _group(self) -> str:
        return endpoint_log_group(self._name)

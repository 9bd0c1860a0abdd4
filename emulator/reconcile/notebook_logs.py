"""The output of notebook instances: one container writes the lines of several log streams."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from emulator.call import Record, Scope
from emulator.clock import now
from emulator.errors import EmulatorError
from emulator.launch.contract import notebook as contract
from emulator.launch.driver import Launcher, Observed
from emulator.logs import LogLine, LogSink
from emulator.reconcile import notices
from emulator.reconcile.follow import Followers
from emulator.reconcile.last_words import last_words
from emulator.reconcile.waiting import STREAM, Waits

log = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/NotebookInstances"
LAST_LINES = 5.0
"""Seconds without a line after which a container that has ended is taken to have no more."""
_STREAMS = (*contract.STREAMS.values(), contract.JUPYTER)


class NotebookLogs:
    """Carries the output of notebook instances.

    Args:
        wake: called with scope and name when a container has written its last line.
    """

    def __init__(
        self,
        launcher: Launcher,
        followers: Followers,
        logs: LogSink,
        wake: Callable[[Scope, str], None],
    ) -> None:
        self._launcher = launcher
        self._followers = followers
        self._logs = logs
        self._wake = wake
        self._waits = Waits(logs)

    def tell_wait(self, record: Record, reason: str) -> None:
        """Tell, once for each wait, why an instance waits."""
        self._waits.tell(record, LOG_GROUP, f"{record.name}/{STREAM}", reason)

    def wait_over(self, record: Record) -> None:
        self._waits.over(record)

    def warn(self, record: Record, warning: str) -> None:
        """Tell of a risk, in Jupyter's stream and in the emulator's own log."""
        stream = f"{record.name}/{contract.JUPYTER}"
        self._logs.append(record.scope, LOG_GROUP, stream, notices.lines([warning], now()))
        log.warning("NotebookInstance/%s: %s", record.name, warning)

    def follow(self, record: Record, observed: Observed, *, new: bool = False) -> None:
        """Pass on what the container writes, from where an earlier run has left off.

        Args:
            new: it has only just been started, so that nothing is passed on yet.
        """
        self._followers.follow(
            observed.handle,
            sink=lambda lines: self._append(record, lines),
            since=0.0 if new else self._last(record),
            ended=lambda: self._wake(record.scope, record.name),
        )

    def finish(self, observed: Observed) -> None:
        """Wait until the last line of a container that has ended is passed on."""
        self._followers.finish(observed.handle, LAST_LINES)

    def failure(self, observed: Observed) -> str:
        """Return why a container says that it could not start; empty if it does not."""
        said = [text for stream, text in self._output(observed) if stream == contract.FAILURE]
        return said[-1] if said else ""

    def obituary(self, observed: Observed | None) -> str:
        """Return how a container has ended, with the last that it had to say."""
        if observed is None:
            return "Its container was removed."
        cause = " for using too much memory" if observed.out_of_memory else ""
        text = f"Its container exited with code {observed.exit_code}{cause}."
        last = last_words(text for _, text in self._output(observed))
        return f"{text} Its last words: {last}" if last else text

    def _append(self, record: Record, lines: Sequence[LogLine]) -> None:
        for stream, group in groupby(_split(lines), key=lambda pair: pair[0]):
            if stream != contract.FAILURE:
                texts = [line for _, line in group]
                self._logs.append(record.scope, LOG_GROUP, f"{record.name}/{stream}", texts)

    def _last(self, record: Record) -> float:
        streams = (f"{record.name}/{stream}" for stream in _STREAMS)
        return max(self._logs.last(record.scope, LOG_GROUP, stream) for stream in streams)

    def _output(self, observed: Observed) -> list[tuple[str, str]]:
        with contextlib.suppress(EmulatorError):  # the container may be going away right now
            output = self._launcher.logs(observed.handle, follow=False)
            return [contract.split(line.text) for line in output]
        return []


def _split(lines: Iterable[LogLine]) -> Iterable[tuple[str, LogLine]]:
    for line in lines:
        stream, text = contract.split(line.text)
        yield stream, LogLine(line.at, text)

"""A training job's output: one log stream for each host, and the metrics in it (contract B10)."""

import logging
from collections import deque
from collections.abc import Callable, Sequence

from emulator.call import Document, Record, Scope
from emulator.launch.contract import training as contract
from emulator.launch.driver import Launcher, Observed
from emulator.logs import (
    LogLine,
    LogSink,
    MetricDefinition,
    extract,
    from_request,
    without_controls,
)
from emulator.logs.statistics import SUMMARIES, summarize
from emulator.reconcile import labels, notices
from emulator.reconcile.follow import Followers

log = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
METRIC_NAMESPACE = "/aws/sagemaker/TrainingJobs"
_TOLD, _TOLD_OF_EACH = 10, 1000
"""Lines that the emulator's own log has of a host that failed, and characters of each."""
LAST_LINES = 10.0
"""Seconds without a line after which a container that has ended is taken to have no more."""


class JobLogs:
    """Carries the output of training jobs.

    Args:
        wake: called with scope and job name when a container has written its last line.
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

    def announce(self, record: Record, host: str) -> None:
        """Begin a host's stream with the job's warnings; a stream that has begun stays as it is."""
        warnings = record.document["Emulator"].get("Warnings")
        stream = _stream(record, host)
        if not warnings or self._logs.last(record.scope, LOG_GROUP, stream):
            return
        self._logs.append(
            record.scope, LOG_GROUP, stream, notices.lines(warnings, _announced_at(record))
        )
        if host == contract.hosts(record.document)[0]:
            for warning in warnings:
                log.warning("TrainingJob/%s: %s", record.name, warning)

    def tell(self, record: Record, host: str, fact: str) -> None:
        """Add a fact to a host's stream, and to the emulator's own log."""
        log.info("TrainingJob/%s: %s", record.name, fact)
        stream = _stream(record, host)
        # At the time of the line before it: a later one could hide what the container has written
        # and nobody has passed on yet from an emulator that takes over.
        at = self._logs.last(record.scope, LOG_GROUP, stream) or _announced_at(record)
        self._logs.append(record.scope, LOG_GROUP, stream, notices.lines((), at, [fact]))

    def follow(self, record: Record, hosts: list[Observed]) -> None:
        """Pass on what the containers write, from where an earlier run has left off."""
        for observed in hosts:
            stream = _stream(record, observed.labels[labels.HOST])
            last = self._logs.last(record.scope, LOG_GROUP, stream)
            self._followers.follow(
                observed.handle,
                sink=self._sink(record, stream),
                # Warnings are no lines of the container, whose clock may be behind this one.
                since=last if last > _announced_at(record) else 0.0,
                ended=lambda: self._wake(record.scope, record.name),
                rewrite=without_controls,
            )

    def finish(self, hosts: list[Observed]) -> None:
        """Wait until the last line of containers that have ended is passed on."""
        for host in hosts:
            self._followers.finish(host.handle, LAST_LINES)

    def tell_end(self, record: Record, failed: Observed) -> None:
        """Have the emulator's own log say how a host failed, and what it wrote last.

        The host's stream ends with the same lines. Without a failure file, FailureReason has
        nothing but the exit code, and a person would have to look for the stream.
        """
        output = self._launcher.logs(failed.handle, follow=False)
        last = deque((without_controls(line.text)[:_TOLD_OF_EACH] for line in output), _TOLD)
        log.warning(
            "TrainingJob/%s: %s ended with exit code %s. %s",
            *(record.name, failed.labels[labels.HOST], failed.exit_code),
            "\n  ".join(("Its last lines:", *last)) if last else "It wrote nothing.",
        )

    def final_metrics(self, record: Record, hosts: list[Observed]) -> Document:
        """Return the last value of each metric, from the whole output (contract B3).

        What all its values come to is told beside it, for the job's trial component.
        """
        definitions, last = _metric_definitions(record), dict[str, Document]()
        values: dict[str, list[float]] = {}
        for host in hosts if definitions else []:
            for line in self._launcher.logs(host.handle, follow=False):
                for name, value in extract(definitions, without_controls(line.text)):
                    last[name] = {"MetricName": name, "Value": value, "Timestamp": line.at}
                    values.setdefault(name, []).append(value)
        if not last:
            return {}
        summaries = [
            {"MetricName": name, "TimeStamp": one["Timestamp"], **summarize(values[name])}
            for name, one in last.items()
        ]
        return {"FinalMetricDataList": list(last.values()), SUMMARIES: summaries}

    def _sink(self, record: Record, stream: str) -> Callable[[Sequence[LogLine]], None]:
        definitions = _metric_definitions(record)
        dimensions = {"TrainingJobName": record.name}

        def sink(lines: Sequence[LogLine]) -> None:
            self._logs.append(record.scope, LOG_GROUP, stream, lines)
            self._logs.publish(record.scope, METRIC_NAMESPACE, dimensions, definitions, lines)

        return sink


def _stream(record: Record, host: str) -> str:
    return f"{record.name}/{host}-{int(record.document['TrainingStartTime'])}"


def _announced_at(record: Record) -> float:
    at: float = record.document["TrainingStartTime"]
    return at


def _metric_definitions(record: Record) -> list[MetricDefinition]:
    return from_request(record.document["AlgorithmSpecification"].get("MetricDefinitions", []))

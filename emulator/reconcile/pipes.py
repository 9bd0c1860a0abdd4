"""Channels in Pipe mode: one thread per channel and host feeds its named pipes (contract B9).

The pipes of two epochs are always there, so that a reader that goes straight on to the next, or
leaves one at its first byte, finds it. A thread that can't go on keeps the pipe open, so that the
reader never takes what came for the whole, and wakes the job, which asks for the problem.
"""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from emulator import channels
from emulator.call import Record, Scope
from emulator.reconcile import reasons
from emulator.reconcile.artifacts import place_manifest
from emulator.reconcile.fifos import Fifo, Over, Signal, send
from emulator.reconcile.workspace import Workspace
from emulator.staging.inputs import Objects
from emulator.staging.streams import Stream

log = logging.getLogger(__name__)

_AHEAD = 2
"""Epochs whose pipes are there at a time, the present one's included."""


class _Feed:
    """Feeds one channel of one host for as many epochs as it is read."""

    def __init__(
        self, directory: Path, name: str, stream: Stream, failed: Callable[[], None]
    ) -> None:
        self.problem = ""
        self._directory = directory
        self._name = name
        self._stream = stream
        self._failed = failed
        self._fifos: list[Fifo] = []
        try:
            for epoch in range(_AHEAD):
                self._make(epoch)
        except BaseException:
            self._remove()
            raise
        self._guard = threading.Lock()
        self._over = False
        self._stop = Signal()
        self._held: int | None = None
        self._thread = threading.Thread(target=self._run, name=f"pipe {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end, wherever it waits."""
        with self._guard:
            self._over = True
            self._stop.give()
            # Held until the thread has ended: it may be about to wait for a reader.
            self._held = self._fifos[0].reader()

    def join(self) -> None:
        """Wait for the end of the thread, and take the pipes away."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._held is not None:
            os.close(self._held)
        self._remove()
        self._stop.close()
        self._stream.close()

    def _make(self, epoch: int) -> None:
        self._fifos.append(Fifo(self._directory / f"{self._name}_{epoch}"))

    def _remove(self) -> None:
        for fifo in self._fifos:
            fifo.remove()

    def _run(self) -> None:
        try:
            for epoch in itertools.count():
                self._feed(epoch)
        except Over:
            pass

    def _feed(self, epoch: int) -> None:
        writer = self._fifos[0].writer()
        try:
            if self._over:
                raise Over
            self._send(writer, epoch)
            self._make(epoch + _AHEAD)
            self._advance()
        except Over:
            raise
        except Exception as error:
            self._fail(error)
        finally:
            os.close(writer)

    def _send(self, writer: int, epoch: int) -> None:
        try:
            for piece in self._stream.epoch(epoch):
                send(writer, piece, self._stop)
        except BrokenPipeError:
            log.debug("the reader of %s_%d has enough", self._name, epoch)

    def _advance(self) -> None:
        """Take the present pipe's name away, before its reader sees the end."""
        with self._guard:
            if self._over:
                raise Over
            self._fifos.pop(0).remove()

    def _fail(self, error: Exception) -> None:
        """Tell of a problem and keep the pipe open until the job has seen to it; raises Over."""
        log.warning("channel %s can't be fed: %s", self._name, error)
        self.problem = reasons.detail(error)
        self._failed()
        self._stop.wait()


class Pipes:
    """The feeds of all jobs.

    Args:
        objects: S3 as a scope sees it.
        wake: called with a job's scope and name when one of its feeds has a problem.
    """

    def __init__(
        self, objects: Callable[[Scope], Objects], wake: Callable[[Scope, str], None]
    ) -> None:
        self._objects = objects
        self._wake = wake
        self._feeds: dict[tuple[Scope, str], list[_Feed]] = {}

    def begin(self, record: Record, workspaces: Sequence[Workspace]) -> list[str]:
        """Make the first pipes of all hosts and wait for readers; twice does no harm.

        Returns:
            What the readers would not notice, in sentences.

        Raises:
            PermanentError: a channel can't be streamed; then there is no pipe.
            OSError: this machine does not let us.
        """
        if self._key(record) in self._feeds:
            return []
        objects = self._objects(record.scope)
        feeds: list[_Feed] = []
        warnings: dict[str, None] = {}
        try:
            for host, workspace in enumerate(workspaces):
                for channel in channels.piped(record.document):
                    place_manifest(objects, record.document, channel, workspace)
                    stream = Stream(objects, channel, host=host, hosts=len(workspaces))
                    warnings |= dict.fromkeys(stream.warnings)
                    feeds.append(self._feed(record, channel["ChannelName"], workspace, stream))
        except BaseException:
            _end(feeds)
            raise
        for feed in feeds:
            feed.start()
        if feeds:
            self._feeds[self._key(record)] = feeds
        return list(warnings)

    def cut(self, record: Record) -> bool:
        """Say whether readers lost their pipes with the process that fed them.

        That is so of every job with such channels, and with containers, that this one does not
        feed. What they read may have been all or not, and nobody can tell.
        """
        return bool(channels.piped(record.document)) and self._key(record) not in self._feeds

    def problem(self, record: Record) -> str:
        """Return a running job's reason to fail, as far as its pipes give one; else empty."""
        if self.cut(record):
            return reasons.PIPES_CUT
        feeds = self._feeds.get(self._key(record), ())
        problem = next((feed.problem for feed in feeds if feed.problem), "")
        return reasons.download(problem) if problem else ""

    def end(self, scope: Scope, name: str) -> None:
        """Close the job's pipes, which readers take for the end of an epoch; absent is fine."""
        _end(self._feeds.pop((scope, name), []))

    def close(self) -> None:
        """End all feeds."""
        for scope, name in list(self._feeds):
            self.end(scope, name)

    def _key(self, record: Record) -> tuple[Scope, str]:
        return record.scope, record.name

    def _feed(self, record: Record, channel: str, workspace: Workspace, stream: Stream) -> _Feed:
        try:
            return _Feed(
                workspace.channel(channel).parent,
                channel,
                stream,
                lambda: self._wake(record.scope, record.name),
            )
        except BaseException:
            stream.close()
            raise


def _end(feeds: Sequence[_Feed]) -> None:
    for feed in feeds:
        feed.stop()
    for feed in feeds:
        feed.join()

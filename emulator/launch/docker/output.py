"""What a container wrote, read whole from the engine's log stream.

The engine cuts lines into entries of 16 KiB, repeats entries when a stream is resumed, and ends a
stream silently when it restarts. Here entries become lines again, each exactly once. Decoding is
pure; `Output` is the only part that reads.
"""

import calendar
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from emulator.errors import TemporaryError
from emulator.launch.driver import LogLine

from .engine import Absent, Conflict, Engine

log = logging.getLogger(__name__)

_HEADER = 8
_NANO = 1_000_000_000
_SLACK = _NANO
_PATIENCE_SECONDS = 60.0
_BREAK_SECONDS = 0.05


@dataclass(frozen=True)
class Entry:
    """One record of the engine's log: a line, or 16 KiB of one that goes on.

    Attributes:
        source: 1 for stdout, 2 for stderr.
        at: nanoseconds since the epoch.
    """

    source: int
    at: int
    text: bytes


def timestamp(text: str) -> int:
    """Return nanoseconds since the epoch of an RFC 3339 time, 0 for the engine's zero time.

    Raises ValueError for anything else.
    """
    if text.startswith("0001-"):
        return 0
    seconds, _, rest = text.partition(".")
    if rest:
        fraction = rest.rstrip("Z").partition("+")[0].partition("-")[0]
        zone = rest[len(fraction) :]
    else:
        seconds, zone = text[:19], text[19:]
        fraction = ""
    at = calendar.timegm(time.strptime(seconds[:19], "%Y-%m-%dT%H:%M:%S"))
    return (at - _offset(zone)) * _NANO + int(fraction.ljust(9, "0")[:9])


def _offset(zone: str) -> int:
    if zone in ("", "Z"):
        return 0
    hours, minutes = zone[1:].split(":")
    return int(zone[0] + "1") * (int(hours) * 3600 + int(minutes) * 60)


def entries(chunks: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the entries of a multiplexed log stream with timestamps; a cut-off tail is dropped."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _HEADER:
            end = _HEADER + int.from_bytes(buffer[4:_HEADER], "big")
            if len(buffer) < end:
                break
            at, _, text = bytes(buffer[_HEADER:end]).partition(b" ")
            yield Entry(buffer[0], timestamp(at.decode()), text)
            del buffer[:end]


class Lines:
    """Joins entries to lines and lets each line through once, also when entries are repeated.

    The times of one source never tie it to the other: stdout and stderr are stamped apart.

    Args:
        since: only lines that ended after this time (epoch seconds) come through.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._open: dict[int, list[Entry]] = {}
        self._last: dict[int, tuple[int, int]] = {}
        self._repeated: dict[int, tuple[int, int]] = {}
        self._place: dict[int, tuple[int, int]] = {}

    def restart(self) -> int:
        """Expect entries again from the returned time on (nanoseconds since the epoch)."""
        begun = [parts[0].at for parts in self._open.values()]
        last = max((at for at, _ in self._last.values()), default=int(self._since * _NANO))
        self._open.clear()
        self._place.clear()
        self._repeated = dict(self._last)
        return max(0, min([last, *begun]) - _SLACK)

    def take(self, entry: Entry) -> LogLine | None:
        """Return the line that this entry completes, unless it is known already."""
        self._open.setdefault(entry.source, []).append(entry)
        return self._complete(entry.source) if entry.text.endswith(b"\n") else None

    def rest(self) -> Iterator[LogLine]:
        """Yield the last lines, which had no newline; the container has ended."""
        for source in sorted(self._open):
            if line := self._complete(source):
                yield line

    def _complete(self, source: int) -> LogLine | None:
        parts = self._open.pop(source)
        at = parts[-1].at
        before, count = self._place.get(source, (-1, 0))
        place = self._place[source] = (at, count + 1 if at == before else 1)
        if at / _NANO <= self._since:
            return None
        if source in self._repeated:
            if place <= self._repeated[source]:
                return None
            del self._repeated[source]  # from here on all is new, even if the clock was set back
        self._last[source] = place
        text = b"".join(part.text for part in parts)
        return LogLine(at / _NANO, text.removesuffix(b"\n").decode(errors="replace"))


class Output:
    """Reads one container's output.

    Args:
        running: says whether the container still runs; None when it is gone.
    """

    def __init__(self, engine: Engine, handle: str, running: Callable[[], bool | None]) -> None:
        self._engine = engine
        self._handle = handle
        self._running = running
        self._pause = threading.Event()

    def lines(self, since: float, follow: bool) -> Iterator[LogLine]:
        """Yield lines written after `since` (epoch seconds), until the end if `follow`.

        Raises TemporaryError when the engine stays away for a minute.
        """
        joined = Lines(since)
        while True:
            running = self._state()
            if running is None:
                return
            try:
                broken = yield from self._read(joined, joined.restart(), follow and running)
            except (Absent, Conflict):  # removed, or being removed
                return
            if not broken and not (follow and running):
                yield from joined.rest()
                return
            if self._engine.closed:
                return
            if broken:
                self._pause.wait(_BREAK_SECONDS)

    def _read(self, joined: Lines, start: int, follow: bool) -> Generator[LogLine, None, bool]:
        """Yield the new lines of one stream; returns whether it broke before its end."""
        stream = self._engine.stream(
            f"/containers/{self._handle}/logs",
            stdout=1,
            stderr=1,
            timestamps=1,
            follow=int(follow),
            since=f"{start // _NANO}.{start % _NANO:09d}",
        )
        try:
            for entry in entries(stream.chunks()):
                if line := joined.take(entry):
                    yield line
        finally:
            stream.close()
        return stream.broken

    def _state(self) -> bool | None:
        """Return whether the container runs, waiting for an engine that restarts."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._running()
            except TemporaryError as error:
                if time.monotonic() > deadline or self._engine.closed:
                    raise
                log.info("output of %s interrupted: %s", self._handle[:12], error)
                self._pause.wait(0.5)

"""Lines of a running container into batches; decides when a batch goes, not where."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from emulator import clock

# CloudWatch's limit of one event's message, in bytes of UTF-8.
MAX_MESSAGE = 256 * 1024
BATCH_LINES = 1_000
WAITING_LINES = 20_000
LATENCY = 0.2


class Line(Protocol):
    """One line as a launcher yields it: epoch seconds and text."""

    @property
    def at(self) -> float: ...

    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class LogLine:
    """One line on its way to a stream. ``at`` is epoch seconds."""

    at: float
    text: str


def capture(
    lines: Iterable[Line],
    sink: Callable[[Sequence[LogLine]], None],
    *,
    latency: float = LATENCY,
    rewrite: Callable[[str], str] = str,
) -> None:
    """Hand the lines to `sink` in batches until they end.

    A line waits at most about `latency` seconds, however slowly its successors come. Each goes
    through `rewrite`, and lines over 256 KB are then split. What `lines` raises comes out of here
    after the lines before it went to the sink; what `sink` raises comes out at once. Reading
    happens in a thread of its own.
    """
    arrived: queue.Queue[LogLine | _End] = queue.Queue(WAITING_LINES)
    stopped = threading.Event()
    reader = threading.Thread(
        target=_read, args=(lines, rewrite, arrived, stopped), name="log-reader", daemon=True
    )
    reader.start()
    try:
        _drain(arrived, sink, latency)
    finally:
        stopped.set()


def _drain(
    arrived: "queue.Queue[LogLine | _End]",
    sink: Callable[[Sequence[LogLine]], None],
    latency: float,
) -> None:
    while True:
        item = arrived.get()
        batch: list[LogLine] = []
        deadline = clock.monotonic() + latency
        while not isinstance(item, _End):
            batch.append(item)
            left = deadline - clock.monotonic()
            if left <= 0 or len(batch) >= BATCH_LINES:
                break
            try:
                item = arrived.get(timeout=left)
            except queue.Empty:
                break
        if batch:
            sink(batch)
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


def _read(
    lines: Iterable[Line],
    rewrite: Callable[[str], str],
    arrived: "queue.Queue[LogLine | _End]",
    stopped: threading.Event,
) -> None:
    end = _End()
    try:
        for line in lines:
            for text in split(rewrite(line.text)):
                if not _offer(arrived, LogLine(line.at, text), stopped):
                    return
    except BaseException as error:
        end = _End(error)
    _offer(arrived, end, stopped)


def _offer(
    arrived: "queue.Queue[LogLine | _End]", item: "LogLine | _End", stopped: threading.Event
) -> bool:
    """Wait for room, so that a slow sink slows the reader down instead of filling memory."""
    while not stopped.is_set():
        try:
            arrived.put(item, timeout=0.5)
        except queue.Full:
            continue
        return True
    return False


def split(text: str, limit: int = MAX_MESSAGE) -> Iterator[str]:
    """Yield the text in pieces of at most `limit` bytes of UTF-8, never inside a character."""
    if len(text) * 4 <= limit:
        yield text
        return
    data = text.encode("utf-8", "replace")
    start = 0
    while True:
        end = min(start + limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode()
        start = end
        if start >= len(data):
            return

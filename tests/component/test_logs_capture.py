"""Lines into batches: soon, whole, in order, all of them."""

import queue
import threading
from collections.abc import Iterator, Sequence

import pytest

from emulator.call import Scope
from emulator.logs import LogLine, LogSink, capture, from_request, without_controls
from emulator.logs.capture import MAX_MESSAGE, split

SCOPE = Scope("123456789012", "us-east-1")


def lines(count: int) -> list[LogLine]:
    return [LogLine(float(n), f"line {n}") for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 25_000])
def test_every_line_arrives_once_and_in_order(count: int) -> None:
    batches: list[Sequence[LogLine]] = []
    capture(lines(count), batches.append)
    assert [line for batch in batches for line in batch] == lines(count)
    assert all(0 < len(batch) <= 1000 for batch in batches)


def test_a_line_does_not_wait_for_the_next() -> None:
    last_may_come = threading.Event()
    arrived: queue.Queue[Sequence[LogLine]] = queue.Queue()

    def slow() -> Iterator[LogLine]:
        yield from lines(2)
        assert last_may_come.wait(60)
        yield LogLine(9.0, "last")

    thread = threading.Thread(target=capture, args=(slow(), arrived.put))
    thread.start()
    first = arrived.get(timeout=60)
    last_may_come.set()
    thread.join(60)
    assert [line.text for line in first] == ["line 0", "line 1"]
    assert [line.text for line in arrived.get(timeout=60)] == ["last"]


def test_lines_read_before_a_failure_are_not_lost() -> None:
    def failing() -> Iterator[LogLine]:
        yield from lines(3)
        raise ConnectionError("the engine went away")

    batches: list[Sequence[LogLine]] = []
    with pytest.raises(ConnectionError, match="went away"):
        capture(failing(), batches.append)
    assert [line for batch in batches for line in batch] == lines(3)


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("", 1),
        ("x" * MAX_MESSAGE, 1),
        ("x" * (MAX_MESSAGE + 1), 2),
        ("é" * MAX_MESSAGE, 2),
        ("😀" * (MAX_MESSAGE // 4), 1),
        ("x" + "😀" * (MAX_MESSAGE // 4), 2),
    ],
)
def test_a_long_line_is_split_between_characters(text: str, pieces: int) -> None:
    parts = list(split(text))
    assert "".join(parts) == text
    assert len(parts) == pieces
    assert all(len(part.encode()) <= MAX_MESSAGE for part in parts)


class Recorder:
    """The services behind a sink, remembering what they were told."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.values: list[tuple[str, float, float]] = []

    def put_log_lines(
        self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]
    ) -> None:
        self.lines += lines

    def last_log_line(self, scope: Scope, group: str, stream: str) -> float:
        return self.lines[-1].at if self.lines else 0.0

    def put_metric(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        value: float,
        at: float,
        dimensions: object,
    ) -> None:
        self.values.append((name, value, at))


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain", "plain"),
        ("", ""),
        ("[0]\ttrain-rmse:0.5\r", "[0]#011train-rmse:0.5#015"),
        ("\x1b[31mred\x1b[0m", "#033[31mred#033[0m"),
        ("\0\x01\x1f\x7f", "#000#001#037#177"),
        ("größer 😀 \ufffd \u00a0 \x85", "größer 😀 \ufffd \u00a0 \x85"),
    ],
)
def test_control_characters_are_shown_in_octal(text: str, shown: str) -> None:
    batches: list[Sequence[LogLine]] = []
    capture([LogLine(1.0, text)], batches.append, rewrite=without_controls)
    assert batches == [[LogLine(1.0, shown)]]


def test_a_line_that_grows_is_split_for_its_new_length() -> None:
    batches: list[Sequence[LogLine]] = []
    capture([LogLine(1.0, "\r" * MAX_MESSAGE)], batches.append, rewrite=without_controls)
    texts = [line.text for batch in batches for line in batch]
    assert [len(text) for text in texts] == [MAX_MESSAGE] * 4


def test_an_empty_line_is_kept_as_a_space() -> None:
    recorder = Recorder()
    LogSink(recorder).append(SCOPE, "g", "s", [LogLine(1.0, ""), LogLine(2.0, "\ttab")])
    assert [line.text for line in recorder.lines] == [" ", "\ttab"]


def test_a_sink_that_fails_ends_the_capture() -> None:
    def endless() -> Iterator[LogLine]:
        while True:
            yield LogLine(1.0, "x")

    def refuse(lines: Sequence[LogLine]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        capture(endless(), refuse)


def test_values_in_lines_are_published_at_the_lines_time() -> None:
    recorder = Recorder()
    sink = LogSink(recorder)
    sink.append(SCOPE, "g", "s", [LogLine(5.0, "loss=0.5;")])
    definitions = from_request([{"Name": "loss", "Regex": "loss=(.*?);"}])
    sink.publish(SCOPE, "n", {}, definitions, recorder.lines)
    assert recorder.values == [("loss", 0.5, 5.0)]
    assert sink.last(SCOPE, "g", "s") == 5.0

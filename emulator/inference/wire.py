"""One HTTP/1.1 connection to a serving container: a request out, a reply in, bytes untouched.

Knows enough of HTTP/1.1 to find where a reply ends: Content-Length, chunked, or the end of the
connection. Everything has a limit: time by a deadline, the head and the body by size. It never
parses a body, follows a redirect or retries; `emulator.inference.pool` decides about retries.

A connection is kept only if nothing of this reply can still be on its way: what a container writes
after the end of a reply would be taken for the beginning of the next one, which another client
waits for.
"""

import select
import socket
from dataclasses import dataclass

from emulator import clock

HEAD_LIMIT = 64 * 1024
_CHUNK_LINE_LIMIT = 4 * 1024
_READ_SIZE = 64 * 1024
_LARGE_READ = 1024 * 1024
_LARGE = 256 * 1024
# Whatever their headers announce: 101 changes the protocol, the others never have a body.
_NO_BODY = (101, 204, 304)
# What may stand around a header's value; str.strip takes bytes of UTF-8 away, too.
_BLANKS = " \t"
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
# Linux only; elsewhere there is nothing to set.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class NoReply(Exception):
    """The container broke off before a whole reply arrived.

    Attributes:
        started: whether any byte of the reply had arrived.
        status: the reply's status if its head had arrived, else 0.
    """

    def __init__(self, why: str, *, started: bool, status: int = 0) -> None:
        super().__init__(why)
        self.started = started
        self.status = status


class TooSlow(Exception):
    """The deadline passed before a whole reply arrived."""


class ReplyTooLarge(Exception):
    """The body of the reply exceeds the limit."""

    def __init__(self, status: int) -> None:
        super().__init__("the reply is too large")
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply; header names are in lower case, the last of equal names counts.

    The body stays in the pieces it came in: joining them would copy megabytes for nothing.
    """

    status: int
    headers: dict[str, str]
    body: list[bytes]


class Connection:
    """A connection to one container, for one exchange at a time.

    Raises OSError from the constructor if nobody listens, TooSlow if the deadline passes.

    Args:
        deadline: seconds of `clock.monotonic` by which the connection must stand.
    """

    __slots__ = ("_buffer", "_reader", "_socket", "_started", "_status", "_writer", "reusable")

    def __init__(self, host: str, port: int, deadline: float) -> None:
        try:
            self._socket = socket.create_connection((host, port), _remaining(deadline))
        except TimeoutError as error:
            raise TooSlow from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._reader = select.poll()
        self._reader.register(self._socket, select.POLLIN)
        self._writer = select.poll()
        self._writer.register(self._socket, select.POLLIN | select.POLLOUT)
        self._buffer = b""
        self._started = False
        self._status = 0
        self.reusable = True

    def close(self) -> None:
        self._socket.close()

    def alive(self) -> bool:
        """Tell whether an idle connection still stands: nothing to read, not even its end."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def exchange(self, head: bytes, body: bytes, deadline: float, limit: int) -> Reply:
        """Send one request and return the reply; afterwards `reusable` tells what to do with it.

        Args:
            head: request line and headers with the empty line.
            deadline: seconds of `clock.monotonic`.
            limit: the most bytes that the reply's body may have.

        Raises NoReply, TooSlow or ReplyTooLarge; the connection is not reusable then.
        """
        self.reusable = False
        self._started = False
        self._status = 0
        sent = self._send(head, body, deadline)
        status, headers, keeps = self._read_head(deadline)
        self._status = status
        content, delimited = self._read_body(headers, deadline, limit)
        self.reusable = sent and keeps and delimited and not self._buffer
        return Reply(status, headers, content)

    def _send(self, head: bytes, body: bytes, deadline: float) -> bool:
        """Send all; False if the container answered or closed before it took everything."""
        if len(body) < _LARGE:
            return self._send_all(head + body, deadline)
        return self._send_all(head, deadline) and self._send_all(body, deadline)

    def _send_all(self, data: bytes, deadline: float) -> bool:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                if self._wait(self._writer, deadline) & select.POLLIN:
                    return False
            except OSError:
                # What it said before it closed may still be there to read.
                return False
        return True

    def _read_head(self, deadline: float) -> tuple[int, dict[str, str], bool]:
        """Return the status, the headers, and whether the connection is kept after the reply."""
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT:
                    raise self._broken("the head of the reply is too long")
                self._fill(deadline)
                continue
            lines = self._buffer[:end].decode("latin-1").split("\r\n")
            self._buffer = self._buffer[end + 4 :]
            version, _, rest = lines[0].partition(" ")
            code = rest.partition(" ")[0]
            if not version.startswith("HTTP/1.") or len(code) != 3 or not _is_digits(code):
                raise self._broken(f"not a status line: {lines[0][:80]!r}")
            status = int(code)
            if 100 <= status < 200 and status != 101:
                continue  # an interim reply; the real one follows
            headers = self._headers(lines[1:])
            return status, headers, _keeps(version, headers)

    def _headers(self, lines: list[str]) -> dict[str, str]:
        headers: dict[str, str] = {}
        last = ""
        for line in lines:
            if last and line[:1] in (" ", "\t"):
                # Old servers fold a long value into several lines.
                headers[last] = f"{headers[last]} {line.strip(_BLANKS)}"
                continue
            name, colon, value = line.partition(":")
            if not colon:
                raise self._broken(f"not a header: {line[:80]!r}")
            last, value = name.strip(_BLANKS).lower(), value.strip(_BLANKS)
            if last == "content-length" and headers.get(last, value) != value:
                raise self._broken("two Content-Lengths that differ")
            headers[last] = value
        return headers

    def _read_body(
        self, headers: dict[str, str], deadline: float, limit: int
    ) -> tuple[list[bytes], bool]:
        """Return the body and whether its end was marked, not just the connection's end."""
        length = headers.get("content-length")
        if self._status in _NO_BODY:
            # Some servers send one all the same, perhaps only later.
            return [], False
        coding = headers.get("transfer-encoding", "identity").lower()
        if coding == "chunked":
            # With a Content-Length beside it, sender and reader may disagree about the end.
            return self._read_chunks(deadline, limit), length is None
        if coding != "identity":
            raise self._broken(f"not a transfer coding that is known here: {coding[:80]!r}")
        if length is None:
            return self._read_to_end(deadline, limit), False
        if not _is_digits(length):
            raise self._broken(f"not a Content-Length: {length[:80]!r}")
        if int(length) > limit:
            raise ReplyTooLarge(self._status)
        return self._take(int(length), deadline), True

    def _read_chunks(self, deadline: float, limit: int) -> list[bytes]:
        chunks: list[bytes] = []
        total = 0
        while True:
            line = self._read_line(deadline).split(b";", 1)[0].strip()
            if not line or not _HEX_DIGITS.issuperset(line):
                raise self._broken("not a chunk")
            size = int(line, 16)
            if not size:
                break
            total += size
            if total > limit:
                raise ReplyTooLarge(self._status)
            chunks += self._take(size, deadline)
            if b"".join(self._take(2, deadline)) != b"\r\n":
                raise self._broken("a chunk does not end")
        while self._read_line(deadline):
            pass  # trailers
        return chunks

    def _read_line(self, deadline: float) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _CHUNK_LINE_LIMIT:
                raise self._broken("a line is too long")
            self._fill(deadline)
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _read_to_end(self, deadline: float, limit: int) -> list[bytes]:
        pieces = [self._buffer]
        total = len(self._buffer)
        self._buffer = b""
        while total <= limit:
            try:
                piece = self._receive(_READ_SIZE, deadline)
            except OSError as error:
                raise self._broken(str(error)) from error
            if not piece:
                return pieces
            pieces.append(piece)
            total += len(piece)
        raise ReplyTooLarge(self._status)

    def _take(self, size: int, deadline: float) -> list[bytes]:
        """Return exactly `size` bytes, in the pieces they came in."""
        if len(self._buffer) >= size:
            taken, self._buffer = self._buffer[:size], self._buffer[size:]
            return [taken]
        pieces = [self._buffer]
        missing = size - len(self._buffer)
        self._buffer = b""
        while missing:
            self._hurry()
            try:
                piece = self._receive(min(missing, _LARGE_READ), deadline)
            except OSError as error:
                raise self._broken(str(error)) from error
            if not piece:
                raise self._broken("the reply ends too early")
            pieces.append(piece)
            missing -= len(piece)
        return pieces

    def _fill(self, deadline: float) -> None:
        """Add what arrives next to the buffer."""
        if self._started:
            self._hurry()
        try:
            piece = self._receive(_READ_SIZE, deadline)
        except OSError as error:
            raise self._broken(str(error)) from error
        if not piece:
            raise self._broken("the connection was closed")
        self._started = True
        self._buffer = self._buffer + piece if self._buffer else piece

    def _hurry(self) -> None:
        """Acknowledge at once what has arrived of a reply whose rest is due.

        A server that writes head and body apart, and has Nagle's algorithm on, keeps the body
        until the head is acknowledged, which the kernel would put off for 40 ms.
        """
        if _QUICKACK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _receive(self, size: int, deadline: float) -> bytes:
        while True:
            self._wait(self._reader, deadline)
            try:
                return self._socket.recv(size)
            except BlockingIOError:
                continue

    def _broken(self, why: str) -> NoReply:
        return NoReply(why, started=self._started, status=self._status)

    def _wait(self, poll: select.poll, deadline: float) -> int:
        """Wait until the socket is ready and return the poll's events; raises TooSlow."""
        ready = poll.poll(_remaining(deadline) * 1000)
        if not ready:
            raise TooSlow
        return ready[0][1]


def _remaining(deadline: float) -> float:
    remaining = deadline - clock.monotonic()
    if remaining <= 0:
        raise TooSlow
    return remaining


def _keeps(version: str, headers: dict[str, str]) -> bool:
    """Tell whether the container keeps the connection after its reply, by what it says."""
    connection = headers.get("connection", "").lower()
    return "keep-alive" in connection if version == "HTTP/1.0" else "close" not in connection


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()

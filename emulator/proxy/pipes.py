"""Bytes from one connection to another, as they come; nothing is kept and no body is held whole.

Requests to a bucket's own host are the one thing that is changed: the bucket goes into the path,
since the emulator does not look at the Host header. Replies are never looked at.
"""

import asyncio
from asyncio import StreamReader, StreamWriter

CHUNK = 256 * 1024
"""Bytes that are read at once, and the longest head of a request."""


class Malformed(Exception):
    """What a client sent is not HTTP."""


async def copy(source: StreamReader, sink: StreamWriter) -> None:
    """Copy until the source ends, then end the sink's half where the connection has halves."""
    while chunk := await source.read(CHUNK):
        sink.write(chunk)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def copy_requests(source: StreamReader, sink: StreamWriter, bucket: str) -> None:
    """Copy one HTTP/1 request after another with the bucket put before its path.

    Raises:
        Malformed: a request has no end that could be found.
    """
    while head := await _head(source):
        line, _, fields = head.partition(b"\r\n")
        method, _, target = line.partition(b" ")
        if target.startswith(b"/"):  # all but `OPTIONS *`
            target = b"/" + bucket.encode() + target
        sink.write(method + b" " + target + b"\r\n" + fields)
        await _copy_body(source, sink, _framing(fields))
        await sink.drain()


async def _head(source: StreamReader) -> bytes:
    """Return a request's head with the empty line that ends it; empty when no more come."""
    try:
        return (await source.readuntil(b"\r\n\r\n")).lstrip(b"\r\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError:
        raise Malformed("the head of a request does not end") from None


def _framing(fields: bytes) -> int | None:
    """Return the bytes of the body that follows this head; None if it comes in chunks."""
    length = 0
    for field in fields.split(b"\r\n"):
        name, _, value = field.partition(b":")
        match name.strip().lower():
            case b"transfer-encoding":
                return None
            case b"content-length":
                length = _number(value.strip(), 10)
    return length


async def _copy_body(source: StreamReader, sink: StreamWriter, length: int | None) -> None:
    if length is not None:
        return await _copy_exactly(source, sink, length)
    size = 1
    while size:
        line = await _line(source)
        sink.write(line)
        size = _number(line.partition(b";")[0].strip(), 16)
        if size:
            await _copy_exactly(source, sink, size + len(b"\r\n"))
    while line != b"\r\n":  # trailers, then the empty line
        line = await _line(source)
        sink.write(line)


async def _copy_exactly(source: StreamReader, sink: StreamWriter, length: int) -> None:
    while length:
        chunk = await source.read(min(length, CHUNK))
        if not chunk:
            raise Malformed("a body ended early")
        sink.write(chunk)
        await sink.drain()
        length -= len(chunk)


async def _line(source: StreamReader) -> bytes:
    try:
        return await source.readuntil(b"\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Malformed("a line of a chunked body does not end") from None


def _number(digits: bytes, radix: int) -> int:
    if not digits.isalnum():  # int() also takes signs and underscores
        raise Malformed(f"{digits[:20]!r} is no length")
    try:
        return int(digits, radix)
    except ValueError:
        raise Malformed(f"{digits[:20]!r} is no length") from None

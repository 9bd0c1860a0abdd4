"""RecordIO framing, as MXNet and Amazon's algorithms read it; pure (contract B9).

A record is the magic number, a word of 3 bits kind and 29 bits length, the payload, and zeros up to
a multiple of four. Readers look for the magic number at multiples of four, so a payload that holds
it there is cut at it: the parts are of kind 1 (first), 2 and 3 (last), the magic number itself is
left out, and readers put it back between the parts. A payload in one piece is of kind 0.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAGIC = struct.pack("<I", 0xCED7230A)
LONGEST = (1 << 29) - 1
"""Bytes that a payload may have."""
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class TooLong(ValueError):
    """The payload has more bytes than a record's header can say."""


class Part(NamedTuple):
    """What stands before a stretch of the payload, the stretch, and what stands after it."""

    header: bytes
    start: int
    stop: int
    padding: bytes


def parts(blocks: Iterable[bytes]) -> Iterator[Part]:
    """Yield how to send a payload as one record.

    Args:
        blocks: the payload; every block but the last has a multiple of four bytes.

    Raises:
        TooLong: the payload has more than ``LONGEST`` bytes; some parts may have been yielded.
    """
    start = read = 0
    for block in blocks:
        if read + len(block) > LONGEST:
            raise TooLong
        for mark in _marks(block):
            kind = _MIDDLE if start else _FIRST
            yield Part(_header(kind, read + mark - start), start, read + mark, b"")
            start = read + mark + len(MAGIC)
        read += len(block)
    header = _header(_LAST if start else _WHOLE, read - start)
    yield Part(header, start, read, bytes(-read % 4))


def record(payload: bytes) -> bytes:
    """Return a payload as one record; raises TooLong."""
    return b"".join(
        part.header + payload[part.start : part.stop] + part.padding for part in parts([payload])
    )


def _header(kind: int, length: int) -> bytes:
    return MAGIC + struct.pack("<I", kind << 29 | length)


def _marks(block: bytes) -> Iterator[int]:
    """Yield where the magic number stands at a multiple of four."""
    mark = block.find(MAGIC)
    while mark >= 0:
        if mark % 4 == 0:
            yield mark
            mark = block.find(MAGIC, mark + len(MAGIC))
        else:
            mark = block.find(MAGIC, mark + 1)

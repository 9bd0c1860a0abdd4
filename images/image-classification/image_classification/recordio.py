"""RecordIO, MXNet's container of records, and the image record inside it: read and written.

A file is a row of parts, each a magic number, a length and the bytes, filled up to four. Bytes that
look like the magic number are left out where they stand on a multiple of four, and split a record
into several parts (contract B9). An image record is a header with the labels, then the encoded
picture. Nothing here decodes a picture or judges a label; the standard library is all it needs.
"""

from __future__ import annotations

import io
import os
import struct
from array import array
from typing import BinaryIO, Iterator, NamedTuple, Sequence

from image_classification.errors import CustomerError

MAGIC = struct.pack("<I", 0xCED7230A)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_LENGTH_BITS = 29
_PART = struct.Struct("<4sI")
# How many labels follow (0: the one in the header), the label, two numbers of the image.
_IMAGE = struct.Struct("<IfQQ")


class BrokenRecords(CustomerError):
    """The bytes are no whole RecordIO file; names the file and the byte."""


class ImageRecord(NamedTuple):
    """What an image record holds."""

    labels: tuple[float, ...]
    image: bytes


def _padded(length: int) -> int:
    return length + 3 & ~3


def _part(head: bytes, inside: bool, name: str, offset: int) -> tuple[int, int]:
    """Return kind and length of the part that begins with `head`."""
    if len(head) < _PART.size:
        raise BrokenRecords(f"{name} is truncated: it ends inside a record at byte {offset}.")
    magic, word = _PART.unpack(head)
    kind, length = word >> _LENGTH_BITS, word & (1 << _LENGTH_BITS) - 1
    if magic != MAGIC or (kind in (_MIDDLE, _LAST)) != inside or kind > _LAST:
        what = "is not a RecordIO file" if offset == 0 else "is damaged"
        raise BrokenRecords(f"{name} {what}: no record begins at byte {offset}.")
    return kind, length


def read(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the records of a stream to its end.

    Args:
        stream: its `read(n)` returns n bytes, fewer only at the end.
        name: what messages call it.

    Raises:
        BrokenRecords: the stream holds something else, or ends inside a record.
    """
    offset = 0
    parts: list[bytes] = []
    while (head := stream.read(_PART.size)) or parts:
        kind, length = _part(head, bool(parts), name, offset)
        body = stream.read(_padded(length))
        if len(body) < _padded(length):
            raise BrokenRecords(
                f"{name} is truncated: the record at byte {offset} is {length} bytes long, "
                f"but only {len(body)} are left."
            )
        offset += _PART.size + len(body)
        parts.append(body[:length] if len(body) > length else body)
        if kind in (_WHOLE, _LAST):
            yield MAGIC.join(parts)
            parts = []


def offsets(path: str | os.PathLike[str]) -> array[int]:
    """Return the byte at which each record of a file begins and, last, the size of the file.

    Only the headers are read: 8 bytes of memory a record, whatever the records hold.

    Raises:
        BrokenRecords: the file holds something else, or ends inside a record.
    """
    name = os.path.basename(path)
    begins, position, inside = array("Q"), 0, False
    # A larger buffer would read records that the next seek skips.
    with open(path, "rb", buffering=8192) as file:
        size = os.fstat(file.fileno()).st_size
        while position < size or inside:
            kind, length = _part(file.read(_PART.size), inside, name, position)
            end = position + _PART.size + _padded(length)
            if end > size:
                raise BrokenRecords(
                    f"{name} is truncated: the record at byte {position} ends at byte {end}, "
                    f"but the file is only {size} bytes long."
                )
            if not inside:
                begins.append(position)
            inside = kind in (_FIRST, _MIDDLE)
            position = file.seek(end)
    begins.append(size)
    return begins


def unframed(framed: bytes, name: str) -> bytes:
    """Return the record that `framed`, the bytes from one of `offsets` to the next, holds."""
    return next(read(io.BytesIO(framed), name))


def first_labels(begin: bytes, name: str) -> tuple[float, ...] | None:
    """Return the labels of an image record from the first bytes of its part, if these are enough.

    Raises:
        BrokenRecords: they are not those of an image record.
    """
    kind, length = _part(begin[: _PART.size], False, name, 0)
    record = begin[_PART.size : _PART.size + length]
    if kind != _WHOLE:
        return None
    if _IMAGE.size <= len(record) < length:
        count = _IMAGE.unpack_from(record)[0]
        if len(record) < _IMAGE.size + 4 * count:
            return None
    return unpack_image(record, name).labels


def write(stream: BinaryIO, record: bytes) -> int:
    """Write a record, as MXNet does byte for byte; returns how many bytes it took.

    Raises:
        ValueError: the record is longer than the format can say (512 MB).
    """
    if len(record) >= 1 << _LENGTH_BITS:
        raise ValueError(f"A record of {len(record)} bytes is too long for RecordIO.")
    begin, written, at = 0, 0, record.find(MAGIC)
    while at >= 0:
        if at % 4:
            at = record.find(MAGIC, at + 1)
            continue
        kind = _MIDDLE if begin else _FIRST
        stream.write(_PART.pack(MAGIC, kind << _LENGTH_BITS | at - begin) + record[begin:at])
        written += _PART.size + at - begin
        begin = at + len(MAGIC)
        at = record.find(MAGIC, begin)
    length = len(record) - begin
    kind = _LAST if begin else _WHOLE
    stream.write(_PART.pack(MAGIC, kind << _LENGTH_BITS | length))
    stream.write(record[begin:] + bytes(_padded(length) - length))
    return written + _PART.size + _padded(length)


def pack_image(labels: Sequence[float], image: bytes, number: int) -> bytes:
    """Return the image record of an encoded picture, which is one of a data set's `number`s."""
    if len(labels) == 1:
        return _IMAGE.pack(0, labels[0], number, 0) + image
    values = struct.pack(f"<{len(labels)}f", *labels)
    return _IMAGE.pack(len(labels), 0.0, number, 0) + values + image


def unpack_image(record: bytes, name: str) -> ImageRecord:
    """Return the labels and the picture of an image record that messages call `name`.

    Raises:
        BrokenRecords: it is too short for what its header says.
    """
    if len(record) >= _IMAGE.size:
        count, label, _, _ = _IMAGE.unpack_from(record)
        if count == 0:
            return ImageRecord((label,), record[_IMAGE.size :])
        begin = _IMAGE.size + 4 * count
        if begin <= len(record):
            labels = struct.unpack_from(f"<{count}f", record, _IMAGE.size)
            return ImageRecord(labels, record[begin:])
    raise BrokenRecords(
        f"{name} is not an image record: it is {len(record)} bytes long, "
        "shorter than its header and its labels."
    )

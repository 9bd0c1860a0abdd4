"""RecordIO framing, against a reader written after the format's description."""

import random
import struct

import pytest

from emulator.staging import recordio

MAGIC = recordio.MAGIC


def read(stream: bytes) -> list[bytes]:
    """Return the payloads of a stream, put together as readers do it."""
    payloads: list[bytes] = []
    parts: list[bytes] = []
    position = 0
    while position < len(stream):
        assert stream[position : position + 4] == MAGIC
        (word,) = struct.unpack_from("<I", stream, position + 4)
        kind, length = word >> 29, word & recordio.LONGEST
        parts.append(stream[position + 8 : position + 8 + length])
        padding = stream[position + 8 + length : position + 8 + length + -length % 4]
        assert padding == bytes(-length % 4)
        position += 8 + length + len(padding)
        assert (kind in (0, 1)) == (len(parts) == 1)
        if kind in (0, 3):
            payloads.append(MAGIC.join(parts))
            parts = []
    assert not parts
    return payloads


PAYLOADS = {
    "nothing": b"",
    "a byte": b"x",
    "four bytes": b"abcd",
    "five bytes": b"abcde",
    "the magic number": MAGIC,
    "it twice": MAGIC * 2,
    "it at the start": MAGIC + b"tail",
    "it at the end": b"head" + MAGIC,
    "it between": b"head" + MAGIC + b"tail!",
    "it unaligned": b"x" + MAGIC + b"yyy",
    "it unaligned, then aligned": b"x" + MAGIC + b"yyy" + MAGIC + b"z",
    "its beginning": MAGIC[:3],
    "all of it": b"abcd" + MAGIC * 3 + b"e" + MAGIC + b"fgh" + MAGIC,
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_record_is_read_back_as_it_was(payload: bytes) -> None:
    assert read(recordio.record(payload)) == [payload]
    assert len(recordio.record(payload)) % 4 == 0


def test_records_follow_each_other() -> None:
    stream = b"".join(map(recordio.record, PAYLOADS.values()))
    assert read(stream) == list(PAYLOADS.values())


def test_no_part_holds_the_magic_number_where_readers_look_for_it() -> None:
    chance = random.Random(7)
    for _ in range(300):
        pieces = [chance.choice((MAGIC, b"abcd", b"x", MAGIC[1:], b"")) for _ in range(12)]
        payload = b"".join(pieces)
        record = recordio.record(payload)
        assert read(record) == [payload]
        for part in recordio.parts([payload]):
            found = payload[part.start : part.stop]
            assert MAGIC not in (found[i : i + 4] for i in range(0, len(found), 4))


def test_blocks_are_cut_like_the_whole() -> None:
    payload = PAYLOADS["all of it"]
    blocks = [payload[i : i + 8] for i in range(0, len(payload), 8)]
    assert list(recordio.parts(blocks)) == list(recordio.parts([payload]))


def test_the_frame_of_a_plain_payload_is_known_to_the_byte() -> None:
    assert recordio.record(b"hello") == bytes.fromhex("0a23d7ce 05000000 68656c6c6f 000000")


def test_a_payload_that_no_header_can_describe_is_refused() -> None:
    block = bytes(1 << 26)
    with pytest.raises(recordio.TooLong):
        for _ in recordio.parts(block for _ in range(9)):
            pass

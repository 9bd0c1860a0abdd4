"""Upload bodies, whatever pieces the server hands them over in."""

import base64
import hashlib
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.storage.receive import Rejected, receive


class Dribble(io.RawIOBase):
    """An input that never gives more than so many bytes at once."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = io.BytesIO(data)
        self._most = most

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._most))


def framed(chunks: list[bytes], trailer: str = "", signature: str = "") -> bytes:
    body = b"".join(f"{len(c):x}{signature}\r\n".encode() + c + b"\r\n" for c in chunks if c)
    return body + f"0{signature}\r\n{trailer}\r\n".encode()


def environ(data: bytes, most: int, **headers: str) -> Mapping[str, Any]:
    return {"wsgi.input": Dribble(data, most), **headers}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    chunks=st.lists(st.binary(max_size=300), max_size=8),
    most=st.integers(1, 400),
    signature=st.sampled_from(["", ";chunk-signature=abc"]),
)
def test_framing_is_undone_wherever_the_pieces_end(
    tmp_path: Path, chunks: list[bytes], most: int, signature: str
) -> None:
    data = b"".join(chunks)
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    trailer = f"x-amz-checksum-crc32:{checksum}\r\n"
    upload = receive(
        environ(
            framed(chunks, trailer, signature),
            most,
            HTTP_X_AMZ_CONTENT_SHA256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            HTTP_X_AMZ_DECODED_CONTENT_LENGTH=str(len(data)),
            HTTP_X_AMZ_TRAILER="x-amz-checksum-crc32",
        ),
        tmp_path / "body",
    )
    assert (tmp_path / "body").read_bytes() == data
    assert upload.size == len(data)
    assert upload.md5 == hashlib.md5(data).hexdigest()
    assert upload.checksums == {"CRC32": checksum}


@pytest.mark.parametrize("cut", range(0, 24))
def test_a_body_cut_anywhere_leaves_no_file(tmp_path: Path, cut: int) -> None:
    whole = framed([b"0123456789", b"abc"])
    assert len(whole) > 24
    with pytest.raises(Rejected) as error:
        receive(
            environ(
                whole[:cut],
                7,
                HTTP_X_AMZ_CONTENT_SHA256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                HTTP_X_AMZ_DECODED_CONTENT_LENGTH="13",
            ),
            tmp_path / "body",
        )
    assert error.value.code in ("IncompleteBody", "InvalidRequest")
    assert not (tmp_path / "body").exists()


@pytest.mark.parametrize("data", [b"zz\r\n", b"-1\r\nx", b"x" * 100_000])
def test_what_is_not_framed_is_refused(tmp_path: Path, data: bytes) -> None:
    headers = {"HTTP_X_AMZ_CONTENT_SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    with pytest.raises(Rejected):
        receive(environ(data, 1 << 20, **headers), tmp_path / "body")
    assert not (tmp_path / "body").exists()


def test_a_checksum_nobody_here_can_compute_is_kept_as_given(tmp_path: Path) -> None:
    upload = receive(
        environ(b"data", 100, HTTP_X_AMZ_CHECKSUM_CRC64NVME="AAAAAAAAAAA="), tmp_path / "body"
    )
    assert upload.checksums == {"CRC64NVME": "AAAAAAAAAAA="}


def test_checksums_asked_for_by_the_caller_are_computed(tmp_path: Path) -> None:
    upload = receive(environ(b"data", 100), tmp_path / "body", ["SHA256"])
    digest = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    assert upload.checksums == {"SHA256": digest}

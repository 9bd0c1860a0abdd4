"""Upload bodies from a WSGI input to a file, without ever holding one in memory.

Undoes aws-chunked framing, computes MD5 and the checksums asked for while the bytes pass, and
compares them with what the client announced. Signatures are not verified.
"""

import base64
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Protocol

from emulator.storage.bodies import BLOCK

# CRC32C and CRC64NVME have no implementation in the standard library; S3's clients compute them
# themselves, and their value is kept as they sent it.
COMPUTABLE = ("CRC32", "SHA1", "SHA256")
_PREFIX = "HTTP_X_AMZ_CHECKSUM_"
_NOT_ALGORITHMS = ("ALGORITHM", "MODE", "TYPE")
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{1,12}")
_MAX_LINE = 16 * 1024


class Rejected(Exception):
    """The request is refused; carries S3's status, code and sentence.

    Args:
        elements: what else S3's error says, by the names of its elements.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        elements: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.elements = elements


@dataclass(frozen=True)
class Upload:
    """What arrived.

    Attributes:
        md5: hexadecimal digest of the decoded bytes.
        checksums: base64 values by algorithm, upper case.
    """

    size: int
    md5: str
    checksums: Mapping[str, str]


class _Digest(Protocol):
    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes) -> None:
        self.value = zlib.crc32(data, self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")


def digest(algorithm: str) -> _Digest:
    """Return a running checksum of one of the COMPUTABLE algorithms."""
    if algorithm == "CRC32":
        return _Crc32()
    return hashlib.new(algorithm.lower(), usedforsecurity=False)


def receive(environ: Mapping[str, Any], target: Path, algorithms: Iterable[str] = ()) -> Upload:
    """Write the request's body to `target`; on any failure no file is left.

    Args:
        algorithms: checksums to compute besides those that the request names.

    Raises:
        Rejected: IncompleteBody, BadDigest or InvalidDigest.
    """
    try:
        return _receive(environ, target, {*algorithms, *_announced(environ)})
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _receive(environ: Mapping[str, Any], target: Path, algorithms: set[str]) -> Upload:
    source, chunked = environ["wsgi.input"], is_chunked(environ)
    trailers: dict[str, str] = {}
    blocks = _decoded(source, trailers) if chunked else _plain(source)
    declared = environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH" if chunked else "CONTENT_LENGTH")
    md5 = hashlib.md5(usedforsecurity=False)
    running = {name: digest(name) for name in algorithms if name in COMPUTABLE}
    size = 0
    with target.open("wb", buffering=0) as file:
        for block in blocks:
            md5.update(block)
            for checksum in running.values():
                checksum.update(block)
            _write_all(file, block)
            size += len(block)
    if declared not in (None, "") and str(size) != str(declared).strip():
        raise _incomplete()
    computed = {
        name: base64.b64encode(checksum.digest()).decode() for name, checksum in running.items()
    }
    compare_md5(environ, md5.digest())
    given = _given(environ, trailers)
    for name, value in given.items():
        if computed.get(name, value) != value:
            raise Rejected(
                "BadDigest", f"The {name} you specified did not match the calculated checksum."
            )
    return Upload(size, md5.hexdigest(), {**given, **computed})


def is_chunked(environ: Mapping[str, Any]) -> bool:
    """Tell whether the body comes in aws-chunked framing."""
    return str(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")).startswith("STREAMING-")


def plain(environ: Mapping[str, Any], body: bytes) -> bytes:
    """Return a whole body without its framing; raises Rejected where that is broken."""
    return b"".join(_decoded(io.BytesIO(body), {})) if is_chunked(environ) and body else body


def _write_all(file: Any, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def _announced(environ: Mapping[str, Any]) -> set[str]:
    named = {str(environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "")).upper()}
    for trailer in str(environ.get("HTTP_X_AMZ_TRAILER", "")).split(","):
        named.add(trailer.strip().lower().removeprefix("x-amz-checksum-").upper())
    return (named | set(_given(environ, {}))) - {""}


def _given(environ: Mapping[str, Any], trailers: Mapping[str, str]) -> dict[str, str]:
    given = {
        name.removeprefix(_PREFIX): str(value)
        for name, value in environ.items()
        if name.startswith(_PREFIX) and not name.endswith(_NOT_ALGORITHMS)
    }
    for name, value in trailers.items():
        if name.startswith("x-amz-checksum-"):
            given[name.removeprefix("x-amz-checksum-").upper()] = value
    return given


def compare_md5(environ: Mapping[str, Any], computed: bytes) -> None:
    """Raise Rejected if the header Content-MD5 is no digest, or another one."""
    header = environ.get("HTTP_CONTENT_MD5")
    if not header:
        return
    try:
        expected = base64.b64decode(header, validate=True)
    except ValueError:
        expected = b""
    if len(expected) != 16:
        raise Rejected("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if expected != computed:
        raise Rejected("BadDigest", "The Content-MD5 you specified did not match what we received.")


def _plain(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(BLOCK):
        yield block


def _decoded(source: BinaryIO, trailers: dict[str, str]) -> Iterator[bytes]:
    """Yield the payload of aws-chunked framing; fills `trailers` at its end."""
    reader = _Reader(source)
    while True:
        size = _chunk_size(reader.line())
        if size == 0:
            break
        yield from reader.exactly(size)
        reader.line()
    while line := reader.line(required=False):
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0]
    if not _HEXADECIMAL.fullmatch(digits):
        raise Rejected("InvalidRequest", "The body is not valid aws-chunked data.")
    return int(digits, 16)


def _incomplete() -> Rejected:
    return Rejected(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )


class _Reader:
    """Lines and counted stretches from a stream that only knows ``read``."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0

    def line(self, *, required: bool = True) -> bytes:
        """Return the next line, stripped; if not `required`, what is left at the end counts."""
        pieces: list[bytes] = []
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            pieces.append(self._buffer[self._at :])
            if sum(map(len, pieces)) > _MAX_LINE:
                raise Rejected("InvalidRequest", "The body is not valid aws-chunked data.")
            if not self._fill():
                if required:
                    raise _incomplete()
                return b"".join(pieces).strip()
        pieces.append(self._buffer[self._at : end])
        self._at = end + 1
        return b"".join(pieces).strip()

    def exactly(self, count: int) -> Iterator[bytes]:
        while count:
            if self._at == len(self._buffer) and not self._fill():
                raise _incomplete()
            block = self._buffer[self._at : self._at + count]
            self._at += len(block)
            count -= len(block)
            yield block

    def _fill(self) -> bool:
        self._buffer = self._source.read(BLOCK)
        self._at = 0
        return bool(self._buffer)

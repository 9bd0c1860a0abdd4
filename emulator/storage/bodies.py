"""Object bodies as files: one immutable file per body, named by a random id.

A body is written completely before anything names it, is never changed afterwards, and is removed
only after nothing names it any more. This module knows no bucket, no key and no index.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

BLOCK = 1 << 20


class Body:
    """A stretch of a body file that looks enough like ``bytes`` for S3's range arithmetic.

    Attributes:
        fresh: nobody owns the file yet; whoever stores this body takes the file over. Otherwise
            the file belongs to an object and has to be linked.
        md5: hexadecimal digest of exactly this stretch, if it is known.
        checksums: base64 checksums by algorithm, as they were computed on the way in.
    """

    def __init__(
        self,
        path: Path,
        start: int,
        end: int,
        *,
        md5: str | None = None,
        fresh: bool = False,
        checksums: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self.start = start
        self.end = end
        self.md5 = md5
        self.fresh = fresh
        self.checksums = checksums

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, part: slice) -> "Body":
        start, stop, _ = part.indices(len(self))
        whole = (start, stop) == (0, len(self))
        return Body(
            self.path, self.start + start, self.start + stop, md5=self.md5 if whole else None
        )

    def __bytes__(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(len(self))

    def decode(self, encoding: str = "utf-8") -> str:
        """Return the text, for S3 Select, which reads whole objects."""
        return bytes(self).decode(encoding)

    def blocks(self) -> "Blocks":
        """Open the file now and return its bytes block by block."""
        return Blocks(self)


class Blocks:
    """An iterator over a body's bytes; the file is open from the start, so removal is harmless."""

    def __init__(self, body: Body) -> None:
        self._file = body.path.open("rb", buffering=0)
        self._file.seek(body.start)
        self._left = len(body)

    def __len__(self) -> int:
        return self._left

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = self._file.read(min(BLOCK, self._left)) if self._left else b""
        if not block:
            self.close()
            raise StopIteration
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._left = 0
        self._file.close()

    def __del__(self) -> None:
        # A server that loses its client need not have called close.
        if hasattr(self, "_file"):
            self._file.close()


class Bodies:
    """The directory that holds every body.

    Args:
        root: the directory; created if absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for shard in range(256):
            (root / f"{shard:02x}").mkdir(parents=True, exist_ok=True)

    def new_name(self) -> str:
        return secrets.token_hex(16)

    def path(self, name: str) -> Path:
        return self.root / name[:2] / name

    def write(self, data: bytes) -> Body:
        """Keep these bytes as a fresh body."""
        path = self.path(self.new_name())
        path.write_bytes(data)
        return Body(
            path, 0, len(data), md5=hashlib.md5(data, usedforsecurity=False).hexdigest(), fresh=True
        )

    def link(self, body: Body) -> Body:
        """Return a fresh body with the same bytes: a hard link when that is possible."""
        path = self.path(self.new_name())
        if body.start == 0 and len(body) == body.path.stat().st_size:
            try:
                os.link(body.path, path)
                return Body(path, 0, len(body), md5=body.md5, fresh=True)
            except OSError:
                # The file system's limit of links per file, or none at all; copy instead.
                path.unlink(missing_ok=True)
        return self.join([body])

    def join(self, parts: Iterable[Body]) -> Body:
        """Return a fresh body with the bytes of all parts, one after another.

        Raises OSError, leaving no file, if a part's file is gone or the disk is full.
        """
        path = self.path(self.new_name())
        size = 0
        try:
            with path.open("wb") as target:
                for part in parts:
                    with part.path.open("rb") as source:
                        copy_range(source.fileno(), target.fileno(), part.start, len(part))
                    size += len(part)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(path, 0, size, fresh=True)

    def adopt(self, file: Path) -> Body:
        """Move a file of the caller in and return it as a fresh body.

        Whoever made it, every container may read it from now on.
        """
        path = self.path(self.new_name())
        shutil.move(file, path)
        path.chmod(0o644)
        return Body(path, 0, path.stat().st_size, fresh=True)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path(name).unlink()

    def remove_all_but(self, names: set[str]) -> int:
        """Remove what a crash left behind and return how many files that were."""
        removed = 0
        for shard in os.scandir(self.root):
            for entry in os.scandir(shard.path):
                if entry.name not in names:
                    os.unlink(entry.path)
                    removed += 1
        return removed


def copy_range(source: int, target: int, offset: int, count: int) -> None:
    """Append `count` bytes of the open file `source` from `offset` on to `target`.

    Raises OSError if the source is shorter.
    """
    while count:
        try:
            copied = os.copy_file_range(source, target, count, offset_src=offset)
        except OSError:
            # Not every file system can; plain reads and writes work everywhere.
            copied = os.write(target, os.pread(source, min(count, BLOCK), offset))
        if not copied:
            raise OSError("the source of a copy is shorter than expected")
        offset += copied
        count -= copied


def md5_of(path: Path) -> str:
    """Return the hexadecimal MD5 digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

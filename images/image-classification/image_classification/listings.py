"""Raw images with a .lst file: the list is read, and the images are packed into records.

Amazon's algorithm packs such images before it trains, and so does this one (contract G2): epochs
then read one file, and images larger than the hyperparameter `resize` are made smaller only once.
The records go to a file without a name that the system removes with the process.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from image_classification import narration, recordio
from image_classification.errors import CustomerError
from image_classification.labels import Labels

# Images that are in memory at once while they are packed.
_TOGETHER = 64


class Line(NamedTuple):
    """One image of a .lst file: its line, index, labels and path below the images' folder."""

    number: int
    identifier: int
    labels: tuple[float, ...]
    path: str


class Packed(NamedTuple):
    """A file of image records, and where they begin: see `recordio.offsets`."""

    file: BinaryIO
    offsets: array[int]
    lines: array[int]


def read(path: Path) -> Iterator[Line]:
    """Yield the images of a .lst file: index, labels and path, TAB between them (contract G2).

    Raises:
        CustomerError: names the first line that is something else.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parsed(path.name, number, line.rstrip("\r\n").split("\t"))


def _parsed(name: str, number: int, columns: list[str]) -> Line:
    if len(columns) < 3:
        raise CustomerError(
            f"Line {number} of {name} has {len(columns)} columns, but needs at least three with "
            "a TAB between them: index, label and the image's path."
        )
    try:
        index, *labels = (float(column) for column in columns[:-1])
        if index < 0 or index != int(index):
            raise ValueError
    except (ValueError, OverflowError):
        raise CustomerError(
            f"Line {number} of {name} has an index or a label that is not a number: "
            f"{' '.join(columns[:-1])[:80]!r}."
        ) from None
    return Line(number, int(index), tuple(labels), columns[-1].strip())


def pack(listing: Path, folder: Path, labels: Labels, resize: int | None) -> Packed:
    """Pack the images that a .lst file names into records, and say so in the log (contract G3).

    Args:
        folder: what the paths of the .lst file start from.
        resize: images whose shortest side is longer are made this small; None leaves them.

    Raises:
        CustomerError: a line can't be read, its label doesn't fit, or its image is missing.
    """
    narration.packing(listing.name)
    offsets, numbers, position = array("Q"), array("Q"), 0
    root = folder.resolve()

    def image(line: Line) -> bytes:
        name = f"Line {line.number} of {listing.name}"
        labels.of(line.labels, f"{name} ({line.path})")
        return _smaller(_content(root, line, name), resize)

    with ExitStack() as unless_packed:
        file = unless_packed.enter_context(tempfile.TemporaryFile())
        pool = unless_packed.enter_context(ThreadPoolExecutor(len(os.sched_getaffinity(0))))
        lines = read(listing)
        while some := list(islice(lines, _TOGETHER)):
            for line, content in zip(some, pool.map(image, some), strict=True):
                offsets.append(position)
                numbers.append(line.number)
                packed = recordio.pack_image(line.labels, content, line.identifier)
                position += recordio.write(file, packed)
        file.flush()
        pool.shutdown()
        unless_packed.pop_all()
    offsets.append(position)
    narration.packed()
    return Packed(file, offsets, numbers)


def _content(root: Path, line: Line, name: str) -> bytes:
    """Return the bytes of a line's image, which must be below `root`."""
    path = Path(os.path.normpath(root / line.path))
    if root not in path.parents:
        raise CustomerError(f"{name} names {line.path!r}, which leads out of the images' channel.")
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        raise CustomerError(
            f"{name} names {line.path!r}, but the channel {root.name} has no such image."
        ) from None


def _smaller(image: bytes, resize: int | None) -> bytes:
    if resize is None:
        return image
    # What reads a list without resizing must not need OpenCV.
    from image_classification import pictures

    return pictures.shrunk(image, resize)

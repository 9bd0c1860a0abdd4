"""The digits: scikit-learn's bundled set, or MNIST's own files from a folder.

Scikit-learn's set has 1,797 digits of 8x8 points; here they are scaled to MNIST's 28x28. Both are
written in MNIST's IDX form, one folder per channel, as the training scripts read it. Nothing is
fetched unless `download` is called.
"""

import gzip
import hashlib
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 28
_HELD_OUT = 360
_SEED = 7
_MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
# File by channel and content, with the SHA-256 of its gzipped form.
_MNIST = {
    ("train", "images"): (
        "train-images-idx3-ubyte",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    ("train", "labels"): (
        "train-labels-idx1-ubyte",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    ("test", "images"): (
        "t10k-images-idx3-ubyte",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    ("test", "labels"): (
        "t10k-labels-idx1-ubyte",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
}

Bytes = NDArray[np.uint8]


class NoDigits(Exception):
    """The digits can't be read or fetched."""


@dataclass(frozen=True)
class Digits:
    """Images with 28x28 points from 0 to 255, and what they show.

    Attributes:
        source: where they are from, for the report.
        train, test: images, of shape (n, 28, 28), and labels, of shape (n,).
    """

    source: str
    train: tuple[Bytes, Bytes]
    test: tuple[Bytes, Bytes]


def bundled() -> Digits:
    """Return scikit-learn's digits: 1,437 to train with and 360 held out."""
    # Scikit-learn has no types; it is imported here, because that takes a second.
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    found = load_digits()
    images = np.stack([_scaled(image) for image in found.images])
    labels = found.target.astype(np.uint8)
    train, test, train_labels, test_labels = train_test_split(
        images, labels, test_size=_HELD_OUT, stratify=labels, random_state=_SEED
    )
    return Digits("scikit-learn's digits", (train, train_labels), (test, test_labels))


def _scaled(image: NDArray[np.float64]) -> Bytes:
    """Return an 8x8 image with values from 0 to 16 as MNIST would have it."""
    from PIL import Image

    points = Image.fromarray((image * 255 / 16).astype(np.uint8))
    return np.asarray(points.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def mnist(folder: Path) -> Digits:
    """Return MNIST from a folder with its four files, gzipped or not.

    Raises:
        NoDigits: a file is missing or is no IDX file.
    """

    def part(channel: str) -> tuple[Bytes, Bytes]:
        images, labels = (
            read_idx(_present(folder, _MNIST[channel, content][0]))
            for content in ("images", "labels")
        )
        if images.shape[1:] != (SIDE, SIDE) or labels.shape != images.shape[:1]:
            raise NoDigits(f"{folder}: the {channel} images are not 28x28, or not one per label.")
        return images, labels

    return Digits(f"MNIST from {folder}", part("train"), part("test"))


def _present(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise NoDigits(f"{folder} has no file {name}.gz or {name}.")


def download(folder: Path, say: Callable[[str], None]) -> None:
    """Fetch what is missing of MNIST's four files into a folder; 11.6 MB in all.

    Raises:
        NoDigits: the network does not give them, or gives something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in _MNIST.values():
        target = folder / f"{name}.gz"
        if target.is_file():
            continue
        say(f"fetching {_MNIST_URL}{name}.gz")
        try:
            with urllib.request.urlopen(f"{_MNIST_URL}{name}.gz", timeout=30) as reply:
                content = reply.read()
        except OSError as problem:
            raise NoDigits(f"MNIST can't be fetched: {problem}.") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise NoDigits(f"{_MNIST_URL}{name}.gz is not the MNIST that is expected.")
        part = target.with_suffix(".part")
        part.write_bytes(content)
        part.rename(target)  # an interrupted run leaves no half a file behind


def read_idx(path: Path) -> Bytes:
    """Return the array of bytes in an IDX file, gzipped or not; raises NoDigits for another."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError) as problem:
        raise NoDigits(f"{path} can't be read: {problem}.") from None
    rank = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    shape = np.frombuffer(content[4 : 4 + 4 * rank], dtype=">u4")
    if not rank or shape.size != rank or len(content) != 4 + 4 * rank + shape.prod():
        raise NoDigits(f"{path} is no IDX file of bytes.")
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)


def write_idx(path: Path, array: Bytes) -> None:
    """Write a gzipped IDX file; the same array gives the same bytes."""
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=6, mtime=0))


def write_channels(digits: Digits, folder: Path) -> None:
    """Write `train/` and `test/`, each with images.gz and labels.gz, below a folder."""
    for channel, (images, labels) in (("train", digits.train), ("test", digits.test)):
        write_idx(folder / channel / "images.gz", images)
        write_idx(folder / channel / "labels.gz", labels)

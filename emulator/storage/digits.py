"""The digits for the bucket of sample data: MNIST from a directory or the network, or our own.

MNIST's content is verified wherever it comes from. Nothing is asked of the network before the
digits are, and nobody waits for it longer than PATIENCE: whatever goes wrong, there are the digits
that ship with the emulator.
"""

import contextlib
import gzip
import hashlib
import threading
import urllib.request
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from emulator import clock

MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
PATIENCE = 10.0
"""Seconds that a client may wait for the network in all."""
_SILENCE = 3.0
"""Seconds without an answer after which the network counts as absent."""
_LARGEST = 16 << 20
_BLOCK = 1 << 16


@dataclass(frozen=True)
class File:
    """One of MNIST's files: its name, and the SHA-256 of what it holds when it is unzipped."""

    name: str
    digest: str


# By the object's name below the prefix of all.
MNIST = {
    "train/images.gz": File(
        "train-images-idx3-ubyte",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train/labels.gz": File(
        "train-labels-idx1-ubyte",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test/images.gz": File(
        "t10k-images-idx3-ubyte",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "test/labels.gz": File(
        "t10k-labels-idx1-ubyte",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


class NoMnist(Exception):
    """MNIST can't be had from there; the sentence says why."""


@dataclass(frozen=True)
class Digits:
    """Gzipped IDX files, and where they are from.

    Attributes:
        source: for the log.
        files: bodies by name: `train/images.gz` and so on.
        instead: why these are not the digits that the setting asks for, or None.
    """

    source: str
    files: Mapping[str, bytes]
    instead: str | None = None


class DigitSource:
    """Gives the digits that the setting `sample_data` asks for.

    Args:
        setting: `auto`, `bundled` or a directory.
        cache: the directory of what the network gave; made when it does.
    """

    def __init__(self, setting: str, cache: Path) -> None:
        self._setting = setting
        self._cache = cache
        self._closing = threading.Event()
        self._fetch: tuple[Future[None], float] | None = None

    def digits(self) -> Digits:
        """Return MNIST, or the bundled digits where that was asked for or MNIST can't be had.

        With `auto` it may take PATIENCE seconds, once in all. Calls must not overlap.
        """
        if self._setting == "bundled":
            return _bundled()
        try:
            if self._setting == "auto":
                return self._cached()
            folder = Path(self._setting).expanduser()
            return Digits(f"MNIST from {folder}", _mnist(folder))
        except NoMnist as reason:
            return _bundled(instead=str(reason))

    def close(self) -> None:
        """Let go of what is being fetched."""
        self._closing.set()

    def _cached(self) -> Digits:
        """Return MNIST as it was fetched, now or by an earlier run."""
        with contextlib.suppress(NoMnist):
            return Digits(f"MNIST fetched earlier, from {self._cache}", _mnist(self._cache))
        if self._fetch is None:
            self._fetch = self._begin()
        done, deadline = self._fetch
        try:
            done.result(max(0.0, deadline - clock.monotonic()))
        except TimeoutError:
            raise NoMnist(
                f"{MIRROR} takes too long; what it gives is kept for the next such bucket"
            ) from None
        return Digits(f"MNIST from {MIRROR}", _mnist(self._cache))

    def _begin(self) -> tuple[Future[None], float]:
        # In a thread, because resolving a name can't be given a time limit.
        done: Future[None] = Future()

        def fetch() -> None:
            try:
                for file in MNIST.values():
                    self._download(file)
                done.set_result(None)
            except NoMnist as problem:
                done.set_exception(problem)
            except Exception as problem:
                # From a broken cable to a proxy variable that is no URL: never worth a traceback.
                reason = getattr(problem, "reason", problem)
                done.set_exception(NoMnist(f"{MIRROR} can't be reached ({reason})"))

        threading.Thread(target=fetch, name="sample-data", daemon=True).start()
        return done, clock.monotonic() + PATIENCE

    def _download(self, file: File) -> None:
        target = self._cache / f"{file.name}.gz"
        content = bytearray()
        with urllib.request.urlopen(MIRROR + target.name, timeout=_SILENCE) as reply:
            while (block := reply.read(_BLOCK)) and len(content) < _LARGEST:
                if self._closing.is_set():
                    raise NoMnist("the emulator is closing")
                content += block
        if not _is_content(file, bytes(content)):
            raise NoMnist(f"{MIRROR}{target.name} is not MNIST's: its checksum is wrong")
        self._cache.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.write_bytes(content)
        part.rename(target)


def _bundled(instead: str | None = None) -> Digits:
    """Return the digits of the package."""
    folder = files("emulator.storage") / "bundled"
    bodies = {name: folder.joinpath(name).read_bytes() for name in MNIST}
    return Digits("the bundled digits", bodies, instead)


def _mnist(folder: Path) -> dict[str, bytes]:
    """Return MNIST's files, gzipped, from a directory that has each gzipped or not.

    Raises:
        NoMnist: one is missing, unreadable or has another content.
    """
    return {name: _gzipped(folder, file) for name, file in MNIST.items()}


def _gzipped(folder: Path, file: File) -> bytes:
    for path in (folder / f"{file.name}.gz", folder / file.name):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise NoMnist(f"{path} can't be read ({problem.strerror})") from None
        if not _is_content(file, content):
            raise NoMnist(f"{path} is not MNIST's: its checksum is wrong")
        return content if _is_gzip(content) else gzip.compress(content, compresslevel=1, mtime=0)
    raise NoMnist(f"{folder} has neither {file.name}.gz nor {file.name}")


def _is_gzip(content: bytes) -> bool:
    return content[:2] == b"\x1f\x8b"


def _is_content(file: File, content: bytes) -> bool:
    """Tell whether bytes, gzipped or not, are a file of MNIST's."""
    try:
        plain = gzip.decompress(content) if _is_gzip(content) else content
    except (OSError, EOFError, zlib.error):
        return False
    return hashlib.sha256(plain).hexdigest() == file.digest

"""What a channel in Pipe mode streams, epoch after epoch (contract B9).

Objects come in the order of their keys, or of their manifest, or shuffled anew for each epoch; each
may be decompressed and wrapped as a record on its way. Never holds a large object in memory, and
never writes to a pipe: who does takes the pieces.
"""

import gzip
import random
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from emulator.errors import PermanentError
from emulator.s3_uri import Place
from emulator.staging import recordio
from emulator.staging.inputs import FAILED, ObjectLike, Objects, Source, read_manifest, split_uri
from emulator.staging.manifests import AugmentedManifest, look_up, opened

BLOCK = 1 << 20
"""Bytes read at a time; a multiple of four, as records need."""


@dataclass(frozen=True)
class Stretch:
    """Bytes of an open file, which is closed once the next piece is asked for."""

    file: IO[bytes]
    start: int
    stop: int


Piece = bytes | Stretch


class _Items(Protocol):
    """What is put in order: objects, or the lines of an augmented manifest."""

    def __len__(self) -> int: ...

    def values(self, number: int) -> Sequence[Place | bytes]: ...

    def close(self) -> None: ...


class _Listed:
    """The objects that a prefix or a manifest stood for when the job began."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def values(self, number: int) -> Sequence[Place | bytes]:
        return (self._places[number],)

    def close(self) -> None:
        """Nothing is open."""


class Stream:
    """One channel as one host reads it.

    Args:
        objects: S3 as the job's scope sees it.
        channel: a channel of the request.
        host, hosts: which host of how many.

    Attributes:
        warnings: what the reader would not notice, in sentences.

    Raises:
        PermanentError: bad URI or manifest, missing bucket or object, no object at all, an object
            too large for a record. The message is fit for a FailureReason.
    """

    def __init__(
        self, objects: Objects, channel: Mapping[str, Any], *, host: int = 0, hosts: int = 1
    ) -> None:
        self._objects = objects
        self._source = Source.of(channel["DataSource"]["S3DataSource"], host=host, hosts=hosts)
        self._zipped = channel.get("CompressionType", "None") == "Gzip"
        self._wrapped = channel.get("RecordWrapperType", "None") == "RecordIO"
        self._seed = (channel.get("ShuffleConfig") or {}).get("Seed")
        self.warnings: list[str] = []
        names = channel["DataSource"]["S3DataSource"].get("AttributeNames") or ()
        self._items = self._found(names)

    def epoch(self, number: int) -> Iterator[Piece]:
        """Yield what epoch `number` streams; each piece must be sent before the next is taken.

        Raises:
            PermanentError: an object is gone by now, is not what it should be, or is too large.
        """
        for item in order(len(self._items), self._source, self._seed, number):
            for value in self._items.values(item):
                if isinstance(value, Place):
                    yield from self._object(value)
                else:
                    yield recordio.record(value) if self._wrapped else value

    def close(self) -> None:
        self._items.close()

    def _found(self, attributes: Sequence[str]) -> _Items:
        match self._source.data_type:
            case "AugmentedManifestFile":
                return self._augmented(attributes)
            case "ManifestFile":
                bucket, prefix, names = read_manifest(self._objects, self._source.uri)
                places = [Place(bucket, prefix + name) for name in names]
                return self._listed((place, look_up(self._objects, place)) for place in places)
            case _:
                return self._listed(self._under_prefix())

    def _augmented(self, attributes: Sequence[str]) -> _Items:
        manifest = AugmentedManifest(self._objects, self._source.uri, attributes)
        if manifest.left_out:
            self.warnings.append(
                f"{manifest.left_out} of {manifest.left_out + len(manifest)} lines of"
                f" {manifest.uri} lack an attribute of {', '.join(attributes)} and are left out."
            )
        return manifest

    def _under_prefix(self) -> Iterator[tuple[Place, ObjectLike]]:
        bucket, prefix = split_uri(self._source.uri)
        if not self._objects.bucket_exists(bucket):
            raise PermanentError(f"{FAILED}The S3 bucket '{bucket}' does not exist")
        for info in self._objects.list(bucket, prefix):
            if not info.key.endswith("/"):
                yield Place(bucket, info.key), info

    def _listed(self, found: Iterable[tuple[Place, ObjectLike]]) -> _Items:
        places = []
        for place, info in found:
            if self._wrapped and not self._zipped and info.size > recordio.LONGEST:
                raise _too_long(place)
            places.append(place)
        if not places:
            raise PermanentError(f"{FAILED}No objects were found under '{self._source.uri}'")
        return _Listed(places)

    def _object(self, place: Place) -> Iterator[Piece]:
        with opened(self._objects, place) as file:
            if not self._zipped:
                yield from self._content(file, place)
            elif not self._wrapped:
                yield from _unzipped(file, place)
            else:
                # A record says first how long it is.
                with tempfile.SpooledTemporaryFile(max_size=BLOCK) as plain:
                    plain.writelines(_unzipped(file, place))
                    plain.seek(0)
                    yield from self._content(plain, place)

    def _content(self, file: IO[bytes], place: Place) -> Iterator[Piece]:
        if not self._wrapped:
            yield Stretch(file, 0, _size(file))
        elif _size(file) <= BLOCK:
            yield recordio.record(file.read())
        else:
            yield from _record(file, place)


def order(count: int, source: Source, seed: int | None, epoch: int) -> Sequence[int]:
    """Return the numbers of the items that a host reads in an epoch, in order; pure.

    With a seed every epoch has an order of its own, the same on all hosts, so that the shares of a
    sharded channel change from epoch to epoch and never overlap.
    """
    numbers: Sequence[int] = range(count)
    if seed is not None:
        shuffled = array("Q", numbers)
        random.Random(f"{seed} {epoch}").shuffle(shuffled)
        numbers = shuffled
    if source.distribution == "ShardedByS3Key":
        return numbers[source.host :: source.hosts]
    return numbers


def _record(file: IO[bytes], place: Place) -> Iterator[Piece]:
    try:
        for part in recordio.parts(iter(lambda: file.read(BLOCK), b"")):
            yield part.header
            yield Stretch(file, part.start, part.stop)
            yield part.padding
    except recordio.TooLong:
        raise _too_long(place) from None


def _unzipped(file: IO[bytes], place: Place) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=file) as plain:
            while block := plain.read(BLOCK):
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise PermanentError(f"{FAILED}The object '{place.uri}' is not a gzip file") from None


def _size(file: IO[bytes]) -> int:
    size = file.seek(0, 2)
    file.seek(0)
    return size


def _too_long(place: Place) -> PermanentError:
    return PermanentError(
        f"{FAILED}The object '{place.uri}' has more than the {recordio.LONGEST} bytes that a"
        " RecordIO record can hold"
    )

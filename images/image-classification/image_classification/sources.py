"""Where images come from: record files, Pipe mode's streams, and raw images with a .lst file.

A source gives the encoded images of an epoch, each with the label to train with. Of several hosts,
each reads its share, and all read equally many: hosts that train together wait for each other's
batches. Labels are judged here; nothing here decodes a picture (`batches` does).
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np

from image_classification import listings, recordio
from image_classification.channels import Channel
from image_classification.errors import CustomerError
from image_classification.hyperparameters import Configuration
from image_classification.labels import Labels

# The platform makes the next epoch's FIFO after the last one's was closed.
_FIFO_DEADLINE_SECONDS = 120.0
_FIFO_POLL_SECONDS = 0.05
# Read of each record to judge its labels before the training: enough for a thousand of them.
_LABEL_BYTES = 4096
# What a FIFO hands over at once; its own buffer is 64 KB.
_STREAM_BUFFER_BYTES = 1 << 20

T = TypeVar("T")

_NOTHING_PIPED = (  # contract B4
    "Got empty batch from pipe. Please check if the manifest file contains valid batches and the "
    "value of training job parameter AttributeNames matches attributes names in the augmented "
    "manifest."
)


class Example(NamedTuple):
    """An encoded image and what it shows.

    Attributes:
        image: the bytes of a JPEG or PNG file.
        label: float32; the number of the class, shape (1,), or with `multi_label` a 0 or 1 for
            each class, shape (num_classes,).
        name: what messages call the image.
    """

    image: bytes
    label: np.ndarray
    name: str = "An image"


class Source(Protocol):
    """Gives a host its examples, epoch by epoch."""

    @property
    def count(self) -> int | None:
        """How many examples this host reads in each epoch; None if a stream tells at its end."""

    def epoch(self, number: int) -> Iterator[Example]:
        """Yield the examples of epoch `number` (from 0), at least one.

        Raises:
            CustomerError: the data can't be trained with; says which image and why.
        """


class Share(NamedTuple):
    """Which examples a host reads: number `part` of every `parts`."""

    part: int
    parts: int

    def of(self, items: Iterator[T]) -> Iterator[tuple[int, T]]:
        """Yield this host's items with their numbers; an incomplete last round is left out."""
        for number, item in enumerate(items):
            if number % self.parts == self.part:
                mine = number, item
            if number % self.parts == self.parts - 1:
                yield mine


@dataclass
class RecordFile:
    """A file of image records, read in any order; shuffled anew in each epoch of training.

    Attributes:
        file, offsets: the open file and where its records begin, see `recordio.offsets`.
        name: what messages call the file.
        seed: of the order; the same on all hosts, whose shares would overlap otherwise.
        numbers: the line of each image in the .lst file called `name`; None for a record file.
    """

    file: BinaryIO
    offsets: array[int]
    name: str
    labels: Labels
    share: Share
    shuffled: bool
    seed: int
    numbers: array[int] | None = None
    count: int | None = field(init=False)

    def __post_init__(self) -> None:
        """Raise `CustomerError` if there are fewer images than hosts."""
        images = len(self.offsets) - 1
        self.count = images // self.share.parts
        if not images:
            raise CustomerError(f"{self.name} holds no images.")
        if not self.count:
            raise CustomerError(
                f"{self.name} holds {images} images, fewer than the {self.share.parts} hosts of "
                "the job."
            )

    def epoch(self, number: int) -> Iterator[Example]:
        order = np.arange(len(self.offsets) - 1)
        if self.shuffled:
            order = np.random.default_rng([self.seed, number]).permutation(order)
        for index in order[self.share.part :: self.share.parts][: self.count]:
            yield self._example(int(index))

    def check_labels(self) -> None:
        """Judge all labels that can be read at once, so that a bad one fails the job early.

        Raises:
            CustomerError: a label doesn't fit the hyperparameters.
        """
        for index in range(len(self.offsets) - 1):
            name, framed = self._framed(index, _LABEL_BYTES)
            values = recordio.first_labels(framed, name)
            if values is not None:
                self.labels.of(values, name)

    def close(self) -> None:
        """Close the file; no epoch can be read any more."""
        self.file.close()

    def _example(self, index: int) -> Example:
        name, framed = self._framed(index)
        return _example(recordio.unframed(framed, name), self.labels, name)

    def _framed(self, index: int, most: int | None = None) -> tuple[str, bytes]:
        """Return what messages call an image, and the bytes of its record, or the first ones."""
        begin, end = self.offsets[index], self.offsets[index + 1]
        length = end - begin if most is None else min(end - begin, most)
        name = f"Image {index} of {self.name}"
        if self.numbers is not None:
            name = f"Line {self.numbers[index]} of {self.name}"
        return name, os.pread(self.file.fileno(), length, begin)


@dataclass(frozen=True)
class RecordPipe:
    """A .rec object that streams through Pipe mode's FIFOs, in its own order."""

    channel: Channel
    labels: Labels
    share: Share
    count: ClassVar[None] = None

    def epoch(self, number: int) -> Iterator[Example]:
        name = f"the stream of channel {self.channel.name}"
        example = None
        with _fifo(self.channel.directory, number) as stream:
            for index, record in self.share.of(recordio.read(stream, name)):
                example = _example(record, self.labels, f"Image {index} of {name}")
                yield example
        if example is None:
            raise CustomerError(f"Channel {self.channel.name} has no images, or fewer than hosts.")


@dataclass(frozen=True)
class ManifestPipe:
    """An augmented manifest that streams through Pipe mode's FIFOs: image, label, image, ..."""

    channel: Channel
    labels: Labels
    share: Share
    count: ClassVar[None] = None

    def epoch(self, number: int) -> Iterator[Example]:
        name = f"the stream of channel {self.channel.name}"
        label = None
        with _fifo(self.channel.directory, number) as stream:
            pairs = _pairs(recordio.read(stream, name), name)
            for index, (image, text) in self.share.of(pairs):
                called = f"Image {index} of {name}"
                label = self.labels.parse(text, called)
                yield Example(image, label, called)
        if label is None:
            raise CustomerError(_NOTHING_PIPED)


def open_source(
    channel: Channel,
    lst: Channel | None,
    configuration: Configuration,
    *,
    part: int,
    parts: int,
    training: bool,
    seed: int = 0,
) -> Source:
    """Return what gives the examples of a channel to one of several hosts.

    Args:
        lst: the channel of the .lst file when `channel` has raw images.
        part, parts: this host's number from 0, and how many hosts there are.
        training: shuffle each epoch anew; a stream keeps its order (contract B9, ShuffleConfig).

    Raises:
        CustomerError: a file is damaged or empty, a label or a line of a .lst file doesn't fit.
    """
    labels = Labels(
        configuration.num_classes, configuration.multi_label, channel.label_format == "class-id"
    )
    share = Share(part, parts)
    if channel.mode == "Pipe":
        # Records that the platform made are those of an augmented manifest (contract G2).
        if channel.record_wrapper == "RecordIO":
            return ManifestPipe(channel, labels, share)
        return RecordPipe(channel, labels, share)
    with ExitStack() as unless_taken:
        file: BinaryIO
        numbers: array[int] | None
        if lst is None:
            path, numbers = _only_file(channel, ".rec"), None
            offsets = recordio.offsets(path)
            file = unless_taken.enter_context(path.open("rb"))
        else:
            path = _only_file(lst, ".lst")
            file, offsets, numbers = listings.pack(
                path, channel.directory, labels, configuration.resize
            )
            unless_taken.enter_context(file)
        records = RecordFile(file, offsets, path.name, labels, share, training, seed, numbers)
        if lst is None:
            records.check_labels()
        unless_taken.pop_all()
        return records


def _only_file(channel: Channel, suffix: str) -> Path:
    files = [path for path in channel.files if path.suffix == suffix]
    if len(files) != 1:
        raise CustomerError(
            f"Channel {channel.name} must have exactly one {suffix} file, but has {len(files)}."
        )
    return files[0]


def _example(record: bytes, labels: Labels, name: str) -> Example:
    values, image = recordio.unpack_image(record, name)
    return Example(image, labels.of(values, name), name)


def _pairs(records: Iterator[bytes], name: str) -> Iterator[tuple[bytes, bytes]]:
    for number, image in enumerate(records):
        if image.startswith(recordio.MAGIC):
            raise CustomerError(
                f"Image {number} of {name} is a RecordIO file in a record: set RecordWrapperType "
                "to None for record files."
            )
        label = next(records, None)
        if label is None:
            raise CustomerError(f"Image {number} of {name}, the last one, has no label after it.")
        yield image, label


def _fifo(directory: Path, epoch: int) -> BinaryIO:
    """Open the FIFO of an epoch, as soon as the platform has made it (contract B9).

    Raises:
        TimeoutError: it has not.
    """
    path = directory.with_name(f"{directory.name}_{epoch}")
    deadline = time.monotonic() + _FIFO_DEADLINE_SECONDS
    while True:
        try:
            return open(path, "rb", buffering=_STREAM_BUFFER_BYTES)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"The platform made no {path} in time.") from None
            time.sleep(_FIFO_POLL_SECONDS)

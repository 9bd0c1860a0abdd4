"""Batches for training: examples decoded by background threads, a little ahead of the training.

Memory holds a few batches, however many examples an epoch has. Outcomes depend on the seed alone,
never on threads. MXNet is not imported: a batch is made of NumPy's arrays.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from image_classification import pictures
from image_classification.errors import CustomerError
from image_classification.hyperparameters import Configuration
from image_classification.sources import Example, Source

# Batches that are ready or being made while the training has one.
_AHEAD = 2


@dataclass(frozen=True)
class Batch:
    """Examples as the network takes them.

    Attributes:
        data: float32, shape (examples, channels, height, width); RGB or grey, 0 to 255.
        label: float32; classes, shape (examples,), or with multi_label a 0 or 1 for each class,
            shape (examples, num_classes).
        padding: how many examples at the end are there only to fill the batch.
    """

    data: np.ndarray
    label: np.ndarray
    padding: int


def batches(
    source: Source, epoch: int, configuration: Configuration, *, training: bool, seed: int = 0
) -> Generator[Batch, None, None]:
    """Yield an epoch in batches of `mini_batch_size` examples; closing it ends its threads.

    The last batch is filled up with the epoch's first examples.

    Args:
        epoch: from 0.
        training: change the pictures at random, if `augmentation_type` says so.
        seed: of these changes.

    Raises:
        CustomerError: a picture can't be decoded or is too small, the source refuses its data, or
            there is less than one batch to train with.
    """
    making = _Making(source, epoch, configuration, training=training, seed=seed)
    reader = ThreadPoolExecutor(1, "read-images")
    coming: deque[Future[Batch | None]] = deque()
    try:
        coming.extend(reader.submit(making.next) for _ in range(_AHEAD))
        while (batch := coming.popleft().result()) is not None:
            coming.append(reader.submit(making.next))
            yield batch
    finally:
        reader.shutdown(cancel_futures=True)
        making.close()


class _Making:
    """Makes the batches of an epoch, one after another."""

    def __init__(
        self, source: Source, epoch: int, configuration: Configuration, *, training: bool, seed: int
    ) -> None:
        self._configuration, self._training = configuration, training
        self._preparation = pictures.Preparation(
            configuration.image_shape,
            configuration.resize,
            configuration.augmentation_type if training else None,
        )
        self._random = np.random.default_rng([seed, epoch])
        self._examples = source.epoch(epoch)
        self._first: list[Example] = []
        self._threads = len(os.sched_getaffinity(0))
        self._decoders = ThreadPoolExecutor(self._threads, "decode-images")

    def close(self) -> None:
        """End the threads and the source's epoch; nothing may be under way."""
        self._decoders.shutdown()
        if isinstance(self._examples, Generator):
            self._examples.close()

    def next(self) -> Batch | None:
        """Return the next batch; None after the last one."""
        size = self._configuration.mini_batch_size
        examples = list(islice(self._examples, size))
        if not examples:
            return None
        padding = size - len(examples)
        if not self._first:
            if padding and self._training:
                raise CustomerError(
                    "The number of input images must be bigger or equal to the mini_batch_size. "
                    f"This host has {len(examples)} images, mini_batch_size is {size}."
                )
            self._first = examples
        examples += islice(cycle(self._first), padding)
        label = np.stack([example.label for example in examples])
        if not self._configuration.multi_label:
            label = label[:, 0]
        return Batch(self._decoded(examples), label, padding)

    def _decoded(self, examples: list[Example]) -> np.ndarray:
        data = np.empty((len(examples), *self._configuration.image_shape), np.float32)
        chances = self._random.random((len(examples), pictures.CHANCES)).tolist()

        def fill(first: int) -> None:
            for index in range(first, len(examples), self._threads):
                picture = self._prepared(examples[index], chances[index])
                data[index] = picture.transpose(2, 0, 1)

        for _ in self._decoders.map(fill, range(self._threads)):
            pass
        return data

    def _prepared(self, example: Example, chances: list[float]) -> np.ndarray:
        try:
            return self._preparation.of(example.image, chances)
        except (pictures.NotAPicture, pictures.TooSmall) as error:
            raise CustomerError(f"{example.name} is {error}.") from None

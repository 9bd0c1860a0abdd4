"""The model that a job leaves: its files in /opt/ml/model (contract G4). Nothing here trains.

Each file appears whole or not at all, since a job may be stopped, and what is there uploaded, at
any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import mxnet as mx

from image_classification.hyperparameters import Configuration

MODEL_DIRECTORY = Path("/opt/ml/model")
PREFIX = "image-classification"


class Checkpoints:
    """Writes the files of a model; the weights of an epoch are numbered from 1.

    They load with ``mx.model.load_checkpoint("image-classification", number)``.
    """

    def __init__(
        self,
        directory: Path,
        symbol: mx.sym.Symbol,
        configuration: Configuration,
    ) -> None:
        """Take the network as it is served, without what only its training needs."""
        self._directory, self._symbol, self._configuration = directory, symbol, configuration
        self._last: Path | None = None

    def save(
        self,
        epoch: int,
        weights: dict[str, mx.nd.NDArray],
        statistics: dict[str, mx.nd.NDArray],
        *,
        alone: bool,
    ) -> Path:
        """Write the model after `epoch` (from 0); returns the file of the weights.

        Args:
            weights, statistics: MXNet's arg_params and aux_params.
            alone: remove the weights that were written before.
        """
        if self._last is None:
            self._describe()
        path = self._directory / f"{PREFIX}-{epoch + 1:04d}.params"
        arrays = {f"arg:{name}": array for name, array in weights.items()}
        arrays |= {f"aux:{name}": array for name, array in statistics.items()}
        with _appearing(path) as partial:
            mx.nd.save(str(partial), arrays)
        if alone and self._last is not None and self._last != path:
            self._last.unlink(missing_ok=True)
        self._last = path
        return path

    def _describe(self) -> None:
        """Write what all epochs have in common."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with _appearing(self._directory / f"{PREFIX}-symbol.json") as partial:
            partial.write_text(self._symbol.tojson())
        configuration = self._configuration
        examples = configuration.mini_batch_size
        label = [examples, configuration.num_classes] if configuration.multi_label else [examples]
        shapes = [
            {"name": "data", "shape": [examples, *configuration.image_shape]},
            {"name": "softmax_label", "shape": label},
        ]
        with _appearing(self._directory / "model-shapes.json") as partial:
            partial.write_text(json.dumps(shapes))
        with _appearing(self._directory / "hyperparams.json") as partial:
            partial.write_text(json.dumps(_written(configuration), indent=2))


def _written(configuration: Configuration) -> dict[str, object]:
    """Return the hyperparameters in the form in which a job takes them."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(configuration).items()
    }


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """Give the name to write a file under; it gets its own once it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)

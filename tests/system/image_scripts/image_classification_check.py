"""Loads models as MXNet does, tests them on a file of records, and tells what they are like."""

import hashlib
import json
import sys
from pathlib import Path

import mxnet as mx

RECORDS = Path("/opt/ml/validation.rec")


def accuracy(symbol: mx.sym.Symbol, weights: dict, statistics: dict, shape: list[int]) -> float:
    """Return how many of the records a network puts into the right class."""
    data = mx.io.ImageRecordIter(
        path_imgrec=str(RECORDS), data_shape=tuple(shape[1:]), batch_size=shape[0]
    )
    module = mx.mod.Module(symbol)
    module.bind(data.provide_data, data.provide_label, for_training=False)
    module.set_params(weights, statistics)
    return dict(module.score(data, mx.metric.Accuracy()))["accuracy"]


def digests(arrays: dict[str, mx.nd.NDArray]) -> dict[str, str]:
    return {
        name: hashlib.sha256(array.asnumpy().tobytes()).hexdigest()
        for name, array in arrays.items()
    }


def report(folder: Path) -> dict[str, dict[str, object]]:
    """Return the weights of each epoch of a model, and its accuracy on the records, if any."""
    [shape] = [
        each["shape"]
        for each in json.loads((folder / "model-shapes.json").read_text())
        if each["name"] == "data"
    ]
    found = {}
    for path in sorted(folder.glob("image-classification-*.params")):
        number = path.stem.rpartition("-")[2]
        prefix = str(folder / "image-classification")
        symbol, weights, statistics = mx.model.load_checkpoint(prefix, int(number))
        found[number] = {
            "accuracy": RECORDS.exists() and accuracy(symbol, weights, statistics, shape),
            "weights": digests(weights),
        }
    return found


folders = sorted(path for path in Path("/opt/ml").iterdir() if path.is_dir())
reports = {folder.name: report(folder) for folder in folders}
Path(sys.argv[1]).write_text(json.dumps(reports))

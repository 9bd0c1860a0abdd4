"""botocore's model of SageMaker: the schema of every request and reply; knows no resource.

The model is read as plain dictionaries, straight from the data of the installed botocore. Importing
``botocore.model`` would cost more time than loading the model itself and adds nothing that is
needed here. Loading is lazy and happens once per process.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

Shape = Mapping[str, Any]

_DATA = "sagemaker/2017-07-24/service-2.json.gz"


@dataclass(frozen=True, eq=False)
class Service:
    """A service model.

    Attributes:
        operations: operation name to its description.
        shapes: shape name to its description.
    """

    operations: Mapping[str, Mapping[str, Any]]
    shapes: Mapping[str, Shape]

    def input_of(self, operation: str) -> str | None:
        """Return the name of the operation's input shape."""
        return _shape_of(self.operations[operation], "input")

    def output_of(self, operation: str) -> str | None:
        """Return the name of the operation's output shape; None if it replies with nothing."""
        return _shape_of(self.operations[operation], "output")


def _shape_of(operation: Mapping[str, Any], side: str) -> str | None:
    name: str | None = operation.get(side, {}).get("shape")
    return name


@cache
def sagemaker() -> Service:
    """Return the control plane's model; raises ModuleNotFoundError without botocore."""
    # find_spec locates botocore without importing it.
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore is not installed")
    path = Path(spec.origin).parent / "data" / _DATA
    model = orjson.loads(gzip.decompress(path.read_bytes()))
    return Service(operations=model["operations"], shapes=model["shapes"])

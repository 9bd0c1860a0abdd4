"""botocore's model of SageMaker: the schema of every request and reply; knows no resource.

The model is read as plain dictionaries, straight from the data of the installed botocore. Importing
``botocore.model`` would cost more time than loading the model itself and adds nothing that is
needed here. Loading is lazy and happens once per process.
"""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from emulator.protocol import botocore_data

Shape = Mapping[str, Any]

_CONTROL = "sagemaker/2017-07-24"
# Services of SageMaker's that are REST, whose names have changed in style over the years.
_PLANES = "sagemaker*"


@dataclass(frozen=True, eq=False)
class Service:
    """A service model.

    Attributes:
        operations: operation name to its description.
        shapes: shape name to its description.
        title: what AWS calls the service.
    """

    operations: Mapping[str, Mapping[str, Any]]
    shapes: Mapping[str, Shape]
    title: str = ""

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
    return _read(botocore_data.folder() / _CONTROL)


@cache
def planes() -> tuple[Service, ...]:
    """Return SageMaker's other services in the order of their titles: runtime, metrics and so on.

    Raises ModuleNotFoundError without botocore.
    """
    folders = botocore_data.folder().glob(_PLANES)
    newest = [max(folder.iterdir()) for folder in folders if folder.name != "sagemaker"]
    return tuple(sorted((_read(folder) for folder in newest), key=lambda each: each.title))


def _read(folder: Path) -> Service:
    model = orjson.loads(gzip.decompress((folder / "service-2.json.gz").read_bytes()))
    title = str(model["metadata"]["serviceFullName"])
    return Service(operations=model["operations"], shapes=model["shapes"], title=title)

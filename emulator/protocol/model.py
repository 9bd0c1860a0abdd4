"""botocore's model of SageMaker: the schema of every request and reply; knows no resource.

The model is read as plain dictionaries, straight from the data of the installed botocore. Importing
``botocore.model`` would cost more time than loading the model itself and adds nothing that is
needed here. Loading is lazy and happens once per process.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from emulator.errors import PermanentError

OLDEST_BOTOCORE = (1, 41)
"""The first whose models have every operation that is answered here; as pyproject.toml says."""
_MEND = "Run: python -m pip install --upgrade boto3"

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
    return _read(_data() / _CONTROL)


@cache
def planes() -> tuple[Service, ...]:
    """Return SageMaker's other services in the order of their titles: runtime, metrics and so on.

    Raises ModuleNotFoundError without botocore.
    """
    folders = _data().glob(_PLANES)
    newest = [max(folder.iterdir()) for folder in folders if folder.name != "sagemaker"]
    return tuple(sorted((_read(folder) for folder in newest), key=lambda each: each.title))


def require_botocore() -> None:
    """Raise PermanentError, which says what to do, unless botocore is here and new enough."""
    try:
        text = (_data().parent / "__init__.py").read_text()
    except ModuleNotFoundError as error:
        raise PermanentError(f"The emulator can't work: {error}. {_MEND}") from None
    # Importing botocore would take longer than all the rest of a start.
    version = re.search(r"^__version__ = ['\"]((\d+)\.(\d+)\S*)['\"]$", text, re.MULTILINE)
    if version and (int(version[2]), int(version[3])) < OLDEST_BOTOCORE:
        oldest = ".".join(str(part) for part in OLDEST_BOTOCORE)
        raise PermanentError(
            f"The emulator can't work with botocore {version[1]}: it needs {oldest} or newer. "
            f"{_MEND}"
        )


def _data() -> Path:
    # find_spec locates botocore without importing it.
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore is not installed")
    return Path(spec.origin).parent / "data"


def _read(folder: Path) -> Service:
    model = orjson.loads(gzip.decompress((folder / "service-2.json.gz").read_bytes()))
    title = str(model["metadata"]["serviceFullName"])
    return Service(operations=model["operations"], shapes=model["shapes"], title=title)

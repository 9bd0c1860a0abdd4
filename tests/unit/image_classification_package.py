"""The package of the image-classification image, imported on a host that has no MXNet."""

import importlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from emulator.catalogue.recipes import source_directory

FOLDER = source_directory() / "image-classification"
Load = Callable[[str], Any]


def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Give what imports modules of the package; they may not need what only the image has."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"image_classification.{name}")

    yield module
    assert not {"cv2", "mxnet"} & set(sys.modules)
    for name in [name for name in sys.modules if name.partition(".")[0] == "image_classification"]:
        del sys.modules[name]


def picture(width: int = 8, height: int = 6, colour: int = 0, form: str = "JPEG") -> bytes:
    """Return a picture of one colour, encoded."""
    packed = io.BytesIO()
    Image.new("RGB", (width, height), (colour, 0, 0)).save(packed, form)
    return packed.getvalue()


def framed(recordio: Any, records: Sequence[bytes]) -> bytes:
    """Return records as one RecordIO file has them."""
    file = io.BytesIO()
    for record in records:
        before = file.tell()
        assert recordio.write(file, record) == file.tell() - before
    return file.getvalue()

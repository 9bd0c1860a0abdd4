"""The scripts that `make` runs, as modules; in the tree they belong to no package."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_SCRIPTS = Path(__file__).parents[2] / "scripts"


def load(name: str) -> ModuleType:
    """Return a script as a module; leaves no compiled file behind."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", _SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _as_when_run():
        spec.loader.exec_module(module)
    return module


@contextmanager
def _as_when_run() -> Iterator[None]:
    """Let a script import its neighbours."""
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(_SCRIPTS))
    try:
        yield
    finally:
        sys.path.remove(str(_SCRIPTS))
        sys.dont_write_bytecode = written

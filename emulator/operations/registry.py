"""The table of operations that the emulator answers itself; knows no resource.

A handler announces itself with ``@operation("CreateTrainingJob")``; ``load()`` imports every module
of this package once, so that adding a file is all it takes to add operations.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType

import emulator.operations
from emulator.call import Handler

NATIVE: dict[str, Handler] = {}


def operation(name: str) -> Callable[[Handler], Handler]:
    """Register the decorated handler as the one that answers operation ``name``.

    Raises:
        ValueError: at import, when another handler already answers it.
    """

    def register(handler: Handler) -> Handler:
        if name in NATIVE:
            raise ValueError(f"two handlers answer {name}: {NATIVE[name]!r} and {handler!r}")
        NATIVE[name] = handler
        return handler

    return register


def load() -> Mapping[str, Handler]:
    """Import every module of ``emulator.operations``; return the complete, read-only table."""
    for module in pkgutil.iter_modules(emulator.operations.__path__):
        importlib.import_module(f"{emulator.operations.__name__}.{module.name}")
    return MappingProxyType(NATIVE)

"""moto's S3 objects to bytes and back.

Pickle, restricted on reading to moto's S3 models and a few plain types: a tampered index can
produce wrong objects, never run code.
"""

import io
import pickle
from typing import Any

_MODULES = frozenset({"moto.s3.models", "emulator.storage.stored"})
_CLASSES = frozenset(
    {
        ("moto.utilities.utils", "LowercaseDict"),
        ("requests.structures", "CaseInsensitiveDict"),
        ("collections", "OrderedDict"),
        ("datetime", "datetime"),
        ("datetime", "timezone"),
        ("datetime", "timedelta"),
    }
)


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _CLASSES:
            return super().find_class(module, name)
        if module in _MODULES and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ in _MODULES:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in the index")


def dump(value: object) -> bytes:
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def load(data: bytes) -> Any:
    """Return what `dump` was given; raises pickle.UnpicklingError for anything foreign."""
    return _Restricted(io.BytesIO(data)).load()

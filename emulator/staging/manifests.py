"""Augmented manifests: JSON Lines that name objects and say something of each (contract B9).

Only where lines begin is kept in memory; a line is read when it is its turn.
"""

import json
from array import array
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

from emulator.errors import PermanentError
from emulator.s3_uri import Place
from emulator.staging.inputs import FAILED, ObjectLike, split_uri, worded

_TRIES = 5


class Stored(Protocol):
    """What looking an object up takes."""

    def stat(self, bucket: str, key: str) -> ObjectLike: ...


def look_up(objects: Stored, place: Place) -> ObjectLike:
    """Return what is at a place now; raises PermanentError if nothing is."""
    return worded(objects.stat, place.bucket, place.key)


def opened(objects: Stored, place: Place) -> BinaryIO:
    """Open an object's body as it is now; replacing the object later changes nothing for it.

    Raises:
        PermanentError: the object is gone.
    """
    for _ in range(_TRIES):
        # Between the look and the opening another body may have taken its place.
        with suppress(FileNotFoundError):
            return look_up(objects, place).path.open("rb")
    raise PermanentError(f"{FAILED}The object '{place.uri}' is replaced again and again")


class AugmentedManifest:
    """The lines of an augmented manifest that have all attributes asked for.

    The manifest stays open, so that replacing the object changes nothing for who reads it already.

    Attributes:
        left_out: how many lines lack an attribute.

    Raises:
        PermanentError: the manifest or an object that it names is missing, or a line is no JSON
            object. The message is fit for a FailureReason.
    """

    def __init__(self, objects: Stored, uri: str, attributes: Sequence[str]) -> None:
        self.uri = uri
        self.left_out = 0
        self._objects = objects
        self._attributes = tuple(attributes)
        self._offsets = array("Q")
        self._file = opened(objects, split_uri(uri))
        try:
            self._index()
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        return len(self._offsets)

    def values(self, number: int) -> list[Place | bytes]:
        """Return a line's attributes in order: an object for ``*-ref``, else its JSON text."""
        self._file.seek(self._offsets[number])
        line = json.loads(self._file.readline())
        return [_value(name, line[name]) for name in self._attributes]

    def close(self) -> None:
        self._file.close()

    def _index(self) -> None:
        offset = 0
        for number, raw in enumerate(self._file, start=1):
            if raw.strip():
                self._check(number, offset, raw)
            offset += len(raw)
        if not self._offsets and not self.left_out:
            raise PermanentError(f"{FAILED}The augmented manifest '{self.uri}' has no lines")

    def _check(self, number: int, offset: int, raw: bytes) -> None:
        where = f"line {number} of the augmented manifest '{self.uri}'"
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise PermanentError(f"{FAILED}There is no JSON object on {where}")
        if any(name not in line for name in self._attributes):
            self.left_out += 1
            return
        try:
            for place in (_value(name, line[name]) for name in self._attributes):
                if isinstance(place, Place):
                    look_up(self._objects, place)
        except PermanentError as error:
            detail = str(error).removeprefix(FAILED)
            raise PermanentError(f"{FAILED}{detail}, on {where}") from None
        self._offsets.append(offset)


def _value(name: str, value: Any) -> Place | bytes:
    if name.endswith("-ref"):
        return split_uri(str(value))
    # Half of a surrogate pair has no UTF-8 and goes as JSON's own escape.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")

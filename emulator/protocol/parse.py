"""Requests of the control plane to (operation, document) by the service model; pure.

A document holds only what the model knows: like the service, the emulator ignores members that it
has never heard of, and takes null for absent. Constraints are ``validate``'s business.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson

from emulator.call import Document
from emulator.errors import ServiceError, UnknownOperationException
from emulator.protocol.model import Service

TARGET_PREFIX = "SageMaker."

Convert = Callable[[Any], Any]


class SerializationException(ServiceError):
    """The body is not JSON, or a value's type is not the model's."""


def operation_of(service: Service, target: str) -> str:
    """Return the operation that an ``X-Amz-Target`` header names.

    Raises:
        UnknownOperationException: the service has no such operation.
    """
    name = target.removeprefix(TARGET_PREFIX)
    if name == target or name not in service.operations:
        raise UnknownOperationException(f"SageMaker has no operation {target!r}.")
    return name


def document_of(service: Service, operation: str, body: bytes) -> Document:
    """Return the members of the operation's input shape that a JSON body holds.

    Raises:
        SerializationException: the body is not a JSON object, or a type is wrong.
    """
    shape = service.input_of(operation)
    if not body or shape is None:
        return {}
    try:
        read: Document = _reader(service, shape)(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise SerializationException(f"The request body is not JSON: {error}") from None
    except RecursionError:
        raise SerializationException("The request body is nested too deeply.") from None
    return read


@cache
def _reader(service: Service, name: str) -> Convert:
    """Return the function that reads a JSON value of one shape."""
    shape = service.shapes[name]
    match shape["type"]:
        case "structure":
            return _structure_reader(service, shape)
        case "list":
            return _list_reader(service, shape["member"]["shape"])
        case "map":
            return _map_reader(service, shape["value"]["shape"])
        case kind:
            return _SCALARS[kind]


def _structure_reader(service: Service, shape: Mapping[str, Any]) -> Convert:
    members = {name: member["shape"] for name, member in shape["members"].items()}

    def read(value: Any) -> Document:
        if not isinstance(value, dict):
            raise _unexpected(value, "structure")
        return {
            name: _reader(service, members[name])(item)
            for name, item in value.items()
            if item is not None and name in members
        }

    return read


def _list_reader(service: Service, member: str) -> Convert:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _unexpected(value, "list")
        reader = _reader(service, member)
        return [None if item is None else reader(item) for item in value]

    return read


def _map_reader(service: Service, member: str) -> Convert:
    def read(value: Any) -> Document:
        if not isinstance(value, dict):
            raise _unexpected(value, "map")
        reader = _reader(service, member)
        return {key: reader(item) for key, item in value.items() if item is not None}

    return read


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _unexpected(value, "String")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _unexpected(value, "Boolean")
    return value


def _integer(value: Any) -> int:
    # The service takes 3.0 for 3. What has more than 64 bits arrives as a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 2**63:
        raise _unexpected(value, "Integer")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unexpected(value, "Double")
    return value


def _timestamp(value: Any) -> float:
    """Return seconds since the epoch, from a number or from an ISO 8601 text."""
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise _unexpected(value, "Date") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unexpected(value, "Date")
    return value


def _blob(value: Any) -> bytes:
    try:
        return base64.b64decode(_string(value), validate=True)
    except binascii.Error:
        raise _unexpected(value, "Blob") from None


_SCALARS: Mapping[str, Convert] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "timestamp": _timestamp,
    "blob": _blob,
}


def _unexpected(value: Any, wanted: str) -> SerializationException:
    match value:
        case dict():
            return SerializationException("Start of structure or map found where not expected.")
        case list():
            return SerializationException("Start of list found where not expected.")
        case bool():
            found = "TRUE_VALUE" if value else "FALSE_VALUE"
        case str():
            found = "STRING_VALUE"
        case None:
            found = "NULL_VALUE"
        case _:
            found = "NUMBER_VALUE"
    if wanted in ("structure", "list", "map"):
        return SerializationException(f"{found} found where a {wanted} is expected.")
    return SerializationException(f"{found} can not be converted to a {wanted}.")

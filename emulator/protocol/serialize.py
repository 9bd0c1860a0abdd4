"""Documents and errors to HTTP replies by the service models; pure.

Only the members of the output shape leave, so that Create, Describe and List can all be answered
with the whole document. Absent members are omitted, never null, and so are empty structures: a
strict client takes ``VpcConfig: {}`` for one without its required members.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from typing import Any

import orjson

from emulator.call import Document
from emulator.errors import RuntimeServiceError, ServiceError
from emulator.protocol.model import Service, Shape

JSON = "application/x-amz-json-1.1"
_REST_JSON = "application/json"

Headers = list[tuple[str, str]]
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Reply:
    """One HTTP reply, whole in memory."""

    status: int
    headers: Headers
    body: bytes


def success(service: Service, operation: str, document: Document, request_id: str) -> Reply:
    """Return the reply to an operation that succeeded."""
    shape = service.output_of(operation)
    body = b"{}" if shape is None else orjson.dumps(project(service, shape, document))
    return _reply(200, JSON, body, request_id)


def project(service: Service, shape: str, document: Document) -> Document:
    """Return the part of a document that a structure shape has room for."""
    projection: Document = (_writer(service, shape) or _same)(document)
    return projection


def failure(error: ServiceError, request_id: str, *, rest: bool = False) -> Reply:
    """Return the JSON reply to a request that failed, of either plane (contract A1, A7).

    Args:
        rest: whether the client speaks REST, as those of the runtime do.
    """
    message = {"Message" if error.modelled else "message": error.message}
    if isinstance(error, RuntimeServiceError):
        content = orjson.dumps(error.members | message, option=orjson.OPT_SORT_KEYS)
        reply = _reply(error.status, _REST_JSON, content, request_id)
    else:
        content = orjson.dumps({"__type": error.code, **message})
        reply = _reply(error.status, _REST_JSON if rest else JSON, content, request_id)
    # Clients of a REST service read the code from here, others from the body.
    if error.coded:
        reply.headers.append(("x-amzn-ErrorType", error.code))
    return reply


def failure_as_xml(error: ServiceError, request_id: str) -> Reply:
    """Return the same for a client of a query or REST-XML service."""
    inside = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<ErrorResponse><Error>{inside}</Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    return _reply(error.status, "text/xml", body.encode(), request_id)


def _reply(status: int, content_type: str, body: bytes, request_id: str) -> Reply:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", request_id),
    ]
    return Reply(status, headers, body)


@cache
def _writer(service: Service, name: str) -> Convert | None:
    """Return the function that writes a value of one shape; None if it can go as it is."""
    shape = service.shapes[name]
    match shape["type"]:
        case "structure":
            return _structure_writer(service, shape)
        case "list":
            return _list_writer(service, shape["member"]["shape"])
        case "map":
            return _map_writer(service, shape["value"]["shape"])
        case "timestamp":
            return _timestamp
        case "blob":
            return _blob
        case _:
            return None


def _structure_writer(service: Service, shape: Shape) -> Convert:
    members: Mapping[str, str] = {n: member["shape"] for n, member in shape["members"].items()}
    structures = {n for n, inner in members.items() if _is_structure(service, inner)}
    optional = structures - set(shape.get("required", ()))

    def write(value: Document) -> Document:
        written = {}
        for name, item in value.items():
            if item is None or name not in members:
                continue
            writer = _writer(service, members[name])
            if writer is not None:
                item = writer(item)
            if item or name not in optional:
                written[name] = item
        return written

    return write


def _is_structure(service: Service, name: str) -> bool:
    return bool(service.shapes[name]["type"] == "structure")


def _list_writer(service: Service, member: str) -> Convert:
    def write(value: list[Any]) -> list[Any]:
        writer = _writer(service, member)
        return value if writer is None else [writer(item) for item in value]

    return write


def _map_writer(service: Service, member: str) -> Convert:
    def write(value: Document) -> Document:
        writer = _writer(service, member)
        return value if writer is None else {key: writer(item) for key, item in value.items()}

    return write


def _timestamp(value: float | datetime) -> float:
    """Return seconds since the epoch, a JSON number (contract A1)."""
    return value.timestamp() if isinstance(value, datetime) else value


def _blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _same(value: Any) -> Any:
    return value

"""moto's replies on their way to a WSGI server."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse

from emulator.storage.bodies import BLOCK, Blocks

Reply = tuple[int, Mapping[str, Any], Any]


def send(
    environ: Mapping[str, Any], start_response: StartResponse, reply: Reply
) -> Iterable[bytes]:
    """Start the response and return its body, in blocks if it comes from a file."""
    status, headers, body = reply
    if isinstance(body, str):
        body = body.encode()
    fields = [
        (str(name), _latin(value))
        for name, value in headers.items()
        if value is not None and name.lower() not in ("content-length", "status", "date")
    ]
    head = environ.get("REQUEST_METHOD") == "HEAD"
    length = _header(headers, "content-length")
    if isinstance(body, Blocks) or not head or length is None:
        length = str(len(body))
    if status not in (204, 304):
        fields.append(("Content-Length", length))
    start_response(f"{status} {_phrase(status)}", fields)
    if head or status in (204, 304):
        if isinstance(body, Blocks):
            body.close()
        return [b""]
    if isinstance(body, Blocks):
        # One block needs no streaming, and servers send a list at once.
        return body if len(body) > BLOCK else list(body)
    return [body]


def _header(headers: Mapping[str, Any], name: str) -> str | None:
    for key, value in headers.items():
        if key.lower() == name and value is not None:
            return str(value)
    return None


def _latin(value: Any) -> str:
    """WSGI wants header values as Latin-1; anything else travels as UTF-8 bytes."""
    text = str(value)
    return text if text.isascii() else text.encode().decode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

"""Requests as moto takes them, built from a WSGI environment; the Host header never matters."""

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    Request,
    environ_key_for_header,
    should_preserve_original_header_name,
)

from emulator.call import Scope
from emulator.storage.bodies import BLOCK, Body

_KEPT = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "SERVER_PROTOCOL")
_TERMINATED = "wsgi.input_terminated"


class MotoRequest(Request):
    """A request with what the emulator already knows about it.

    Attributes:
        bucket, key: S3's names, percent-decoded; empty when the path has none.
        streamed: the request's body when it is in a file already.
        local_images: the engine's images with names on ECR, for requests that show them.
    """

    from_wsgi_server = True
    scope: Scope
    bucket: str = ""
    key: str = ""
    streamed: Body | None = None
    local_images: tuple[Any, ...] = ()


def build(
    scope: Scope, environ: Mapping[str, Any], *, host: str, body: bytes, extra: Mapping[str, str]
) -> MotoRequest:
    """Return the request for moto.

    Args:
        host: what to say in place of the client's Host header.
        body: the whole body.
        extra: WSGI variables to set or replace.
    """
    clean = {name: environ[name] for name in _KEPT if name in environ}
    clean.update((name, value) for name, value in environ.items() if name.startswith("HTTP_"))
    # The path arrives percent-decoded; quoting it again gives one spelling of the same key.
    path = quote(environ.get("PATH_INFO", "/").encode("latin-1"), safe="/-_.~")
    query = environ.get("QUERY_STRING", "")
    clean.update(extra)
    clean.update(
        {
            "HTTP_HOST": host,
            "HTTP_X_MOTO_ACCOUNT_ID": scope.account,
            "RAW_URI": f"{path}?{query}" if query else path,
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": "80",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            PRESERVED_HEADER_NAMES_ENVIRON_KEY: _metadata_names(environ),
        }
    )
    request = MotoRequest(clean)
    request.scope = scope
    return request


def _metadata_names(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return the original spelling of metadata headers with an underscore in their name.

    WSGI cannot tell ``my_key`` from ``my-key``, but a signature lists the headers it covers.
    """
    _, _, signed = environ.get("HTTP_AUTHORIZATION", "").partition("SignedHeaders=")
    names = signed.split(",")[0].strip().split(";")
    return {
        environ_key_for_header(name): name
        for name in names
        if should_preserve_original_header_name(name)
    }


def read_body(environ: Mapping[str, Any]) -> bytes:
    """Return the whole request body; for requests that carry no object."""
    source = environ["wsgi.input"]
    blocks = []
    # Servers that end the input themselves, as granian does, need no Content-Length.
    left = int(environ.get("CONTENT_LENGTH") or (1 << 62 if environ.get(_TERMINATED) else 0))
    while left and (block := source.read(min(left, BLOCK))):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)

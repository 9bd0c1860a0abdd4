"""Calls about resources that storage keeps: passed on, and answered as the model says.

What comes back holds empty structures and lacks what is native here, so a reply takes the same way
out as a native one. Storage looks some resources up without checking that they exist; a client
must not see that as a failure that is worth a retry.
"""

import io
from collections.abc import Callable
from typing import Any

import orjson

from emulator.errors import OperationNotEmulated, ResourceNotFound
from emulator.protocol import model
from emulator.protocol.parts import Parts
from emulator.protocol.request import Request
from emulator.protocol.serialize import Reply, passed_on, success

# These do nothing but look a resource up, by a name that the model found valid.
_LOOK_UPS = ("Describe", "AddTags", "DeleteTags", "ListTags")


def answer(parts: Parts, request: Request, operation: str, name: str) -> Reply:
    """Let storage answer a request whose body was read.

    Args:
        name: of the resource, for messages.

    Raises:
        ResourceNotFound: storage failed to look the resource up.
        OperationNotEmulated: storage failed in any other way.
    """
    status, content = _ask(parts, request)
    if status < 300:
        document = orjson.loads(content) if content else {}
        return success(model.sagemaker(), operation, document, request.request_id)
    if status < 500:
        return passed_on(status, content, request.request_id)
    if operation.startswith(_LOOK_UPS):
        raise ResourceNotFound(f"{name} does not exist.")
    raise OperationNotEmulated(
        f"This use of {operation} is not emulated: what keeps such resources failed. "
        "The log has the traceback."
    )


def _ask(parts: Parts, request: Request) -> tuple[int, bytes]:
    """Return the status and the body with which storage answers."""
    status, written = 500, list[bytes]()

    def start_response(
        line: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        nonlocal status
        status = int(line[:3])
        return written.append

    environ = request.environ | {
        "wsgi.input": io.BytesIO(request.body),
        "CONTENT_LENGTH": str(len(request.body)),
    }
    chunks = parts.storage("sagemaker", request.scope, environ, start_response)
    return status, b"".join([*chunks, *written])

"""The protocol front alone, behind the real server, with handlers that a test brings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from emulator.accelerators import Accelerators
from emulator.call import Area, Call, Document, Handler, Scope
from emulator.protocol.front import create_app
from emulator.protocol.pages import create_pages
from emulator.protocol.parts import Parts
from emulator.serving import Server

DEFAULT = Scope("000000000000", "us-east-1")
ACCOUNT = "123456789012"
REGION = "us-west-2"


def make_call(operation: str, scope: Scope, request_id: str) -> Call:
    """Return a call of a handler that uses neither store nor objects."""
    unused: Any = None
    nothing = {"wake": lambda kind, scope, name: None, "open_log_group": unused}
    return Call(operation, scope, unused, unused, request_id=request_id, **nothing)


def absent(*_: Any) -> Iterable[bytes]:
    raise AssertionError("this part is not reached")


@contextmanager
def served(
    handlers: Mapping[str, Handler],
    *,
    storage: Any = absent,
    runtime: Any = absent,
    reset: Callable[[Area], None] = lambda area: None,
    account_of: Callable[[str], str | None] = lambda key: None,
    accelerators: Accelerators | None = None,
) -> Iterator[str]:
    """Serve these parts; gives the base URL."""
    parts = Parts(
        handlers=handlers,
        absent=dict,
        call=make_call,
        storage=storage,
        runtime=runtime,
        pages=create_pages(
            health=lambda: {"status": "ok"},
            reset=reset,
            accelerators=accelerators or Accelerators(),
        ),
        account_of=account_of,
        default_scope=DEFAULT,
    )
    server = Server(create_app(parts), [("127.0.0.1", 0)], threads=4)
    server.start()
    try:
        host, port = server.addresses[0]
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(url: str, service: str = "sagemaker", *, key: str = ACCOUNT, **options: Any) -> Any:
    """Return a boto3 client whose own checks are off, so that the server's are seen."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=Config(parameter_validation=False, **options),
    )


def echo(call: Call, request: Document) -> Document:
    """Answer with the request itself; its members that the reply shares come back."""
    return dict(request)

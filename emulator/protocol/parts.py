"""What the front is given: the parts of the emulator that answer, by interface."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from emulator.call import Call, Handler, Scope
from emulator.protocol.signature import AccountOf

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Storage(Protocol):
    """Answers requests to other services than ours."""

    def __call__(
        self,
        service: str,
        scope: Scope,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        /,
    ) -> Iterable[bytes]: ...


class Runtime(Protocol):
    """Answers invocations; raises ServiceError before it calls ``start_response``."""

    def __call__(
        self,
        scope: Scope,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        request_id: str,
        /,
    ) -> Iterable[bytes]: ...


def _unheard(region: str) -> None:
    """Hear of a region, and do nothing."""


@dataclass(frozen=True)
class Parts:
    """Everything behind the front.

    Attributes:
        handlers: the operations answered by the emulator itself.
        absent: returns the operations on what cannot exist here; reads the service model.
        call: makes the Call of (operation, scope, request id).
        account_of: the account that an issued access key belongs to; None if it is unknown.
        default_scope: for requests that are not signed.
        pages: the emulator's own pages below ``/_emulator``.
        notice: hears the region of every signed request; returns at once.
    """

    handlers: Mapping[str, Handler]
    absent: Callable[[], Mapping[str, Handler]]
    call: Callable[[str, Scope, str], Call]
    storage: Storage
    runtime: Runtime
    pages: "WSGIApplication"
    account_of: AccountOf
    default_scope: Scope
    notice: Callable[[str], None] = _unheard

"""One HTTP request as the stages of the front see it; reads nothing before it is asked to.

The Host header says nothing here: a client of every service has the emulator's one address.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from emulator.call import Scope
from emulator.protocol import planes
from emulator.protocol.parse import TARGET_PREFIX
from emulator.protocol.signature import AccountOf, Credential, credential, scope_of
from emulator.services import SERVICES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SAGEMAKER = "sagemaker"
RUNTIME = "sagemaker-runtime"

_TARGETS = {row.target: name for name, row in SERVICES.items() if row.target}


@dataclass
class Request:
    """A WSGI environ with names for what the front asks of it.

    Attributes:
        request_id: what the reply's ``x-amzn-RequestId`` and the log carry.
    """

    environ: "WSGIEnvironment"
    request_id: str
    account_of: AccountOf
    default_scope: Scope

    @cached_property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @cached_property
    def path(self) -> str:
        return str(self.environ.get("PATH_INFO") or "/")

    @cached_property
    def target(self) -> str:
        """The ``X-Amz-Target`` header, by which JSON protocols name the operation."""
        return str(self.environ.get("HTTP_X_AMZ_TARGET", ""))

    @cached_property
    def is_form(self) -> bool:
        """Whether the body is a form, as query protocols send it."""
        content_type = self.environ.get("CONTENT_TYPE") or ""
        return bool(content_type.startswith("application/x-www-form-urlencoded"))

    @cached_property
    def signer(self) -> Credential | None:
        environ = self.environ
        return credential(environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING") or "")

    @cached_property
    def service(self) -> str:
        """The service this request is for, by its signing name.

        The runtime plane signs as the control plane does, so its paths tell them apart, with any
        method: one that it does not have is its own to refuse. Of the services with unsigned
        operations only STS sends forms; the rest of such requests are S3's, which has a bucket
        "endpoints" if somebody makes one.
        """
        signed = self.signer.service if self.signer is not None else ""
        if self.target.startswith(TARGET_PREFIX):
            return SAGEMAKER
        told = bool(signed) or self.method == "POST" or planes.is_invocation(self.path)
        if signed != "s3" and told and self.path.startswith("/endpoints/"):
            return RUNTIME
        if signed:
            return signed
        if self.target:
            named = self.target.partition(".")[0]
            return _TARGETS.get(named, named)
        return "sts" if self.is_form and self.path == "/" else "s3"

    @cached_property
    def scope(self) -> Scope:
        return scope_of(self.signer, account_of=self.account_of, default=self.default_scope)

    @cached_property
    def body(self) -> bytes:
        """The whole body. Once read, it is gone from the environ."""
        stream, length = self.environ["wsgi.input"], self.environ.get("CONTENT_LENGTH")
        if length:
            return bytes(stream.read(int(length)))
        # Without a length, only a server that ends the stream itself can be read to the end.
        return bytes(stream.read()) if self.environ.get("wsgi.input_terminated") else b""

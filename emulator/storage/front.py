"""S3 over WSGI: streams bodies in and out of files and lets moto do the rest."""

import contextlib
import logging
import uuid
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse
from xml.sax.saxutils import escape

from emulator.call import Scope
from emulator.storage import checks, schema
from emulator.storage.bodies import BLOCK, Body
from emulator.storage.ledger import NotStored, is_disk_full, not_stored
from emulator.storage.receive import Rejected, plain, receive
from emulator.storage.replies import Reply, send
from emulator.storage.requests import MotoRequest, build, read_body
from emulator.storage.s3 import S3
from emulator.storage.samples import SampleBuckets

logger = logging.getLogger(__name__)

# A PUT on a key with one of these changes the object's settings, not its body.
_SETTINGS = ("acl", "tagging", "retention", "legal-hold", "restore", "torrent")
# Of a body that has lost its framing.
_PLAIN = {"HTTP_X_AMZ_CONTENT_SHA256": "UNSIGNED-PAYLOAD"}
_ANONYMOUS = (
    "AWS4-HMAC-SHA256 Credential=anonymous/19700101/{region}/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


class S3Front:
    """Answers S3 requests.

    Args:
        s3: the service.
        samples: makes the buckets that appear at their first use.
    """

    def __init__(self, s3: S3, samples: SampleBuckets) -> None:
        self._s3 = s3
        self._samples = samples

    def __call__(
        self, scope: Scope, environ: Mapping[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = environ.get("PATH_INFO", "/").encode("latin-1")
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        try:
            bucket, key = checks.check_names(method, path, query)
            checks.check_query(method, bucket, key, query)
            reply = self._answer(scope, environ, bucket, key, query)
        except Rejected as error:
            _drain(environ)
            reply = _error(error.status, error.code, error.message, error.elements)
        except NotImplementedError as error:
            reply = _error(501, "NotImplemented", str(error) or "This is not emulated.")
        except Exception as error:
            reply = _failure(error, f"{method} {path.decode(errors='backslashreplace')}")
        return send(environ, start_response, reply)

    def _answer(
        self, scope: Scope, environ: Mapping[str, Any], bucket: str, key: str, query: checks.Query
    ) -> Reply:
        self._ensure(environ["REQUEST_METHOD"], bucket, key, query)
        self._check_owner(bucket, environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"))
        if "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION" in environ:
            checks.check_encryption(environ["HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION"])
        if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
            checks.check_copy_source(source)
            name, _, copied = unquote(source.partition("?")[0]).lstrip("/").partition("/")
            self._samples.ensure(name, key=copied)
            self._check_owner(name, environ.get("HTTP_X_AMZ_SOURCE_EXPECTED_BUCKET_OWNER"))
        if not _carries_body(environ, key, query):
            body = plain(environ, read_body(environ))
            checks.check_body(environ, body)
            schema.check(environ["REQUEST_METHOD"], key, query, body)
            request = self._request(scope, environ, bucket, key, body, _PLAIN)
            if request.method == "POST" and not key and "delete" not in query:
                checks.check_form(environ, list(request.form))
            return self._s3.answer(request)
        return self._take(scope, environ, bucket, key, query)

    def _take(
        self, scope: Scope, environ: Mapping[str, Any], bucket: str, key: str, query: checks.Query
    ) -> Reply:
        """Answer a request that carries an object or a part of one."""
        upload_id = query.get("uploadId", [""])[0]
        algorithm = self._s3.upload_algorithm(bucket, upload_id) if upload_id else None
        path = self._s3.bodies.path(self._s3.bodies.new_name())
        upload = receive(environ, path, [algorithm] if algorithm else [])
        body = Body(path, 0, upload.size, md5=upload.md5, fresh=True, checksums=upload.checksums)
        request = self._request(scope, environ, bucket, key, b"", _checksum_headers(body))
        request.streamed = body
        try:
            return self._s3.answer(request)
        finally:
            if body.fresh:
                path.unlink(missing_ok=True)

    def _ensure(self, method: str, bucket: str, key: str, query: checks.Query) -> None:
        """Have the buckets that appear at their first use be there, with what is asked of them."""
        if key:
            self._samples.ensure(bucket, key=key if method in ("GET", "HEAD") else None)
        elif method not in ("PUT", "DELETE"):
            listed = method == "GET" and checks.is_listing(query)
            self._samples.ensure(bucket, prefix=query.get("prefix", [""])[0] if listed else None)

    def _check_owner(self, name: str, account: str | None) -> None:
        """Refuse a request that expects another account to own the bucket; moto looks away."""
        bucket = self._s3.bucket(name) if account else None
        if bucket is not None and bucket.account_id != account:
            raise Rejected("AccessDenied", "Access Denied", 403)

    def _request(
        self,
        scope: Scope,
        environ: Mapping[str, Any],
        bucket: str,
        key: str,
        body: bytes,
        extra: Mapping[str, str],
    ) -> MotoRequest:
        if "HTTP_AUTHORIZATION" not in environ:
            # moto lets anonymous clients read public objects only; everyone may read these.
            extra = {**extra, "HTTP_AUTHORIZATION": _ANONYMOUS.format(region=scope.region)}
        environ = checks.without_unreadable(environ)
        request = build(scope, environ, host="localhost", body=body, extra=extra)
        request.bucket, request.key = bucket, key
        return request


def _drain(environ: Mapping[str, Any]) -> None:
    """Read what is left of a small body: unread, it would cost the client its connection."""
    if 0 < int(environ.get("CONTENT_LENGTH") or 0) <= BLOCK:
        with contextlib.suppress(OSError):
            environ["wsgi.input"].read(BLOCK)


def _carries_body(environ: Mapping[str, Any], key: str, query: Mapping[str, Any]) -> bool:
    return (
        environ["REQUEST_METHOD"] == "PUT"
        and bool(key)
        and "HTTP_X_AMZ_COPY_SOURCE" not in environ
        and not any(name in query for name in _SETTINGS)
    )


def _checksum_headers(body: Body) -> dict[str, str]:
    """Tell moto what was computed on the way in, and that the body is plain now."""
    headers = {
        **_PLAIN,
        "HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM": "",
    }
    for algorithm, value in body.checksums.items():
        headers["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm
        headers[f"HTTP_X_AMZ_CHECKSUM_{algorithm}"] = value
    return headers


def _failure(error: Exception, request: str) -> Reply:
    """Return the reply to a request that failed by no fault of its own."""
    if is_disk_full(error):
        error = not_stored(error)
    if isinstance(error, NotStored):
        logger.warning("s3 could not do %s: %s", request, error)
        return _error(error.status, error.code, str(error))
    logger.error("s3 failed on %s", request, exc_info=error)
    return _error(500, "InternalError", "We encountered an internal error.")


def _error(
    status: int, code: str, message: str, elements: Mapping[str, object] = MappingProxyType({})
) -> Reply:
    more = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in elements.items())
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{more}"
        f"<RequestId>{uuid.uuid4()}</RequestId></Error>"
    )
    return status, {"Content-Type": "application/xml"}, body.encode()

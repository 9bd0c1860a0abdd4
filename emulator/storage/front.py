"""S3 over WSGI: streams bodies in and out of files and lets moto do the rest."""

import logging
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException

from emulator.call import Scope
from emulator.storage.bodies import Body
from emulator.storage.receive import Rejected, receive
from emulator.storage.replies import Reply, send
from emulator.storage.requests import MotoRequest, build, read_body
from emulator.storage.s3 import S3
from emulator.storage.samples import SampleBuckets

logger = logging.getLogger(__name__)

# A PUT on a key with one of these changes the object's settings, not its body.
_SETTINGS = ("acl", "tagging", "retention", "legal-hold", "restore", "torrent")
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
        path = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
        bucket, _, key = path.removeprefix("/").partition("/")
        try:
            reply = self._answer(scope, environ, bucket, key)
        except Rejected as error:
            reply = _error(error.status, error.code, error.message)
        except HTTPException as error:
            reply = _error(error.code or 500, "InternalError", str(error.description))
        except NotImplementedError as error:
            reply = _error(501, "NotImplemented", str(error) or "This is not emulated.")
        except Exception:
            logger.exception("s3 failed on %s %s", environ.get("REQUEST_METHOD"), path)
            reply = _error(500, "InternalError", "We encountered an internal error.")
        return send(environ, start_response, reply)

    def _answer(self, scope: Scope, environ: Mapping[str, Any], bucket: str, key: str) -> Reply:
        if key or environ["REQUEST_METHOD"] not in ("PUT", "DELETE"):
            self._samples.ensure(bucket)
        self._check_owner(bucket, environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"))
        if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
            name = unquote(source).lstrip("/").partition("/")[0]
            self._samples.ensure(name)
            self._check_owner(name, environ.get("HTTP_X_AMZ_SOURCE_EXPECTED_BUCKET_OWNER"))
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if not _carries_body(environ, key, query):
            return self._s3.answer(
                self._request(scope, environ, bucket, key, read_body(environ), {})
            )
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
        request = build(scope, environ, host="localhost", body=body, extra=extra)
        request.bucket, request.key = bucket, key
        return request


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
        "HTTP_X_AMZ_CONTENT_SHA256": "UNSIGNED-PAYLOAD",
        "HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM": "",
    }
    for algorithm, value in body.checksums.items():
        headers["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = algorithm
        headers[f"HTTP_X_AMZ_CHECKSUM_{algorithm}"] = value
    return headers


def _error(status: int, code: str, message: str) -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{uuid.uuid4()}</RequestId></Error>"
    )
    return status, {"Content-Type": "application/xml"}, body.encode()

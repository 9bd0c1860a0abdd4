"""What S3 refuses by its own rules, before moto sees the request; pure.

moto trusts its clients: a number that is none or a body that is no XML ends in an exception there,
and a subresource that it does not know is the bucket or the object itself to it.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from emulator.storage.keys import MOST_BYTES, BadKey, check_key, may_be_bucket
from emulator.storage.receive import Rejected, compare_md5

Query = Mapping[str, Sequence[str]]

_RANGE = re.compile(r"bytes=\s*\d*\s*-\s*\d*\s*(?:,\s*\d*\s*-\s*\d*\s*)*")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_MOST = 2**31 - 1
# The least and the most that each number may be.
_NUMBERS = {
    "max-keys": (0, _MOST),
    "max-uploads": (0, _MOST),
    "max-parts": (0, _MOST),
    "part-number-marker": (0, _MOST),
    "partNumber": (1, 10_000),
}
# S3 has these and moto has not: it would take DELETE /bucket?metrics for DELETE /bucket.
_NOT_EMULATED_OF_BUCKETS = (
    "abac",
    "analytics",
    "intelligent-tiering",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "requestPayment",
)
_NOT_EMULATED_OF_OBJECTS = ("renameObject", "torrent")
# By method, where moto takes a subresource that it knows for other methods alone.
_NOT_EMULATED_BY = {
    "DELETE": ("inventory", "logging", "notification", "accelerate", "versioning", "object-lock"),
}
_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS")
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse", "aws:fsx")
_LISTING = frozenset(
    {
        *("list-type", "prefix", "delimiter", "max-keys", "encoding-type", "fetch-owner"),
        *("continuation-token", "start-after", "marker"),
        *("versions", "key-marker", "version-id-marker", "x-id"),
    }
)
_POSTED = ("uploads", "uploadId", "restore", "select")


def check_names(method: str, path: bytes, query: Query) -> tuple[str, str]:
    """Return the bucket and the key of a path, each perhaps empty.

    Raises:
        Rejected: the path is not UTF-8, or names what no bucket or object can be called.
    """
    try:
        bucket, _, key = path.decode().removeprefix("/").partition("/")
        check_key(key)
    except UnicodeDecodeError:
        raise Rejected("InvalidURI", "Couldn't parse the specified URI.") from None
    except BadKey as error:
        sizes = {"Size": error.too_long, "MaxSizeAllowed": MOST_BYTES}
        raise Rejected("KeyTooLongError", "Your key is too long", elements=sizes) from None
    makes = method == "PUT" and not key and not set(query) - {"x-id"}
    if makes and bucket and not may_be_bucket(bucket):
        raise Rejected(
            "InvalidBucketName",
            "The specified bucket is not valid.",
            elements={"BucketName": bucket},
        )
    return bucket, key


def check_query(method: str, bucket: str, key: str, query: Query) -> None:
    """Raise Rejected for a number that is none, and for what S3 or the emulator does not have."""
    if method not in _METHODS or (not bucket and method in ("PUT", "POST", "DELETE")):
        raise not_allowed(method)
    for name, (least, most) in _NUMBERS.items():
        if name in query:
            _check_number(name, query[name][0], least, most)
    known = _NOT_EMULATED_OF_OBJECTS if key else _NOT_EMULATED_OF_BUCKETS
    for name in (*known, *_NOT_EMULATED_BY.get(method, ())):
        if name in query and not (key and name not in known):
            raise Rejected("NotImplemented", f"{method} ?{name} of S3 is not emulated.", 501)
    if method == "PUT" and ("uploadId" in query) != ("partNumber" in query):
        raise Rejected("InvalidArgument", "This operation does not accept a query-string.")
    if method == "POST" and key and not any(name in query for name in _POSTED):
        raise not_allowed(method)


def _check_number(name: str, text: str, least: int, most: int) -> None:
    if not _WHOLE.fullmatch(text):
        message = f"Provided {name} not an integer or within integer range"
    elif least <= int(text) <= most:
        return
    elif name == "partNumber":
        message = f"Part number must be an integer between {least} and {most}, inclusive"
    else:
        message = f"Argument {name} must be an integer between {least} and {most}"
    elements = {"ArgumentName": name, "ArgumentValue": text}
    raise Rejected("InvalidArgument", message, elements=elements)


def is_listing(query: Query) -> bool:
    """Tell whether a GET of a bucket asks for its objects rather than for one of its settings."""
    return not any(name[:1].islower() and name not in _LISTING for name in query)


def not_allowed(method: str) -> Rejected:
    """Return the refusal of a method that the resource does not have."""
    return Rejected(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        405,
        elements={"Method": method},
    )


def check_form(environ: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise Rejected unless a POST to a bucket is a form with a key, as browsers upload.

    Args:
        names: of the form's fields.
    """
    if not str(environ.get("CONTENT_TYPE") or "").startswith("multipart/form-data"):
        raise Rejected(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            412,
            elements={"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
        )
    if "key" not in names:
        raise Rejected(
            "InvalidArgument",
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the "
            "order of the fields.",
        )


def check_encryption(algorithm: str) -> None:
    """Raise Rejected for a server-side encryption that S3 does not have."""
    if algorithm not in _ENCRYPTIONS:
        raise Rejected(
            "InvalidArgument",
            "The encryption method specified is not supported",
            elements={
                "ArgumentName": "x-amz-server-side-encryption",
                "ArgumentValue": algorithm,
            },
        )


def check_copy_source(source: str) -> None:
    """Raise Rejected unless the header names a bucket and a key."""
    bucket, _, key = source.partition("?")[0].lstrip("/").replace("%2F", "/").partition("/")
    if not bucket or not key:
        raise Rejected(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            elements={"ArgumentName": "x-amz-copy-source", "ArgumentValue": source},
        )


def check_body(environ: Mapping[str, Any], body: bytes) -> None:
    """Raise Rejected if a whole body is not what its Content-MD5 says."""
    compare_md5(environ, hashlib.md5(body, usedforsecurity=False).digest())


def without_unreadable(environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the environ without ranges and dates that S3 can't read, and therefore ignores."""
    kept = dict(environ)
    if not _RANGE.fullmatch(environ.get("HTTP_RANGE", "").strip()):
        kept.pop("HTTP_RANGE", None)
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"):
        if name in kept:
            try:
                at = parsedate_to_datetime(kept[name])
                kept[name] = format_datetime(at.astimezone(UTC), usegmt=True)
            except (ValueError, OverflowError):
                del kept[name]
    return kept

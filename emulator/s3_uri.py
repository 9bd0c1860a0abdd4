"""Which bucket and key an S3 URI means, whichever of AWS's spellings it has; pure.

SageMaker takes ``https`` addresses of S3 wherever it takes ``s3://`` ones: the bucket is then the
first part of the path, or the first part of the host.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

_REGION = r"[a-z]+(?:-[a-z]+)+-\d+"
# S3's own hosts: s3, s3-REGION, s3.REGION, s3.dualstack.REGION, s3-fips, s3-accelerate.
# Its other planes (s3-control, s3-accesspoint, s3-outposts, s3express) have no bucket in the host.
_HOST = re.compile(
    rf"(?:(?P<bucket>.+)\.)?s3(?:-fips|-accelerate|-external-1|-{_REGION})?"
    rf"(?:\.dualstack)?(?:\.{_REGION})?"
)
_DOMAIN = re.compile(r"(?P<host>.+)\.amazonaws\.com(?:\.cn)?(?::443)?")


class Place(NamedTuple):
    """A bucket and a key or key prefix in it."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def read(uri: str) -> Place | None:
    """Return what a URI points at, or None if it names no bucket of S3.

    Args:
        uri: ``s3://bucket``, ``s3://bucket/key``, ``https://HOST/bucket/key`` or
            ``https://bucket.HOST/key`` with a host of S3. In the ``https`` forms the key may be
            percent-encoded, as consoles and browsers write it.
    """
    scheme, _, rest = uri.partition("://")
    first, _, key = rest.partition("/")
    if scheme == "s3":
        return Place(first, key) if first else None
    domain = _DOMAIN.fullmatch(first.lower()) if scheme == "https" else None
    host = of_host(domain["host"]) if domain else None
    if host is None:
        return None
    if host.bucket:
        return Place(host.bucket, unquote(key))
    bucket, _, key = key.partition("/")
    return Place(bucket, unquote(key)) if bucket else None


class Host(NamedTuple):
    """A host of S3; `bucket` is None where it names none."""

    bucket: str | None


def of_host(host: str) -> Host | None:
    """Return what a host without its domain says, in lower case; None if it is not S3's."""
    found = _HOST.fullmatch(host)
    return Host(found["bucket"]) if found else None

"""Where an S3 URI points; pure."""

from typing import NamedTuple

from emulator.errors import ValidationException


class Place(NamedTuple):
    """A bucket and a key or key prefix in it."""

    bucket: str
    key: str


def parse(uri: str, path: str) -> Place:
    """Return what ``uri`` points at.

    Args:
        uri: ``s3://bucket``, ``s3://bucket/`` or ``s3://bucket/key``.
        path: the request member that holds it, for the refusal.

    Raises:
        ValidationException: it is another URL; AWS also takes ``https`` ones.
    """
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise ValidationException(f'{path} "{uri}" is not emulated yet. Use s3://bucket/key.')
    return Place(bucket, key)

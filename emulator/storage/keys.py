"""Which names S3 takes for objects and buckets; pure."""

import os
import re

MOST_BYTES = 1024
"""Bytes of UTF-8 that a key may have."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class BadKey(ValueError):
    """No object can have this key; the message says why.

    Args:
        too_long: the key's bytes, if they are too many.
    """

    def __init__(self, message: str, too_long: int | None = None) -> None:
        super().__init__(message)
        self.too_long = too_long


def check_key(key: str) -> None:
    """Raise BadKey unless an object can have this key."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise BadKey(f"The file name '{printable(key)}' is not UTF-8") from None
    if size > MOST_BYTES:
        raise BadKey(f"The key is longer than {MOST_BYTES} bytes: '{key}'", size)


def may_be_bucket(name: str) -> bool:
    """Tell whether a new bucket may have this name, by the rules for general purpose buckets."""
    return (
        _BUCKET.fullmatch(name) is not None
        and ".." not in name
        and _ADDRESS.fullmatch(name) is None
        and not name.startswith(_RESERVED_PREFIXES)
        and not name.endswith(_RESERVED_SUFFIXES)
    )


def printable(name: str) -> str:
    """Return a file's name as text that can be encoded: bytes that are no UTF-8 as ``\\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")

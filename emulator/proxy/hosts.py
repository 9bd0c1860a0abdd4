"""Which hosts are AWS's, and which of them name a bucket of S3; pure but for botocore's data.

The suffixes are those of botocore's partitions: no other host is ever taken for AWS.
"""

import re
from collections.abc import Iterable
from functools import cache

from emulator import s3_uri

# With the underscore, which old buckets have in their names.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


@cache
def suffixes() -> tuple[str, ...]:
    """Return the domains under which AWS serves its APIs, of every partition, sorted."""
    from botocore.loaders import Loader

    partitions = Loader().load_data("partitions")["partitions"]
    keys = ("dnsSuffix", "dualStackDnsSuffix")
    return tuple(sorted({part["outputs"][key] for part in partitions for key in keys}))


def is_aws(host: str, domains: Iterable[str]) -> bool:
    """Tell whether a host lies under one of the domains; `host` is in lower case."""
    return _NAME.fullmatch(host) is not None and any(
        host.endswith("." + domain) for domain in domains
    )


def bucket_of(host: str, domains: Iterable[str]) -> str | None:
    """Return the bucket that a virtual-hosted host of S3 names, or None if it names none."""
    for domain in domains:
        if host.endswith("." + domain):
            found = s3_uri.of_host(host.removesuffix("." + domain))
            return found.bucket if found else None
    return None

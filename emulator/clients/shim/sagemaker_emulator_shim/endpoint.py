"""Lets STS's public endpoint, which the SageMaker SDK names in its code, yield to the environment.

An endpoint in code beats AWS_ENDPOINT_URL. Only STS is named so; every other client, and an STS
endpoint that is not AWS's own, is left alone.
"""

import functools
import os
import re
from typing import Any, Callable, Optional

from . import replace

_PUBLIC = re.compile(r"https://sts(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?/?")


def yield_sts(module: Any) -> None:
    """Wrap `botocore.session.Session.create_client`."""
    replace(module.Session, "create_client", _yielding)


def _yielding(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def create_client(self: Any, service_name: str, *args: Any, **kwargs: Any) -> Any:
        chosen = configured()
        if service_name == "sts" and chosen and _PUBLIC.fullmatch(str(kwargs.get("endpoint_url"))):
            kwargs["endpoint_url"] = chosen
        return create(self, service_name, *args, **kwargs)

    return create_client


def configured() -> Optional[str]:
    """Return the URL that the environment gives for STS, as botocore reads it."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL") or None

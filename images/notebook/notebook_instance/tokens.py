"""The tokens of presigned URLs, and the cookies they are exchanged for; pure.

A token is `BODY.SIGNATURE`: the body JSON in base64 without padding, the signature HMAC-SHA256 in
hexadecimal over the body as it stands there. A cookie has the same form under a key of its own, so
that neither is ever taken for the other.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping

_COOKIES = b"cookies of the browser"


def session_of(token: str, key: bytes, now: float) -> int | None:
    """Return how many seconds a session lasts that a token opens; None for no valid token."""
    content = _opened(token, key)
    if content is None or not now < content.get("expires", 0):
        return None
    session = int(content.get("session", 0))
    return session if session > 0 else None


def cookie(key: bytes, until: float) -> str:
    """Return the cookie of a session that lasts until a moment, in seconds since 1970."""
    return _sealed({"until": until}, _cookie_key(key))


def is_session(value: str, key: bytes, now: float) -> bool:
    """Tell whether a cookie is that of a session that still lasts."""
    content = _opened(value, _cookie_key(key))
    return content is not None and now < content.get("until", 0)


def _cookie_key(key: bytes) -> bytes:
    return hmac.digest(key, _COOKIES, hashlib.sha256)


def _sealed(content: Mapping[str, float], key: bytes) -> str:
    body = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")
    return f"{body.decode()}.{_signature(body, key)}"


def _opened(text: str, key: bytes) -> dict[str, float] | None:
    """Return what a signed text says; None if its signature is not that of the key."""
    body, _, signature = text.encode("utf-8", "replace").partition(b".")
    if not hmac.compare_digest(signature, _signature(body, key).encode()):
        return None
    try:
        content = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    except (ValueError, binascii.Error):
        return None
    numbers = isinstance(content, dict) and all(
        isinstance(value, (int, float)) for value in content.values()
    )
    return content if numbers else None


def _signature(body: bytes, key: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()

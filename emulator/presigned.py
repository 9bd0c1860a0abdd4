"""The tokens that open a notebook instance: made by the emulator, checked in the container; pure.

A token is its own proof: what it grants, and an HMAC over that with a key which only the emulator
and the one start of the one instance know. The container's half is in images/notebook.
"""

import base64
import hashlib
import hmac
import json

VALID_SECONDS = 300
"""How long a URL may be opened (contract E)."""


def token(key: str, *, now: float, session: int) -> str:
    """Return a token that lets in until `VALID_SECONDS` after `now`.

    Args:
        key: hexadecimal; the start's own.
        now: epoch seconds.
        session: seconds that whoever comes in may stay.
    """
    granted = json.dumps({"expires": int(now) + VALID_SECONDS, "session": session})
    payload = base64.urlsafe_b64encode(granted.encode()).decode().rstrip("=")
    proof = hmac.new(bytes.fromhex(key), payload.encode(), hashlib.sha256).hexdigest()
    return f"{payload}.{proof}"


def url(address: str, key: str, *, now: float, session: int) -> str:
    """Return the URL that opens the instance at `address` (``HOST:PORT``)."""
    return f"http://{address}/?authToken={token(key, now=now, session=session)}"

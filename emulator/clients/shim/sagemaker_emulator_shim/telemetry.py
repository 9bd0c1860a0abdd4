"""Keeps the SDK's usage reports on this machine: they go to a bucket of AWS, past every endpoint.

Without a network the request would hang or print a traceback.
"""

from typing import Any

from . import emulated, replace


def mute(module: Any) -> None:
    """Replace the one function that sends the report."""
    if emulated():
        replace(module, "_requests_helper", lambda _: _send_nothing)


def _send_nothing(url: str, timeout: float) -> None:
    return None

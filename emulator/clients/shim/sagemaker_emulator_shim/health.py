"""Lets local mode notice at once that its serving container answers.

The SDK asks `/ping` every 5 s and counts to 120 s. Its sleeps end early here as soon as `/ping`
answers 200; the questions, their number and the patience stay the SDK's own.
"""

import functools
import http.client
import time
from typing import Any, Callable, Optional

from . import hastened, replace

_PAUSE = 0.25
_TIMEOUT = 1.0


class AttentiveTime:
    """The module `time` whose sleeps end when what is waited for is there."""

    def __init__(self) -> None:
        self.there: Optional[Callable[[], bool]] = None

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        """Sleep that long, less if what is waited for is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (self.there and self.there()):
            time.sleep(max(0.0, min(_PAUSE, end - time.monotonic())))


def notice(module: Any) -> None:
    """Wrap `_wait_for_serving_container` of the SDK's local mode."""
    if not hastened():
        return
    clock = AttentiveTime()

    def attentive(wait: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(wait)
        def wait_attentively(serving_port: int, *args: Any, **kwargs: Any) -> Any:
            host = getattr(module, "get_docker_host", lambda: "localhost")()
            clock.there = functools.partial(serves, host, serving_port)
            try:
                return wait(serving_port, *args, **kwargs)
            finally:
                clock.there = None

        return wait_attentively

    replace(module, "_wait_for_serving_container", attentive)
    replace(module, "time", lambda _: clock)


def serves(host: str, port: int) -> bool:
    """Return whether `/ping` answers 200 there now."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

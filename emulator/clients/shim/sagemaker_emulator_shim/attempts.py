"""Scales a number of attempts that a caller gives to a SageMaker waiter.

The waiters of the emulator's data ask more often than botocore's. Who says
`WaiterConfig={"MaxAttempts": 60}` and no `Delay` means sixty times the interval that botocore
ships, and is given as much patience in real time.
"""

import functools
import json
import math
import os
from typing import Any, Callable, Dict

from . import hastened, replace

_FILE = os.path.join("data", "sagemaker", "2017-07-24", "waiters-2.sdk-extras.json")


def scale(module: Any) -> None:
    """Wrap `botocore.waiter.Waiter.wait`."""
    if hastened():
        replace(module.Waiter, "wait", _scaled)


def _scaled(wait: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(wait)
    def scaled(self: Any, **kwargs: Any) -> Any:
        given = kwargs.get("WaiterConfig") or {}
        if "MaxAttempts" in given and "Delay" not in given:
            more = _slowness(self.name, self.config.delay)
            attempts = math.ceil(given["MaxAttempts"] * more)
            kwargs["WaiterConfig"] = dict(given, MaxAttempts=attempts)
        return wait(self, **kwargs)

    return scaled


def _slowness(name: str, delay: float) -> float:
    """Return how many of our intervals make one of botocore's; 1 for a waiter that is not ours."""
    ours = _waiters().get(name)
    return ours["writtenDelay"] / delay if ours and ours["delay"] == delay else 1


@functools.lru_cache(maxsize=None)
def _waiters() -> Dict[str, Any]:
    clients = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(clients, _FILE), encoding="utf-8") as file:
        waiters: Dict[str, Any] = json.load(file)["merge"]["waiters"]
    return waiters

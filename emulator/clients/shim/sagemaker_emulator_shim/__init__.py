"""How single modules of the SDKs are adapted; imported by the SDK's interpreter, never by ours.

Each function takes a module that has just been imported. Nothing is adapted in a process that
AWS_ENDPOINT_URL points nowhere. Python 3.8 and later must be able to read all of it.
"""

import os
from typing import Any, Callable, List, Tuple

AS_WRITTEN = "SAGEMAKER_EMULATOR_AS_WRITTEN"
REPLACED: List[Tuple[Any, str, Any]] = []
"""Owner, name and former value of every attribute that was replaced, in this order."""


def emulated() -> bool:
    """Return whether this process is pointed at an endpoint of its own."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))


def hastened() -> bool:
    """Return whether this process waits less than its SDK was written to."""
    return emulated() and not os.environ.get(AS_WRITTEN)


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Set an attribute to what is made of its present value, unless that was done before."""
    if not any(known is owner and called == name for known, called, _ in REPLACED):
        before = getattr(owner, name)
        setattr(owner, name, make(before))
        REPLACED.append((owner, name, before))


def restore(mark: int) -> None:
    """Put back what was replaced since REPLACED had `mark` entries, the last first."""
    while len(REPLACED) > mark:
        owner, name, before = REPLACED.pop()
        setattr(owner, name, before)

"""How single modules of the SDKs are adapted; imported by the SDK's interpreter, never by ours.

Each function takes a module that has just been imported. Nothing is adapted in a process that
AWS_ENDPOINT_URL points nowhere. Python 3.8 and later must be able to read all of it.
"""

import os

AS_WRITTEN = "SAGEMAKER_EMULATOR_AS_WRITTEN"


def emulated() -> bool:
    """Return whether this process is pointed at an endpoint of its own."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))


def hastened() -> bool:
    """Return whether this process waits less than its SDK was written to."""
    return emulated() and not os.environ.get(AS_WRITTEN)

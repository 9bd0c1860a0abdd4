"""Checks that a script makes inside a container: one container start for many of them."""

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

Check = Callable[[], None]
_CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Make the function one of the checks, under its name."""
    _CHECKS[function.__name__] = function
    return function


def run() -> None:
    """Write what went wrong with each check, else empty, to the file of the first argument."""
    found = {}
    for name, function in _CHECKS.items():
        try:
            function()
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc()
    Path(sys.argv[1]).write_text(json.dumps(found))

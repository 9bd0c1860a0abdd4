"""botocore's SageMaker waiters, asking more often: `data/` is written by this module.

    python -m emulator.clients.waiters

writes it anew from the installed botocore. A waiter's patience (interval times attempts) and
what it waits for stay; a waiter of a botocore that this data does not know stays as it is.
"""

import json
import math
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

from emulator.clients.places import DATA

INTERVAL = 0.5
"""Seconds between two questions of a waiter."""
FILE = DATA / "sagemaker" / "2017-07-24" / "waiters-2.sdk-extras.json"
"""Merged by botocore into its own waiters, because of its name and place."""


def written() -> dict[str, dict[str, Any]]:
    """Return the SageMaker waiters as botocore ships them, by name."""
    builtin = Loader(include_default_search_paths=False, extra_search_paths=[_builtin()])
    model = builtin.load_service_model("sagemaker", "waiters-2")
    waiters: dict[str, dict[str, Any]] = model["waiters"]
    return waiters


def quickened(waiters: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the extras that make these waiters ask every half second.

    `writtenDelay` is the interval in seconds that botocore ships: botocore passes over it, the
    shim reads it to scale a number of attempts that a caller gives.
    """
    return {
        "version": 1.0,
        "merge": {
            "waiters": {
                name: {
                    "delay": INTERVAL,
                    "maxAttempts": math.ceil(waiter["delay"] * waiter["maxAttempts"] / INTERVAL),
                    "writtenDelay": waiter["delay"],
                }
                for name, waiter in sorted(waiters.items())
                if waiter["delay"] > INTERVAL
            }
        },
    }


def _builtin() -> str:
    return str(Path(Loader.BUILTIN_DATA_PATH))


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(quickened(written()), indent=2) + "\n", encoding="utf-8")

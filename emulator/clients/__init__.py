"""What the emulator lays beside clients: a Python shim, data for botocore, commands, variables.

`env` prints it for a shell, and `point_here` gives it to a Python process that runs already:

    from emulator.clients import point_here

    with point_here("http://127.0.0.1:4610"):
        boto3.client("sagemaker").list_training_jobs()

Nothing here runs in the emulator or needs what it depends on. `docs/clients.md` says what each part
does to a client and how to do without.
"""

from emulator.clients.places import AS_WRITTEN, COMMANDS, DATA, PROFILE, SHIM, WRAPPERS
from emulator.clients.pointing import Pointed, point_here

__all__ = [
    "AS_WRITTEN",
    "COMMANDS",
    "DATA",
    "PROFILE",
    "SHIM",
    "WRAPPERS",
    "Pointed",
    "point_here",
]

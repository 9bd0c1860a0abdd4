"""What the emulator lays beside the clients of a shell: a Python shim, data for botocore, commands.

Nothing here runs in the emulator. `env` prints the directories; `docs/clients.md` says what each of
them does to a client and how to do without.
"""

from pathlib import Path

SHIM = Path(__file__).parent / "shim"
"""Directory for PYTHONPATH."""
DATA = Path(__file__).parent / "data"
"""Directory for AWS_DATA_PATH."""
COMMANDS = Path(__file__).parent / "commands"
"""Directory for the end of PATH."""
AS_WRITTEN = "SAGEMAKER_EMULATOR_AS_WRITTEN"
"""Variable that, when it is not empty, has a process wait as long as its SDK was written to."""

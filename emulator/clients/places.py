"""Where the parts are that clients are shown, and the names of what they are told by."""

from pathlib import Path

SHIM = Path(__file__).parent / "shim"
"""Directory for PYTHONPATH."""
DATA = Path(__file__).parent / "data"
"""Directory for AWS_DATA_PATH."""
COMMANDS = Path(__file__).parent / "commands"
"""Directory for the end of PATH."""
WRAPPERS = Path(__file__).parent / "wrappers"
"""Directory for the beginning of PATH."""
AS_WRITTEN = "SAGEMAKER_EMULATOR_AS_WRITTEN"
"""Variable that, when it is not empty, has a process wait as long as its SDK was written to."""
PROFILE = "sagemaker-emulator"
"""Profile of the AWS configuration that leads to the emulator."""

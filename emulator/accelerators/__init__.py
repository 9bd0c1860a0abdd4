"""What stands behind `AcceleratorType`: an attached accelerator, or the CPU in its place.

    types.py      the six types of Amazon Elastic Inference and their sizes; pure
    choice.py     the one rule that resolves an `AcceleratorType`; pure
    registry.py   what is attached, to which host, and which framework has claimed it

It starts no container and keeps nothing on disk: what is attached follows from the settings and
from the notebook instances in service, and claims from the containers that hold them.
"""

from emulator.accelerators.choice import Choice, NoAccelerator, NotYetAttached
from emulator.accelerators.registry import Accelerators
from emulator.accelerators.types import Device, declared

__all__ = ["Accelerators", "Choice", "Device", "NoAccelerator", "NotYetAttached", "declared"]

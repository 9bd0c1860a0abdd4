"""`mx.eia()`: the Elastic Inference accelerator of MXNet, as a context that computes where it can.

The images' MXNet imports this at its end. Which device stands behind the accelerator is the
emulator's to say, in SAGEMAKER_EMULATOR_ACCELERATOR; without it, the CPU does. What is computed is
what that device computes, to the last digit.
"""

import os
import sys

from mxnet import context

DEVICE = "SAGEMAKER_EMULATOR_ACCELERATOR"
_told: set[str] = set()


class Accelerator(context.Context):
    """The device behind an accelerator: equal to it, but shown as what was asked for.

    Only `repr` says so: MXNet's operators are given a context as `str` writes it.
    """

    def __init__(self, device: context.Context, accelerator_id: int = 0) -> None:
        super().__init__(device)
        self._accelerator_id = accelerator_id

    def __repr__(self) -> str:
        return f"eia({self._accelerator_id})"


def eia(device_id: int = 0) -> Accelerator:
    """Return the context of an attached accelerator."""
    kind, number = parsed(os.environ.get(DEVICE, ""))
    if kind == "gpu" and number >= _gpus():
        _warn(f"There is no gpu:{number} for this MXNet: the accelerator computes on the CPU.")
        kind, number = "cpu", 0
    return Accelerator(context.Context(kind, number), device_id)


def parsed(device: str) -> tuple[str, int]:
    """Return kind and number of a device, `cpu` or `gpu:N`."""
    kind, _, number = device.partition(":")
    return ("gpu", int(number or 0)) if kind == "gpu" else ("cpu", 0)


def _gpus() -> int:
    try:
        return int(context.num_gpus())
    except Exception:  # a build of MXNet without CUDA, or none of it here
        return 0


def _warn(line: str) -> None:
    if line not in _told:
        _told.add(line)
        print(f"WARNING: {line}", file=sys.stderr, flush=True)

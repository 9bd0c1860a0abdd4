"""What a container gets of this machine for its instance type: the GPUs, or the CPU instead."""

from dataclasses import dataclass

from emulator.errors import PermanentError
from emulator.launch.contract.gpus import has_gpus
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import Launcher
from emulator.reconcile.ports import Resolved


class NoCapacity(PermanentError):
    """This machine has no GPUs, and the CPU must not stand in for them."""


@dataclass(frozen=True)
class Hardware:
    """What a container runs on.

    Attributes:
        gpus: it has all GPUs of this machine.
        warning: what its instance type promises and this machine does not have, else empty.
    """

    gpus: bool = False
    warning: str = ""

    def warnings(self, image: Resolved) -> list[str]:
        """Return all that differs from AWS for this image here; the missing GPU is named once."""
        if not self.warning:
            return list(image.warnings)
        others = (each for each in image.warnings if each != image.cpu_warning)
        return [self.warning, *others]


def provide(launcher: Launcher, limits: Limits, instance_type: str) -> Hardware:
    """Return what containers of an instance type run on.

    Raises:
        NoCapacity: the type has GPUs, this machine has none, and `limits` insist on them.
        TemporaryError: the engine does not answer.
    """
    if not has_gpus(instance_type):
        return Hardware()
    if launcher.has_gpus():
        return Hardware(gpus=True)
    if limits.cpu_stand_ins:
        return Hardware(
            warning=f"{instance_type} has GPUs and containers on this machine have none:"
            " this one runs on the CPU."
        )
    raise NoCapacity(
        f"{instance_type} has GPUs and containers on this machine have none."
        " EMULATOR_CPU_STAND_INS=1 lets the CPU stand in."
    )

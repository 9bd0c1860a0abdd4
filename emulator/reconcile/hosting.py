"""What the fleets of all endpoints share, and what one of their containers is; decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from emulator.accelerators import Accelerators
from emulator.call import Scope
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import Launcher
from emulator.logs import LogSink
from emulator.reconcile.follow import Followers
from emulator.reconcile.models import Models
from emulator.reconcile.ports import ResolveImage
from emulator.routing import Target

FIRST_LOOK = 0.002
"""Seconds to the second ping of a new container; each further one waits longer."""
LAST_LINES = 5.0


class FleetFailed(Exception):
    """The fleet can't come up; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Hosting:
    """What all fleets share: the parts below, and the limits from the settings."""

    launcher: Launcher
    followers: Followers
    logs: LogSink
    models: Models
    resolve_image: ResolveImage
    wake: Callable[[Scope, str], None]
    accelerators: Accelerators
    limits: Limits
    ping_timeout: float

    def end(self, handle: str, grace: float) -> None:
        """Stop and remove one container; what it still writes is kept. Absent is fine."""
        if grace:
            self.launcher.stop(handle, grace=grace)
            self.followers.finish(handle, LAST_LINES)
        self.launcher.remove(handle)
        self.followers.finish(handle, LAST_LINES)


@dataclass
class Instance:
    """One serving container, and what the fleet remembers of its health."""

    variant: str
    number: int
    handle: str
    target: Target
    image_id: str
    deadline: float
    look: float = FIRST_LOOK
    ready: bool = False
    strikes: int = 0
    warned: bool = False
    """It was told that a process of it was killed for memory."""

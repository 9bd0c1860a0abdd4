"""What is attached and who uses it; shared by endpoints, notebook instances and local mode.

A claim is the first framework's and lasts until the accelerator's host starts again (contract D):
it stays when its users are gone. Nothing is kept on disk.
"""

import threading
from collections.abc import Iterable

from emulator.accelerators.choice import Choice, choose
from emulator.accelerators.types import Device, readable
from emulator.call import Document


class Accelerators:
    """The attached accelerators; any thread may call.

    Args:
        devices: what is attached from the start.
        cpu_allowed: the CPU may stand in where no accelerator fits.
    """

    def __init__(self, devices: Iterable[Device] = (), *, cpu_allowed: bool = True) -> None:
        self._cpu_allowed = cpu_allowed
        self._devices = {device.id: device for device in devices}
        self._claims: dict[str, str] = {}
        self._users: dict[str, list[str]] = {}
        self._guard = threading.Lock()

    def attach(self, device: Device) -> None:
        """Attach a device; a second time changes nothing."""
        with self._guard:
            self._devices.setdefault(device.id, device)

    def detach(self, device_id: str) -> None:
        """Take a device away, and its claim with it; absent is fine."""
        with self._guard:
            for known in (self._devices, self._claims, self._users):
                known.pop(device_id, None)

    def acquire(self, asked: str, framework: str, user: str) -> Choice:
        """Return what serves a user, and claim it for the framework; see `choose`.

        Raises:
            NoAccelerator: nothing may serve.
        """
        with self._guard:
            choice = choose(
                asked,
                framework,
                list(self._devices.values()),
                self._claims,
                cpu_allowed=self._cpu_allowed,
            )
            if choice.device is not None:
                self._use(choice.device.id, framework, user)
            return choice

    def readopt(self, device_id: str, framework: str, user: str) -> None:
        """Know again who has used a device since an earlier run, attached again yet or not."""
        with self._guard:
            self._use(device_id, framework, user)

    def release(self, user: str) -> None:
        """Forget a user; the framework's claim stays."""
        with self._guard:
            for users in self._users.values():
                if user in users:
                    users.remove(user)

    def report(self) -> Document:
        """Return what is attached, for people and programs."""
        with self._guard:
            return {
                "fallback": "cpu" if self._cpu_allowed else "never",
                "accelerators": [
                    {
                        "id": device.id,
                        "type": device.type,
                        "memory": readable(device.size.memory_bytes),
                        "backing": device.backing,
                        "host": device.host,
                        "since": device.since,
                        "framework": self._claims.get(device.id),
                        "users": list(self._users.get(device.id, ())),
                    }
                    for device in sorted(self._devices.values(), key=lambda each: each.id)
                ],
            }

    def _use(self, device_id: str, framework: str, user: str) -> None:
        self._claims.setdefault(device_id, framework)
        users = self._users.setdefault(device_id, [])
        if user not in users:
            users.append(user)

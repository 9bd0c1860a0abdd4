"""What is attached and who uses it; shared by endpoints, notebook instances and local mode.

A claim is the first framework's and lasts until the accelerator's host starts again (contract D):
it stays when its users are gone. Nothing is kept on disk.
"""

import threading
from collections.abc import Iterable

from emulator.accelerators.choice import Choice, choose, served_by
from emulator.accelerators.types import Device, readable
from emulator.call import Document

MOST_USERS = 100
"""Users of one accelerator, or of the CPU, that are remembered: local mode ends none of its own."""


class Accelerators:
    """The attached accelerators; any thread may call.

    Args:
        devices: what is attached from the start.
        cpu_allowed: the CPU may stand in where no accelerator fits.
    """

    def __init__(self, devices: Iterable[Device] = (), *, cpu_allowed: bool = True) -> None:
        self._cpu_allowed = cpu_allowed
        self._devices = {device.id: device for device in devices}
        self._expected: dict[str, list[Device]] = {}
        self._claims: dict[str, str] = {}
        self._users: dict[str, list[str]] = {}
        self._stand_ins: dict[str, str] = {}
        self._guard = threading.Lock()

    def attach(self, device: Device) -> None:
        """Attach a device; a second time changes nothing."""
        with self._guard:
            self._devices.setdefault(device.id, device)

    def expect(self, owner: str, devices: Iterable[Device]) -> None:
        """Have those wait whom these devices of an owner would serve, instead of the CPU."""
        with self._guard:
            self._expected[owner] = list(devices)

    def expect_no_more(self, owner: str) -> None:
        """End the wait for an owner's devices, be they attached or not; absent is fine."""
        with self._guard:
            self._expected.pop(owner, None)

    def detach(self, device_id: str) -> None:
        """Take a device away, and its claim with it; absent is fine."""
        with self._guard:
            for known in (self._devices, self._claims, self._users):
                known.pop(device_id, None)

    def still_serves(self, choice: Choice) -> bool:
        """Say whether what was chosen is there; the CPU always is."""
        with self._guard:
            return choice.device is None or choice.device.id in self._devices

    def acquire(self, asked: str, framework: str, user: str) -> Choice:
        """Return what serves a user, and claim it for the framework; see `choose`.

        Raises:
            NoAccelerator: nothing may serve.
            NotYetAttached: an expected device may serve.
        """
        with self._guard:
            choice = choose(
                asked,
                framework,
                list(self._devices.values()),
                self._claims,
                cpu_allowed=self._cpu_allowed,
                expected=[device for some in self._expected.values() for device in some],
            )
            if choice.device is not None:
                self._use(choice.device.id, framework, user)
            else:
                self._stand_in(user, choice.reason)
            return choice

    def readopt(self, asked: str, device_id: str, framework: str, user: str) -> Choice | None:
        """Know again who has used a device since an earlier run.

        Returns:
            The choice of then, or None as long as the device is not attached again.
        """
        with self._guard:
            self._use(device_id, framework, user)
            device = self._devices.get(device_id)
            return served_by(asked, device) if device else None

    def readopt_stand_in(self, asked: str, user: str) -> None:
        """Know again who has been on the CPU since an earlier run."""
        with self._guard:
            reason = f"AcceleratorType {asked} runs on the CPU, as an earlier run has chosen."
            self._stand_in(user, reason)

    def release(self, user: str) -> None:
        """Forget a user; the framework's claim stays."""
        with self._guard:
            for users in self._users.values():
                if user in users:
                    users.remove(user)
            self._stand_ins.pop(user, None)

    def free(self) -> None:
        """Forget every claim and every user; what is attached stays."""
        with self._guard:
            for known in (self._claims, self._users, self._stand_ins, self._expected):
                known.clear()

    def report(self) -> Document:
        """Return what is attached and who uses it or the CPU, for people and programs."""
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
                "stand_ins": [
                    {"user": user, "reason": reason} for user, reason in self._stand_ins.items()
                ],
            }

    def _stand_in(self, user: str, reason: str) -> None:
        self._stand_ins.pop(user, None)
        self._stand_ins[user] = reason
        if len(self._stand_ins) > MOST_USERS:
            del self._stand_ins[next(iter(self._stand_ins))]

    def _use(self, device_id: str, framework: str, user: str) -> None:
        self._stand_ins.pop(user, None)
        self._claims.setdefault(device_id, framework)
        users = self._users.setdefault(device_id, [])
        if user not in users:
            users.append(user)
            del users[:-MOST_USERS]

"""Warm network namespaces: idle "pause" containers whose network a job joins.

Making a network namespace is most of a container's start. A pause container has one already, with
the job's host name and address; the job joins it with ``network_mode=container:…`` and so starts
nearly as fast as without any isolation. Pauses for the ordinary case wait in a pool that is
refilled in the background; others are made on demand.

A pause whose job is gone goes back to the pool if it is as it was: all that a job can leave behind
in a network namespace without further rights is a change of /etc/hosts and its like, so those are
compared. Any other pause goes with its job.

Without an image for pauses, jobs take their place on the network themselves.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator import names
from emulator.errors import EmulatorError, TemporaryError

from . import labels
from .engine import Engine

log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.15
_RETRY_SECONDS = 5.0
_GIVE_UP_SECONDS = 60.0
_REFILLERS = 2
_SHARED_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


@dataclass(frozen=True)
class Place:
    """Where a container stands on the network.

    Attributes:
        network: a network's name; ``none`` for no network at all.
        static: a fixed address, for a host of a cluster.
        published: the TCP port to publish on this machine's loopback.
        known: further names in /etc/hosts, with their addresses.
        labels: what makes the place known again after a restart.
    """

    hostname: str
    network: str
    static: str | None = None
    published: int | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def container(self) -> dict[str, Any]:
        """Return this place in the engine's words, as part of a container's configuration."""
        host: dict[str, Any] = {
            "NetworkMode": self.network,
            "ExtraHosts": [f"{name}:{address}" for name, address in self.known.items()],
        }
        configuration: dict[str, Any] = {"Hostname": self.hostname, "HostConfig": host}
        if self.published is not None:
            port = f"{self.published}/tcp"
            configuration["ExposedPorts"] = {port: {}}
            host["PortBindings"] = {port: [{"HostIp": "127.0.0.1", "HostPort": ""}]}
        if self.static is not None:
            own = {"IPAMConfig": {"IPv4Address": self.static}}
            configuration["NetworkingConfig"] = {"EndpointsConfig": {self.network: own}}
        return configuration


@dataclass(frozen=True)
class Namespace:
    """A running pause.

    Attributes:
        pause: the container's name.
        host: where this machine reaches its ports; empty without a network.
        port: the published port on `host`, if one is published.
    """

    pause: str
    host: str
    port: int | None


def reachable(inspected: Mapping[str, Any], published: int | None) -> tuple[str, int | None]:
    """Return host and, if published, port of a container as the engine describes it.

    The host is empty while the container has no network.
    """
    settings = inspected.get("NetworkSettings") or {}
    if published is not None:
        bound = (settings.get("Ports") or {}).get(f"{published}/tcp")
        if bound:
            return "127.0.0.1", int(bound[0]["HostPort"])
    networks = (settings.get("Networks") or {}).values()
    return next((net["IPAddress"] for net in networks if net.get("IPAddress")), ""), None


class Namespaces:
    """The pauses of one emulator.

    Args:
        instance: the emulator's id.
        image: an image with ``sleep``, or None to have no pauses.
        size: how many idle ones to keep; up to twice as many stay after a rush.
    """

    def __init__(self, engine: Engine, instance: str, image: str | None, size: int) -> None:
        self._engine = engine
        self._instance = instance
        self._image = image
        self._size = size
        self._standard: Place | None = None
        self._idle: list[Namespace] = []
        self._known: set[str] = set()
        self._ordinary: dict[str, Namespace] = {}
        self._returned: list[Namespace] = []
        self._untouched: bytes | None = None
        self._filling = 0
        self._quiet_from = 0.0
        self._changed = threading.Condition()
        self._refillers: list[threading.Thread] = []
        self._closed = False

    def warm(self, standard: Place) -> None:
        """Keep pauses for this place ready from now on; returns at once."""
        with self._changed:
            self._standard = standard
            if self._image is None or self._size == 0 or self._refillers or self._closed:
                return
            for number in range(_REFILLERS):
                thread = threading.Thread(target=self._refill, name=f"pause-{number}", daemon=True)
                self._refillers.append(thread)
                thread.start()

    def take(self, place: Place) -> Namespace | None:
        """Return a running pause at this place, or None if there is no image for pauses."""
        with self._changed:
            self._quiet_from = time.monotonic() + _QUIET_SECONDS
            if place == self._standard and self._idle:
                taken = self._idle.pop()
                self._changed.notify()
                return taken
        if not self._has_image():
            return None
        made = self._make(place)
        with self._changed:
            if place == self._standard:
                self._ordinary[made.pause] = made
        return made

    def give_back(self, pause: str) -> None:
        """Take back a pause whose job is gone, to be used again or removed; returns at once."""
        with self._changed:
            namespace = self._ordinary.get(pause)
            room = len(self._idle) + len(self._returned) < 2 * self._size
            if namespace and room and self._refillers and not self._closed:
                self._returned.append(namespace)
                self._changed.notify_all()
                return
        self.remove(pause)

    def idle(self) -> int:
        """Return how many pauses wait in the pool."""
        with self._changed:
            return len(self._idle)

    def remove(self, pause: str) -> None:
        """Remove a pause; absent is fine."""
        self._engine.delete(f"/containers/{pause}", force=1, v=1)
        with self._changed:
            self._known.discard(pause)
            self._ordinary.pop(pause, None)

    def drain(self) -> None:
        """Remove the idle pauses, for instance because a restart of the engine stopped them."""
        with self._changed:
            idle = self._idle + self._returned
            self._idle, self._returned = [], []
            self._changed.notify_all()
        for namespace in idle:
            with contextlib.suppress(EmulatorError):  # an engine that is gone has no pauses
                self.remove(namespace.pause)

    def sweep(self, used: set[str]) -> None:
        """Remove pauses that are neither among these nor made by this process."""
        wanted = labels.selecting(labels.of(self._instance, labels.PAUSE_ROLE))
        for found in self._engine.get("/containers/json", all=1, filters=wanted):
            name = found["Names"][0].removeprefix("/")
            with self._changed:
                abandoned = name not in used | self._known
            if abandoned:
                log.info("removing the pause %s, which no job needs", name)
                self.remove(name)

    def close(self) -> None:
        """Stop refilling and remove the idle pauses; a sweep then finds those of lost jobs."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._refillers:
            thread.join()
        self.drain()
        with self._changed:
            self._known.clear()

    def _has_image(self) -> bool:
        return self._image is not None and bool(self._engine.find(f"/images/{self._image}/json"))

    def _make(self, place: Place) -> Namespace:
        name = f"sagemaker-emulator-pause-{names.token(12)}"
        with self._changed:
            self._known.add(name)
        try:
            self._engine.post("/containers/create", self._request(place), name=name)
            self._engine.post(f"/containers/{name}/start")
            inspected = self._engine.get(f"/containers/{name}/json")
        except EmulatorError:
            with contextlib.suppress(EmulatorError):  # the first error is the one to tell
                self.remove(name)
            raise
        return Namespace(name, *reachable(inspected, place.published))

    def _request(self, place: Place) -> dict[str, Any]:
        request = place.container()
        request["Image"] = self._image
        request["Entrypoint"] = ["sleep"]
        request["Cmd"] = ["infinity"]
        request["Labels"] = {**place.labels, **labels.of(self._instance, labels.PAUSE_ROLE)}
        request["HostConfig"] |= {
            "LogConfig": {"Type": "none"},
            "SecurityOpt": ["no-new-privileges"],
        }
        return request

    def _refill(self) -> None:
        while work := self._work():
            made, rest = None, 0.0
            try:
                if isinstance(work, Namespace):
                    made = self._checked(work)
                elif self._has_image():
                    made = self._fresh(work)
                else:
                    rest = _RETRY_SECONDS
            except TemporaryError as error:
                log.debug("no pause made: %s", error)
                rest = _RETRY_SECONDS
            except EmulatorError as error:
                log.warning("no warm network namespaces, containers start slower: %s", error)
                rest = _GIVE_UP_SECONDS
            except Exception:
                log.exception("no warm network namespaces, containers start slower")
                rest = _GIVE_UP_SECONDS
            with self._changed:
                if made:
                    self._idle.append(made)
                    self._ordinary[made.pause] = made
                self._filling -= 1
                self._changed.notify_all()
                if rest:
                    self._changed.wait_for(lambda: self._closed, timeout=rest)

    def _work(self) -> Namespace | Place | None:
        """Wait for a pause to take back, or until the pool lacks one; None when closed.

        Making one waits until no job is starting, which it would slow down.
        """
        with self._changed:
            while not self._closed:
                delay = self._quiet_from - time.monotonic()
                if self._returned:
                    self._filling += 1
                    return self._returned.pop()
                if len(self._idle) + self._filling >= self._size:
                    self._changed.wait()
                elif delay > 0:
                    self._changed.wait(delay)
                else:
                    self._filling += 1
                    return self._standard
            return None

    def _fresh(self, place: Place) -> Namespace:
        made = self._make(place)
        if self._untouched is None:
            self._untouched = self._shared_files(made)
        return made

    def _checked(self, returned: Namespace) -> Namespace | None:
        """Return the pause if its job left no trace in it; else remove it."""
        try:
            if self._shared_files(returned) == self._untouched:
                return returned
            log.debug("%s is not as it was", returned.pause)
        except EmulatorError as error:
            log.debug("%s cannot be used again: %s", returned.pause, error)
        self.remove(returned.pause)
        return None

    def _shared_files(self, namespace: Namespace) -> bytes:
        """Return the files that a pause shares with its job, less its address."""
        text = self._engine.run(namespace.pause, ["cat", *_SHARED_FILES])
        return text.replace(f"{namespace.host}\t".encode(), b"\t")

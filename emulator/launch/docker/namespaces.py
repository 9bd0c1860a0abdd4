"""Warm network namespaces: idle "pause" containers whose network a job joins.

Making a network namespace is most of a container's start. A pause container has one already, with
the job's host name and address; the job joins it with ``network_mode=container:…`` and so starts
nearly as fast as without any isolation. Pauses for the ordinary case wait in a pool that is
refilled in the background; others are made on demand. A pause serves one job and goes with it.

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
        size: how many idle ones to keep.
    """

    def __init__(self, engine: Engine, instance: str, image: str | None, size: int) -> None:
        self._engine = engine
        self._instance = instance
        self._image = image
        self._size = size
        self._standard: Place | None = None
        self._idle: list[Namespace] = []
        self._known: set[str] = set()
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
        return self._make(place) if self._has_image() else None

    def idle(self) -> int:
        """Return how many pauses wait in the pool."""
        with self._changed:
            return len(self._idle)

    def remove(self, pause: str) -> None:
        """Remove a pause; absent is fine."""
        self._engine.delete(f"/containers/{pause}", force=1, v=1)
        with self._changed:
            self._known.discard(pause)

    def drain(self) -> None:
        """Remove the idle pauses, for instance because a restart of the engine stopped them."""
        with self._changed:
            idle, self._idle = self._idle, []
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
                log.info("removing the pause %s of an earlier run", name)
                self.remove(name)

    def close(self) -> None:
        """Stop refilling and remove the idle pauses."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._refillers:
            thread.join()
        self.drain()

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
        while place := self._lacking():
            made, rest = None, 0.0
            try:
                if self._has_image():
                    made = self._make(place)
                else:
                    rest = _RETRY_SECONDS
            except TemporaryError as error:
                log.debug("no pause made: %s", error)
                rest = _RETRY_SECONDS
            except EmulatorError as error:
                log.warning("no warm network namespaces, containers start slower: %s", error)
                rest = _GIVE_UP_SECONDS
            with self._changed:
                if made:
                    self._idle.append(made)
                self._filling -= 1
                if rest:
                    self._changed.wait_for(lambda: self._closed, timeout=rest)

    def _lacking(self) -> Place | None:
        """Wait until the pool lacks a pause and no job is starting; None when closed."""
        with self._changed:
            while not self._closed:
                delay = self._quiet_from - time.monotonic()
                if len(self._idle) + self._filling >= self._size:
                    self._changed.wait()
                elif delay > 0:
                    self._changed.wait(delay)
                else:
                    self._filling += 1
                    return self._standard
            return None

"""The networks of one emulator: few, long-lived, on small subnets of its own.

Networks are expensive to make (60 ms) and to remove (170 ms), and an engine's default address
pools end at some thirty networks, so each emulator keeps one network (and one more without a way
out, when isolation asks for it) and brings its own addresses. The lower half of a subnet is handed
out by the engine, the upper half is for hosts of clusters, whose addresses are known beforehand.
"""

import contextlib
import ipaddress
import logging
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from emulator.errors import PermanentError

from . import labels
from .engine import Engine, Failed, Refused
from .oneself import Oneself

log = logging.getLogger(__name__)

SERVER_NAME = "sagemaker-emulator"
"""The emulator's name for containers; no dots: S3 clients and servers take those for a bucket's."""
PODMAN_HOST = "host.containers.internal"
"""Podman's name for the machine in the /etc/hosts of every container."""
_POOL = IPv4Network("10.231.0.0/16")
_PREFIX = 24
_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True)
class Placed:
    """A network as the engine has it.

    Attributes:
        own: the emulator's own address on it; None unless the emulator is a container.
    """

    name: str
    subnet: IPv4Network
    gateway: str
    own: str | None = None

    def static_addresses(self) -> Iterator[str]:
        """Yield the addresses that the engine never hands out by itself."""
        _, upper = self.subnet.subnets(prefixlen_diff=1)
        return (str(address) for address in upper.hosts())


def free_subnets(taken: Iterable[IPv4Network], seed: str) -> Iterator[IPv4Network]:
    """Yield subnets of our pool that overlap nothing taken, beginning at a place of the seed's.

    Different seeds begin elsewhere, so that emulators started at once rarely meet.
    """
    occupied = list(taken)
    subnets = list(_POOL.subnets(new_prefix=_PREFIX))
    first = zlib.crc32(seed.encode()) % len(subnets)
    for subnet in subnets[first:] + subnets[:first]:
        if not any(subnet.overlaps(other) for other in occupied):
            yield subnet


def routed(table: str) -> Iterator[IPv4Network]:
    """Yield the destinations of a Linux routing table as /proc/net/route shows it.

    The default route, which covers everything, is left out.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[7] != "00000000":
            address, mask = (bytes.fromhex(fields[index])[::-1] for index in (1, 7))
            yield IPv4Network((address, str(IPv4Address(mask))))


def addresses(network: dict[str, Any]) -> Iterator[IPv4Network]:
    """Yield the IPv4 subnets of a network in the engine's words."""
    for block in (network.get("IPAM") or {}).get("Config") or []:
        with contextlib.suppress(ValueError, KeyError):  # IPv6, or a driver without subnets
            yield IPv4Network(block["Subnet"])


class Network:
    """One network of this emulator, made when first needed and found again after a restart.

    An emulator that is a container joins it: under its name, unless there is no way out.

    Args:
        instance: the emulator's id.
        name: the network's name on the engine.
        internal: without a way out.
    """

    def __init__(
        self, engine: Engine, oneself: Oneself, instance: str, name: str, *, internal: bool
    ) -> None:
        self._engine = engine
        self._oneself = oneself
        self._instance = instance
        self._name = name
        self._internal = internal
        self._placed: Placed | None = None
        self._making = threading.Lock()

    def ensure(self) -> Placed:
        """Return the network, making it if need be; idempotent.

        Raises PermanentError when no subnet is free or a stranger's network has the name.
        """
        with self._making:
            if self._placed is None:
                placed = self._find() or self._create()
                own = self._oneself.join(self._name, () if self._internal else (SERVER_NAME,))
                self._placed = replace(placed, own=own)
            return self._placed

    def forget(self) -> None:
        """Look the network up again: someone removed it."""
        with self._making:
            self._placed = None

    def remove(self) -> None:
        """Remove the network unless something is attached; absent is fine."""
        with self._making:
            self._placed = None
            if self._find():
                self._oneself.leave(self._name)
                try:
                    self._engine.delete(f"/networks/{self._name}")
                except (Refused, Failed) as error:  # a job outlives this emulator on it
                    log.debug("the network %s stays: %s", self._name, error)

    def _find(self) -> Placed | None:
        found = self._engine.find(f"/networks/{self._name}")
        if found is None:
            return None
        if (found.get("Labels") or {}).get(labels.INSTANCE) != self._instance:
            raise PermanentError(
                f"The network {self._name} exists and is not this emulator's. Remove it, or give "
                "this emulator another state directory."
            )
        subnet = next(addresses(found))
        return Placed(self._name, subnet, str(next(subnet.hosts())))

    def _create(self) -> Placed:
        taken = [net for other in self._engine.get("/networks") for net in addresses(other)]
        with contextlib.suppress(OSError):  # not Linux: the engine refuses overlaps by itself
            taken += routed(_ROUTES.read_text())
        for subnet in free_subnets(taken, self._instance + self._name):
            try:
                self._engine.post("/networks/create", self._request(subnet))
            except (Refused, Failed) as error:
                if "overlap" not in error.reason:
                    raise
                log.debug("subnet %s: %s", subnet, error)
                continue
            log.info("network %s on %s", self._name, subnet)
            return Placed(self._name, subnet, str(next(subnet.hosts())))
        raise PermanentError(
            f"No /{_PREFIX} subnet of {_POOL} is free for containers. "
            "Remove networks that are not needed (`docker network ls`)."
        )

    def _request(self, subnet: IPv4Network) -> dict[str, Any]:
        lower, _ = subnet.subnets(prefixlen_diff=1)
        gateway = str(next(subnet.hosts()))
        return {
            "Name": self._name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Internal": self._internal,
            "IPAM": {
                "Config": [{"Subnet": str(subnet), "IPRange": str(lower), "Gateway": gateway}]
            },
            "Labels": labels.of(self._instance, labels.NETWORK_ROLE),
        }


def address_of(name: str, hosts: str) -> str | None:
    """Return the address of a name in the text of an /etc/hosts, None if it has none."""
    for line in hosts.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if name in names:
            return address
    return None


def on_this_machine(address: str) -> bool:
    """Say whether the address is one of this machine's own, so that a server can listen on it.

    The gateway of a bridge is, when the engine runs right here; it is not with Docker Desktop,
    a rootless engine, a remote engine, or from inside a container.
    """
    with socket.socket() as probe:
        try:
            probe.bind((str(ipaddress.ip_address(address)), 0))
        except OSError:
            return False
    return True

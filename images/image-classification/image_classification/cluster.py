"""Several hosts that train one model: MXNet's parameter servers, and what the hosts agree on.

Each host runs a server and trains on its share of the data; the first one runs the scheduler, too,
and writes the model. MXNet waits for ever for a host that has left, so that all hosts must train
for equally many epochs: they agree on the last one over plain TCP. Nothing here trains. MXNet is
imported only in the servers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

_SCHEDULER_PORT, _TEAM_PORT = 8000, 8001
# Of a host whose container starts late; Amazon's images wait as long.
_START_SECONDS = 15 * 60.0
_POLL_SECONDS = 0.1
# Servers end by themselves when the last host has closed its store.
_SERVERS_END_SECONDS = 30.0
# The platform ends a host well before, once another has failed.
_ENDED_SECONDS = 5 * 60.0
_VALUE = struct.Struct("<d")


@dataclass(frozen=True)
class Hosts:
    """The hosts of a job (contract B7, resourceconfig.json).

    Attributes:
        current: the name of this one.
        all: the names of all.
    """

    current: str
    all: tuple[str, ...]

    @property
    def part(self) -> int:
        """The number of this host, from 0."""
        return sorted(self.all).index(self.current)

    @property
    def parts(self) -> int:
        """How many hosts there are."""
        return len(self.all)

    @property
    def first(self) -> str:
        """The name of the host that schedules the others and writes the model."""
        return min(self.all)


class Team:
    """The hosts as one of them sees the others; alone unless it was told to join."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.leads = hosts.part == 0
        self._peers: list[socket.socket] = []

    def join(self) -> None:
        """Connect with the other hosts.

        Raises:
            OSError: they could not be reached in time.
        """
        if self.leads:
            with socket.create_server(("", _TEAM_PORT), backlog=self.hosts.parts) as server:
                server.settimeout(_START_SECONDS)
                self._peers = [server.accept()[0] for _ in self.hosts.all[1:]]
        else:
            self._peers = [_connected(self.hosts.first)]
        for peer in self._peers:
            peer.settimeout(None)

    def most(self, value: float) -> float:
        """Return the largest of all hosts' values, once all of them have asked.

        Raises:
            ConnectionError: a host has left.
        """
        try:
            return self._most(value)
        except ConnectionError:
            # The other host's failure is the job's: it must be the first to end with one.
            time.sleep(_ENDED_SECONDS)
            raise

    def _most(self, value: float) -> float:
        if self.leads:
            value = max([value, *(_received(peer) for peer in self._peers)])
        for peer in self._peers:
            peer.sendall(_VALUE.pack(value))
        return value if self.leads else _received(self._peers[0])

    def leave(self) -> None:
        for peer in self._peers:
            peer.close()


@contextlib.contextmanager
def joined(hosts: Hosts) -> Iterator[Team]:
    """Give the team of a job's hosts; of several, with parameter servers around it.

    Inside, `mx.kv.create("dist_sync")` opens a store. It must be closed by the end, unless an
    exception ends it: the process is to exit then without waiting for the others.
    """
    team = Team(hosts)
    if hosts.parts == 1:
        yield team
        return
    address = _address(hosts.first)
    roles = ["scheduler", "server"] if team.leads else ["server"]
    servers = [_started(role, hosts, address) for role in roles]
    try:
        os.environ.update(_role("worker", hosts, address))
        team.join()
        yield team
        for server in servers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_SERVERS_END_SECONDS)
    finally:
        team.leave()
        for server in servers:
            server.kill()


def _role(role: str, hosts: Hosts, address: str) -> dict[str, str]:
    """Return the environment that tells MXNet what a process is to be."""
    return {
        "DMLC_ROLE": role,
        "DMLC_NUM_WORKER": str(hosts.parts),
        "DMLC_NUM_SERVER": str(hosts.parts),
        "DMLC_PS_ROOT_URI": address,
        "DMLC_PS_ROOT_PORT": str(_SCHEDULER_PORT),
    }


def _started(role: str, hosts: Hosts, address: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **_role(role, hosts, address)}
    return subprocess.Popen([sys.executable, "-c", "import mxnet"], env=environment)


def _address(host: str) -> str:
    """Return the address of a host, whose name may not be known yet."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return socket.gethostbyname(host)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _connected(host: str) -> socket.socket:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return socket.create_connection((host, _TEAM_PORT), timeout=_START_SECONDS)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _received(peer: socket.socket) -> float:
    data = b""
    while len(data) < _VALUE.size:
        received = peer.recv(_VALUE.size - len(data))
        if not received:
            raise ConnectionError("Another host of the job has left.")
        data += received
    value: float = _VALUE.unpack(data)[0]
    return value

"""The container that the emulator itself runs in, if it does: its mounts and its networks.

A container learns from its own files which one it is, and from the engine what it looks like from
outside. An emulator in a container of another engine (a container that has an engine inside, say)
is none to the engine asked here. Nothing is asked before it is needed, and only once; nothing of
the container is changed but its attachment to the emulator's own networks.
"""

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.errors import PermanentError

from .engine import Engine, Failed, Refused
from .mounts import Mounted, mounted, outside

log = logging.getLogger(__name__)

_MOUNTS = Path("/proc/self/mountinfo")
_ENGINES_FILE = re.compile(r"/([0-9a-f]{64})/(?:userdata/)?hostname$")
_SHORT_ID = re.compile(r"[0-9a-f]{12}")


def clues(mountinfo: str, hostname: str) -> Iterator[str]:
    """Yield ids, maybe shortened, of the container that this process may be in.

    Engines mount a file of theirs, in a directory named by the container's id, at /etc/hostname,
    and call a container by the first twelve digits of its id unless it is given a name.

    Args:
        mountinfo: the text of /proc/self/mountinfo.
    """
    for line in mountinfo.splitlines():
        _, _, _, root, target, *_ = line.split(" ")
        found = _ENGINES_FILE.search(root)
        if found and target == "/etc/hostname":
            yield found[1]
    if _SHORT_ID.fullmatch(hostname):
        yield hostname


def own_clues() -> list[str]:
    """Return the clues of this process; none where there is no Linux."""
    mountinfo = _MOUNTS.read_text() if _MOUNTS.exists() else ""
    return list(clues(mountinfo, socket.gethostname()))


@dataclass(frozen=True)
class _Container:
    handle: str
    mounts: list[Mounted]
    on_hosts_network: bool


class Oneself:
    """This process as the engine sees it.

    Args:
        clues: returns ids of containers that it may be in.
    """

    def __init__(self, engine: Engine, clues: Callable[[], Iterable[str]] = own_clues) -> None:
        self._engine = engine
        self._clues = clues
        self._asking = threading.Lock()
        self._asked = False
        self._container: _Container | None = None

    def outside(self, path: Path) -> Path:
        """Return what the engine's machine calls a path of this process.

        Raises PermanentError if that machine has no such path: it is in this container alone.
        """
        own = self._own()
        if own is None:
            return path
        found = outside(path, own.mounts)
        if found is None:
            raise PermanentError(
                f"{path} is inside this emulator's own container, where no other container sees "
                "it. Give the state directory a volume, for instance "
                f"`--volume sagemaker-emulator:{path}`, or --state a directory that is on one."
            )
        return found

    def join(self, network: str, names: Sequence[str]) -> str | None:
        """Attach this container to a network under these names; idempotent.

        Returns its address there; None if this is no container, or one on the machine's network.
        """
        own = self._own()
        if own is None or own.on_hosts_network:
            return None
        if not (address := self._address(own, network)):
            body = {"Container": own.handle, "EndpointConfig": {"Aliases": list(names)}}
            self._engine.post(f"/networks/{network}/connect", body)
            log.debug("joined the network %s", network)
            address = self._address(own, network)
        return address or None

    def leave(self, network: str) -> None:
        """Detach this container from a network; not being attached is fine."""
        if own := self._own():
            body = {"Container": own.handle, "Force": True}
            try:
                self._engine.post(f"/networks/{network}/disconnect", body)
            except (Refused, Failed) as error:  # Docker answers 500 to who is not attached
                log.debug("not on the network %s: %s", network, error)

    def _own(self) -> _Container | None:
        with self._asking:
            if not self._asked:
                self._container = self._ask()
                self._asked = True
            return self._container

    def _ask(self) -> _Container | None:
        for clue in self._clues():
            found = self._engine.find(f"/containers/{clue}/json")
            # The engine also takes the clue for a name, which any container may have.
            if found and found["Id"].startswith(clue) and found["State"]["Running"]:
                log.info("running in the container %s", found["Name"].removeprefix("/"))
                mode = found["HostConfig"]["NetworkMode"]
                return _Container(found["Id"], mounted(found), mode == "host")
        return None

    def _address(self, own: _Container, network: str) -> str:
        inspected: dict[str, Any] = self._engine.get(f"/containers/{own.handle}/json")
        networks = inspected["NetworkSettings"]["Networks"]
        return str((networks.get(network) or {}).get("IPAddress", ""))

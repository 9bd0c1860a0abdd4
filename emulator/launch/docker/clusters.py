"""Fixed addresses for hosts that must find each other by name from the first moment.

The engine's own name service knows a host only once it runs, and asking it too early costs seconds
(contract B7: names resolve inside the container). So the addresses of all hosts of a cluster are
chosen when its first host starts, and every host has them in /etc/hosts.
"""

import threading
from collections.abc import Sequence

from emulator.errors import TemporaryError

from . import labels
from .engine import Engine
from .network import Placed


class Clusters:
    """The address book of one emulator's clusters; the engine's labels are its memory."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._reserved: dict[str, dict[str, str]] = {}
        self._choosing = threading.Lock()

    def hosts(self, cluster: str, names: Sequence[str], network: Placed) -> dict[str, str]:
        """Return the address of each host of the cluster; the same at every call.

        Raises TemporaryError when the network has no such addresses left.
        """
        with self._choosing:
            living = self._living()
            known = living.get(cluster) or self._reserved.get(cluster)
            if known is None:
                self._reserved = {
                    name: hosts for name, hosts in self._reserved.items() if name not in living
                }
                known = self._choose(names, network, living)
                self._reserved[cluster] = known
            return known

    def forget(self, cluster: str) -> None:
        """Give a reservation back; hosts that still run keep theirs."""
        with self._choosing:
            self._reserved.pop(cluster, None)

    def _choose(
        self, names: Sequence[str], network: Placed, living: dict[str, dict[str, str]]
    ) -> dict[str, str]:
        books = [*living.values(), *self._reserved.values()]
        taken = {address for book in books for address in book.values()}
        free = [address for address in network.static_addresses() if address not in taken]
        if len(free) < len(names):
            raise TemporaryError(
                f"The container network has {len(free)} addresses left for {len(names)} hosts.",
                delay=5.0,
            )
        return dict(zip(names, free, strict=False))

    def _living(self) -> dict[str, dict[str, str]]:
        wanted = {"label": [f"{labels.INSTANCE}={self._instance}", labels.CLUSTER]}
        return {
            found["Labels"][labels.CLUSTER]: labels.unpack(found["Labels"][labels.HOSTS])
            for found in self._engine.get("/containers/json", all=1, filters=wanted)
        }

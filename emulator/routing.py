"""Where an endpoint's invocations go: the table that the reconciler writes and inference reads.

Reading takes no lock: the table is replaced, never changed in place. A target that is about to
stop is *closed*: it takes no new invocation, and the reconciler waits until the last one left.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emulator.call import Scope


class Target:
    """One serving container and the invocations under way in it.

    Args:
        host, port: where the container's server listens, called from this machine.
        instance_id: names the log stream and the instance in messages.
        container: the container's name in SageMaker's sentences, ``primary`` for a single one.
    """

    __slots__ = ("_idle", "closed", "container", "host", "inflight", "instance_id", "port")

    def __init__(
        self, host: str, port: int, *, instance_id: str, container: str = "primary"
    ) -> None:
        self.host = host
        self.port = port
        self.instance_id = instance_id
        self.container = container
        self.inflight = 0
        self.closed = False
        self._idle = threading.Condition()

    def enter(self) -> bool:
        """Count an invocation in; False if the target takes no more (choose again)."""
        with self._idle:
            if self.closed:
                return False
            self.inflight += 1
            return True

    def leave(self) -> None:
        """Count an invocation out."""
        with self._idle:
            self.inflight -= 1
            if not self.inflight:
                self._idle.notify_all()

    def close(self) -> None:
        """Take no new invocation."""
        with self._idle:
            self.closed = True

    def drained(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the last invocation to leave."""
        with self._idle:
            return self._idle.wait_for(lambda: not self.inflight, timeout)


@dataclass(frozen=True)
class Variant:
    """One production variant: the share of traffic and the containers behind it."""

    name: str
    weight: float
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Route:
    """All variants of one endpoint that is in service or being updated."""

    scope: Scope
    endpoint: str
    variants: tuple[Variant, ...]


class RoutingTable:
    """The current routes by (scope, endpoint name)."""

    def __init__(self) -> None:
        self._writing = threading.Condition()
        self._routes: Mapping[tuple[Scope, str], Route] = MappingProxyType({})
        self._expected = set[tuple[Scope, str]]()

    def find(self, scope: Scope, endpoint: str) -> Route | None:
        return self._routes.get((scope, endpoint))

    def expect(self, scope: Scope, endpoint: str) -> None:
        """Note that an endpoint is in service whose route an earlier run took with it."""
        with self._writing:
            self._expected.add((scope, endpoint))

    def await_expected(self, scope: Scope, endpoint: str, timeout: float) -> Route | None:
        """Return the route, after at most `timeout` seconds if it is expected, else at once."""
        key = (scope, endpoint)
        with self._writing:
            self._writing.wait_for(lambda: key not in self._expected, timeout)
        return self.find(scope, endpoint)

    def publish(self, route: Route) -> None:
        """Put a route in place of the endpoint's former one.

        An expected one comes only when it leads to a container.
        """
        leads = any(variant.targets for variant in route.variants)
        with self._writing:
            if not leads and (route.scope, route.endpoint) in self._expected:
                return
            routes = {**self._routes, (route.scope, route.endpoint): route}
            self._routes = MappingProxyType(routes)
            self._settle(route.scope, route.endpoint)

    def withdraw(self, scope: Scope, endpoint: str) -> Route | None:
        """Take the endpoint's route away; returns what it was."""
        with self._writing:
            routes = dict(self._routes)
            gone = routes.pop((scope, endpoint), None)
            self._routes = MappingProxyType(routes)
            self._settle(scope, endpoint)
            return gone

    def _settle(self, scope: Scope, endpoint: str) -> None:
        self._expected.discard((scope, endpoint))
        self._writing.notify_all()

"""Endpoints: from a config's plan to containers that answer, and from one fleet to the next.

A pass never waits for a container: it starts what is missing, asks once whether what is starting
answers `/ping`, heals what has died, and says when to look again. While an update brings up the
new fleet, the old one is healed and serves; its containers stop only when the last invocation has
left them, in the background. So do those of a deleted endpoint, whose name is free at once.
"""

import contextlib
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.call import Document, Record, Scope, Store
from emulator.clock import now
from emulator.errors import TemporaryError
from emulator.kinds import ENDPOINT
from emulator.launch.driver import Launcher
from emulator.lifecycle import endpoint as life
from emulator.lifecycle.endpoint import Event, Phase
from emulator.reconcile import labels, reasons
from emulator.reconcile.farewells import Farewells
from emulator.reconcile.fleet import Fleet
from emulator.reconcile.hosting import FleetFailed, Hosting, Instance
from emulator.reconcile.waiting import STREAM, Waits
from emulator.routing import Route, RoutingTable

log = logging.getLogger(__name__)

HEALTH_INTERVAL = 5.0
"""Seconds between health checks in service (contract C2)."""
DRAIN_MARGIN = 10.0
"""Seconds that draining takes longer than an invocation may."""


class Endpoints:
    """Reconciles endpoints."""

    kind = ENDPOINT

    def __init__(
        self,
        *,
        store: Store,
        launcher: Launcher,
        routes: RoutingTable,
        hosting: Hosting,
        directory: Path,
        stop_grace: float,
        invocation_timeout: float,
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._routes = routes
        self._hosting = hosting
        self._directory = directory
        self._stop_grace = stop_grace
        self._drain = invocation_timeout + DRAIN_MARGIN
        self._farewells = Farewells(hosting.end)
        self._fleets: dict[tuple[Scope, str, int], Fleet] = {}
        self._waits = Waits(hosting.logs)

    def reconcile(self, record: Record) -> float | None:
        """Make one pass; see supervisor.Reconciler."""
        passes: dict[Phase, Callable[[Record], float | None]] = {
            Phase.CREATING: self._create,
            Phase.IN_SERVICE: self._serve,
            Phase.UPDATING: self._update,
            Phase.FAILED: self._rest,
            Phase.DELETING: self._delete,
        }
        delay = passes[Phase(record.phase)](record)
        self._waits.over(record)
        return delay

    def delayed(self, record: Record, error: TemporaryError) -> None:
        """Say in the endpoint's log group why it waits; see supervisor.Reconciler."""
        self._waits.tell(record, f"/aws/sagemaker/Endpoints/{record.name}", STREAM, str(error))

    def settled(self, record: Record) -> bool:
        """Say whether the resource needs no look at the start of a run."""
        return Phase(record.phase) is Phase.FAILED

    def give_up(self, record: Record, error: Exception) -> None:
        """Fail what is under way after an unexpected error has come back too often."""
        if Phase(record.phase) is Phase.CREATING:
            self._fail(record, reasons.SERVICE)
        elif Phase(record.phase) is Phase.UPDATING:
            with contextlib.suppress(TemporaryError):  # what fails again is given up again
                self._roll_back(record, reasons.SERVICE)

    def interrupt(self, record: Record, grace: float) -> None:
        """Stop the endpoint's containers because the emulator itself ends.

        The document stays as it is: the next run brings the same fleet up again.
        """
        self._withdraw(record.scope, record.name)
        self._remove_all(record.scope, record.name, grace)

    def _create(self, record: Record) -> float:
        fleet = self._fleet(record)
        try:
            delay = fleet.advance(record.document["Emulator"]["desired"])
        except FleetFailed as error:
            return self._fail(record, str(error))
        if delay is not None:
            return delay
        self._publish(record, fleet, record.document["Emulator"]["desired"])
        self._succeed(record, fleet)
        return HEALTH_INTERVAL

    def _serve(self, record: Record) -> float:
        fleet, desired = self._fleet(record), record.document["Emulator"]["desired"]
        delay = fleet.heal(desired)
        self._publish(record, fleet, desired)
        self._part(record, fleet, fleet.surplus(desired))  # an earlier run may have left some
        return HEALTH_INTERVAL if delay is None else delay

    def _update(self, record: Record) -> float:
        own = record.document["Emulator"]
        old, target = self._fleet(record), own["target"]
        if target["generation"] == old.generation:
            return self._resize(record, old, target)
        old.heal(own["desired"])
        self._publish(record, old, own["desired"])
        new = self._fleet(record, target)
        try:
            delay = new.advance(target["desired"])
        except FleetFailed as error:
            return self._roll_back(record, str(error))
        if delay is not None:
            return delay
        self._publish(record, new, target["desired"])
        self._succeed(record, new)
        self._retire(record, old)
        return 0.0

    def _resize(self, record: Record, fleet: Fleet, target: Document) -> float:
        desired = record.document["Emulator"]["desired"]
        fleet.heal(desired)
        self._publish(record, fleet, desired)
        try:
            delay = fleet.advance(target["desired"])
        except FleetFailed as error:
            return self._roll_back(record, str(error))
        if delay is not None:
            return delay
        self._publish(record, fleet, target["desired"])
        self._succeed(record, fleet)
        self._part(record, fleet, fleet.surplus(target["desired"]))
        return 0.0

    def _rest(self, record: Record) -> None:
        self._clear(record.scope, record.name, 0.0)

    def _delete(self, record: Record) -> None:
        """Give the name back; the containers leave in the background."""
        fleet = self._fleet(record)
        # What is no instance of the fleet has never served: a start, say, that was cut short.
        self._remove_all(record.scope, record.name, 0.0, keep=fleet.handles())
        self._withdraw(record.scope, record.name)
        self._retire(record, fleet)
        self._store.remove(ENDPOINT, record.scope, record.name)
        log.info("Endpoint/%s is gone", record.name)

    def forget(self, scope: Scope, name: str) -> None:
        """Leave nothing behind of an endpoint whose document is gone, but what is leaving."""
        self._withdraw(scope, name)
        self._clear(scope, name, 0.0)

    def see_off(self, grace: float) -> None:
        """Let what is leaving go within `grace` seconds because the emulator itself ends."""
        self._farewells.hurry(grace)

    # What the phases share.

    def _fleet(self, record: Record, target: Document | None = None) -> Fleet:
        """Return the fleet of the current plan or of the target's, adopting what already runs."""
        plan = target or record.document["Emulator"]
        key = (record.scope, record.name, plan["generation"])
        if key not in self._fleets:
            if target is None:
                self._remove_strangers(record)
            self._fleets[key] = Fleet(
                self._hosting,
                record,
                generation=plan["generation"],
                plan=plan["plan"],
                directory=self._generation_directory(record, plan["generation"]),
                leaving=self._farewells.leaving((record.scope, record.name)),
            )
        return self._fleets[key]

    def _remove_strangers(self, record: Record) -> None:
        """Remove what an earlier run left of generations that no longer count."""
        own = record.document["Emulator"]
        counted = {own["generation"], own.get("target", own)["generation"]}
        kept = {labels.fleet(record, generation) for generation in counted}
        self._remove_all(record.scope, record.name, 0.0, which=lambda fleet: fleet not in kept)
        self._discard_all(record.scope, record.name, kept)

    def _publish(self, record: Record, fleet: Fleet, desired: list[Document]) -> None:
        fleet.tell(self._store)
        route = Route(record.scope, record.name, fleet.variants(desired))
        if self._routes.find(record.scope, record.name) != route:
            self._routes.publish(route)

    def _succeed(self, record: Record, fleet: Fleet) -> None:
        def change(current: Record) -> tuple[str, Document]:
            own = dict(current.document["Emulator"])
            target = own.pop("target", None)
            document = {**current.document, "Emulator": own}
            if target:
                own |= {key: target[key] for key in ("generation", "plan", "desired")}
                document["EndpointConfigName"] = target["plan"]["config"]["EndpointConfigName"]
            document.pop("FailureReason", None)
            document["ProductionVariants"] = fleet.describe(own["desired"])
            return life.advance(document, current.phase, Event.FLEET_READY, now())

        self._change(record, change, Event.FLEET_READY, "")

    def _fail(self, record: Record, reason: str) -> float:
        def change(current: Record) -> tuple[str, Document]:
            own = dict(current.document["Emulator"])
            own.pop("target", None)
            document = {**current.document, "Emulator": own, "FailureReason": reason}
            return life.advance(document, current.phase, Event.FLEET_FAILED, now())

        self._change(record, change, Event.FLEET_FAILED, reason)
        return 0.0

    def _roll_back(self, record: Record, reason: str) -> float:
        """Fail an update and leave nothing of it; what served goes on serving."""
        own = record.document["Emulator"]
        generation = own["target"]["generation"]
        if generation == own["generation"]:
            fleet = self._fleet(record)
            self._part(record, fleet, fleet.surplus(own["desired"]))
        else:
            mark = labels.fleet(record, generation)
            self._remove_all(record.scope, record.name, 0.0, which=mark.__eq__)
            self._hosting.models.discard(self._generation_directory(record, generation))
            gone = self._fleets.pop((record.scope, record.name, generation), None)
            if gone is not None:
                gone.release()
        return self._fail(record, reason)

    def _change(
        self,
        record: Record,
        change: Callable[[Record], tuple[str, Document]],
        event: Event,
        reason: str,
    ) -> None:
        moved = self._store.change(
            ENDPOINT, record.scope, record.name, change, event=event, message=reason
        )
        log.info(
            "Endpoint/%s %s->%s because %s%s",
            *(record.name, record.phase, moved.phase, event, f": {reason}" if reason else ""),
        )

    def _withdraw(self, scope: Scope, name: str) -> None:
        route = self._routes.withdraw(scope, name)
        for variant in route.variants if route else ():
            for target in variant.targets:
                target.close()

    def _retire(self, record: Record, fleet: Fleet) -> None:
        """Let a fleet go that no route names any more."""
        del self._fleets[record.scope, record.name, fleet.generation]
        directory = self._generation_directory(record, fleet.generation)

        def then() -> None:
            self._hosting.models.discard(directory)
            self._hosting.wake(record.scope, record.name)  # nothing else may be left of it

        self._farewells.part(
            *((record.scope, record.name), fleet.mark, fleet.disband()),
            drain=self._drain,
            grace=self._stop_grace,
            then=then,
        )

    def _part(self, record: Record, fleet: Fleet, leaving: list[Instance]) -> None:
        if leaving:
            owner = (record.scope, record.name)
            self._farewells.part(
                owner, fleet.mark, leaving, drain=self._drain, grace=self._stop_grace
            )

    def _clear(self, scope: Scope, name: str, grace: float) -> None:
        """Leave nothing of the endpoint behind but its document, and what is leaving."""
        self._remove_all(scope, name, grace)
        self._discard_all(scope, name, set())
        for key in [key for key in list(self._fleets) if key[:2] == (scope, name)]:
            self._fleets.pop(key).release()

    def _discard_all(self, scope: Scope, name: str, kept: AbstractSet[str]) -> None:
        """Remove the directories of all fleets but those `kept` and those that are leaving."""
        leaving = self._farewells.fleets((scope, name))
        whole = self._endpoint_directory(scope, name)
        for directory in whole.glob("*"):
            if directory.name not in kept | leaving:
                self._hosting.models.discard(directory)
        with contextlib.suppress(OSError):  # not there, or not empty
            whole.rmdir()

    def _remove_all(
        self,
        scope: Scope,
        name: str,
        grace: float,
        *,
        which: Callable[[str], bool] = lambda fleet: True,
        keep: AbstractSet[str] = frozenset(),
    ) -> None:
        """Stop and remove the endpoint's containers, known to this run or not, save what leaves.

        One that has never been ready is killed: it may not know yet what to do on SIGTERM, and
        has nothing to finish.

        Args:
            which: says of a fleet's mark whether it goes.
            keep: handles of containers that stay.
        """
        fleets = [fleet for key, fleet in list(self._fleets.items()) if key[:2] == (scope, name)]
        starting = set[str]().union(*(fleet.starting() for fleet in fleets))
        found = self._launcher.find(labels.of(self.kind, scope, name))
        staying = keep | self._farewells.leaving((scope, name))
        gone = [
            each.handle
            for each in found
            if each.handle not in staying and which(each.labels[labels.GENERATION])
        ]

        def end(handle: str) -> None:
            self._hosting.end(handle, 0.0 if handle in starting else grace)

        if gone:
            with ThreadPoolExecutor(min(8, len(gone))) as pool:
                list(pool.map(end, gone))

    def _endpoint_directory(self, scope: Scope, name: str) -> Path:
        return self._directory / scope.account / scope.region / name

    def _generation_directory(self, record: Record, generation: int) -> Path:
        mark = labels.fleet(record, generation)
        return self._endpoint_directory(record.scope, record.name) / mark

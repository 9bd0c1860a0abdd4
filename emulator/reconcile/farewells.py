"""Containers that leave an endpoint: each stops after its last invocation, in the background.

Draining and stopping take up to minutes; meanwhile what serves is healed, and the endpoint may be
deleted and its name taken by another. What a dying emulator leaves half-way, the next run finds by
label.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from emulator.call import Scope
from emulator.clock import monotonic, now
from emulator.errors import EmulatorError, TemporaryError
from emulator.reconcile import waits
from emulator.routing import Target

log = logging.getLogger(__name__)

Owner = tuple[Scope, str]


class Leaving(Protocol):
    """A container that no route names any more."""

    @property
    def handle(self) -> str: ...

    @property
    def target(self) -> Target: ...

    @property
    def ready(self) -> bool:
        """It has answered; one that never has may not know yet what to do on SIGTERM."""
        ...


class _Farewell:
    """Some containers of one fleet that leave together."""

    def __init__(self, fleet: str, leaving: Sequence[Leaving]) -> None:
        self.fleet = fleet
        self.leaving = leaving
        self.thread = threading.Thread()


class Farewells:
    """The containers that are leaving, by endpoint.

    Args:
        end: stops within the given seconds and removes one container; absent is fine.
    """

    def __init__(self, end: Callable[[str, float], None]) -> None:
        self._end = end
        self._farewells: dict[Owner, list[_Farewell]] = {}
        self._guard = threading.Lock()

    def part(
        self,
        owner: Owner,
        fleet: str,
        leaving: Sequence[Leaving],
        *,
        drain: float,
        grace: float,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Let containers go; returns at once.

        Args:
            fleet: whose containers they are.
            drain: seconds that the last invocations may take.
            grace: seconds between SIGTERM and SIGKILL.
            then: called when they, and all that left before them, are gone.
        """
        farewell = _Farewell(fleet, leaving)

        def run() -> None:
            try:
                if leaving:
                    with ThreadPoolExecutor(min(8, len(leaving)), "farewell") as pool:
                        list(pool.map(see_off, leaving))
                for other in before:
                    other.thread.join()
            finally:
                with self._guard:
                    self._farewells[owner].remove(farewell)
                    if not self._farewells[owner]:
                        del self._farewells[owner]
            then()

        def see_off(each: Leaving) -> None:
            self._see_off(owner, each, drain, grace if each.ready else 0.0)

        farewell.thread = threading.Thread(target=run, name=f"farewell {owner[1]}", daemon=True)
        with self._guard:
            before = list(self._farewells.setdefault(owner, []))
            self._farewells[owner].append(farewell)
            farewell.thread.start()

    def leaving(self, owner: Owner) -> set[str]:
        """Return the handles of the endpoint's containers that are leaving."""
        return {each.handle for farewell in self._of(owner) for each in farewell.leaving}

    def fleets(self, owner: Owner) -> set[str]:
        """Return the fleets of the endpoint of which containers are leaving."""
        return {farewell.fleet for farewell in self._of(owner)}

    def hurry(self, seconds: float) -> None:
        """Wait until nothing is leaving any more; what still is after `seconds` is killed."""
        deadline = monotonic() + seconds
        with self._guard:
            farewells = [each for several in self._farewells.values() for each in several]
        for farewell in farewells:
            farewell.thread.join(max(0.0, deadline - monotonic()))
        late = [
            each
            for farewell in farewells
            if farewell.thread.is_alive()
            for each in farewell.leaving
        ]
        if late:
            with ThreadPoolExecutor(min(8, len(late))) as pool:
                list(pool.map(lambda each: self._end(each.handle, 0.0), late))

    def _of(self, owner: Owner) -> Iterable[_Farewell]:
        with self._guard:
            return list(self._farewells.get(owner, ()))

    def _see_off(self, owner: Owner, leaving: Leaving, drain: float, grace: float) -> None:
        name, target = owner[1], leaving.target

        def say(text: str) -> None:
            log.info("Endpoint/%s: %s", name, text)

        who = f"the instance {target.instance_id}"
        with waits.told(lambda: say(waits.draining(who, target.inflight, drain - waits.PATIENCE))):
            target.drained(drain)
        asked_at = now()
        again = threading.Event()
        while True:
            try:
                with waits.told(lambda: say(waits.stopping(who, asked_at, grace))):
                    return self._end(leaving.handle, grace)
            except TemporaryError as error:
                again.wait(error.delay)
            except EmulatorError as error:
                log.warning("Endpoint/%s: a container may be left: %s", name, error)
                return None
            except Exception:
                # The others, and who waits for all of them, must not suffer from it.
                log.exception("Endpoint/%s: a container may be left", owner[1])
                return None

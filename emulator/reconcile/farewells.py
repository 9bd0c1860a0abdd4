"""Containers that leave an endpoint: each stops after its last invocation, in the background.

Draining and stopping take up to minutes; meanwhile what serves is healed, and deleted if asked.
What a dying emulator leaves half-way, the next run finds by label.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from emulator.call import Scope
from emulator.errors import EmulatorError, TemporaryError
from emulator.routing import Target

log = logging.getLogger(__name__)

Owner = tuple[Scope, str]


class Leaving(Protocol):
    """A container that no route names any more."""

    @property
    def handle(self) -> str: ...

    @property
    def target(self) -> Target: ...


class Farewells:
    """The containers that are leaving, by endpoint.

    Args:
        end: stops within the given seconds and removes one container; absent is fine.
    """

    def __init__(self, end: Callable[[str, float], None]) -> None:
        self._end = end
        self._threads: dict[Owner, list[threading.Thread]] = {}
        self._guard = threading.Lock()

    def part(
        self,
        owner: Owner,
        leaving: Sequence[Leaving],
        *,
        drain: float,
        grace: float,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Let containers go; returns at once.

        Args:
            drain: seconds that the last invocations may take.
            grace: seconds between SIGTERM and SIGKILL.
            then: called when all are gone.
        """

        def run() -> None:
            if leaving:
                with ThreadPoolExecutor(min(8, len(leaving)), "farewell") as pool:
                    list(pool.map(lambda each: self._see_off(owner, each, drain, grace), leaving))
            then()

        thread = threading.Thread(target=run, name=f"farewell {owner[1]}", daemon=True)
        with self._guard:
            others = [other for other in self._threads.get(owner, []) if other.is_alive()]
            self._threads[owner] = [*others, thread]
            thread.start()

    def wait(self, owner: Owner) -> None:
        """Return when nothing of the endpoint is leaving any more."""
        with self._guard:
            threads = self._threads.pop(owner, [])
        for thread in threads:
            thread.join()

    def _see_off(self, owner: Owner, leaving: Leaving, drain: float, grace: float) -> None:
        leaving.target.drained(drain)
        again = threading.Event()
        while True:
            try:
                return self._end(leaving.handle, grace)
            except TemporaryError as error:
                again.wait(error.delay)
            except EmulatorError as error:
                log.warning("Endpoint/%s: a container may be left: %s", owner[1], error)
                return None

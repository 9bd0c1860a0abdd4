"""The loop: every resource with work to do has one worker, which reconciles it pass by pass.

A worker looks, acts, and sleeps until the resource is woken or its own delay has passed. Doing a
pass twice equals doing it once, so a wake-up too many is harmless. Nothing ends a worker but its
work: what a pass could not cope with is told, seen in health, and tried again.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from emulator.call import Kind, Record, Scope, Store
from emulator.clock import monotonic
from emulator.errors import TemporaryError
from emulator.health import Health

log = logging.getLogger(__name__)

TRIES = 3
"""Unexpected errors in a row after which a resource is given up."""
UNWRITTEN = 5.0
"""Seconds until the next try, where the state of a resource can't even be written."""

Key = tuple[str, Scope, str]


class Reconciler(Protocol):
    """Brings the resources of one kind to where their documents say they should be."""

    kind: Kind

    def reconcile(self, record: Record) -> float | None:
        """Make one pass.

        Returns:
            Seconds until the next pass if nothing wakes the worker before, 0 for at once, or None
            when nothing is left to do.

        Raises:
            TemporaryError: the pass may be made again later.
        """
        ...

    def forget(self, scope: Scope, name: str) -> None:
        """Leave nothing behind of a resource whose document is gone."""
        ...

    def settled(self, record: Record) -> bool:
        """Say whether the resource needs no look at the start of a run."""
        ...

    def interrupt(self, record: Record, grace: float) -> None:
        """Stop the resource's containers within `grace` seconds because the emulator ends."""
        ...

    def give_up(self, record: Record, error: Exception) -> None:
        """End the resource in failure after `error` has come back too often."""
        ...

    def delayed(self, record: Record, error: TemporaryError) -> None:
        """Say on the resource why it waits, and do what can be done without what it waits for.

        Called after each pass that raised `error`, so for one wait again and again.
        """
        ...


class _Worker:
    def __init__(self) -> None:
        self.woken = threading.Event()
        self.thread: threading.Thread | None = None
        self.failures = 0
        """Unexpected errors in a row."""
        self.waits = False
        """The last pass ended with a TemporaryError."""


class Supervisor:
    """Starts, wakes and ends the workers.

    Args:
        health: is told of workers whose passes fail.
    """

    def __init__(self, store: Store, health: Health | None = None) -> None:
        self._store = store
        self._health = health or Health()
        self._reconcilers: dict[str, Reconciler] = {}
        self._workers: dict[Key, _Worker] = {}
        self._guard = threading.Lock()
        self._stopping = True
        self.held: TemporaryError | None = None
        """Why every resource waits, if so."""

    def register(self, reconciler: Reconciler) -> None:
        self._reconcilers[reconciler.kind.name] = reconciler

    def start(self) -> None:
        """Accept work, and look once at every resource that an earlier run left."""
        self._begin(None)

    def hold(self, error: TemporaryError) -> None:
        """Accept work, but let every resource wait because of `error` until `start`."""
        self._begin(error)

    def _begin(self, held: TemporaryError | None) -> None:
        with self._guard:
            self._stopping = False
            self.held = held
        for reconciler in self._reconcilers.values():
            for record in self._unsettled(reconciler):
                self.wake(reconciler.kind, record.scope, record.name)

    def wake(self, kind: Kind, scope: Scope, name: str) -> None:
        """Have the resource looked at now; kinds without a reconciler need none."""
        if kind.name not in self._reconcilers:
            return
        key = (kind.name, scope, name)
        with self._guard:
            if self._stopping:
                return
            worker = self._workers.get(key)
            if worker is None:
                worker = self._workers[key] = _Worker()
            worker.woken.set()
            if worker.thread is None:
                worker.thread = threading.Thread(
                    target=self._work, args=(key, kind, worker), name=f"{kind.name} {name}"
                )
                worker.thread.daemon = True
                worker.thread.start()

    def stop(self, timeout: float) -> None:
        """Make no further pass; wait up to `timeout` seconds for those under way."""
        with self._guard:
            self._stopping = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.woken.set()
        deadline = monotonic() + timeout
        for worker in workers:
            if worker.thread:
                worker.thread.join(max(0.0, deadline - monotonic()))

    def interrupt(self, grace: float) -> None:
        """Stop the containers of all resources, after `stop`."""
        work = [
            (reconciler, record)
            for reconciler in self._reconcilers.values()
            for record in self._unsettled(reconciler)
        ]
        if work:
            with ThreadPoolExecutor(min(8, len(work))) as pool:
                list(pool.map(lambda pair: pair[0].interrupt(pair[1], grace), work))

    def settled(self, record: Record) -> bool:
        """Say whether the resource needs no look at the start of a run."""
        return self._reconcilers[record.kind].settled(record)

    def forget(self, kind: Kind, scope: Scope, name: str) -> None:
        """Leave nothing of the resource behind, while nothing is reconciled."""
        self._reconcilers[kind.name].forget(scope, name)

    def _unsettled(self, reconciler: Reconciler) -> list[Record]:
        records = self._store.select(reconciler.kind)
        return [record for record in records if not reconciler.settled(record)]

    def _work(self, key: Key, kind: Kind, worker: _Worker) -> None:
        while True:
            worker.woken.clear()
            delay = self._safe_pass(key, kind, worker)
            with self._guard:
                if self._stopping or (delay is None and not worker.woken.is_set()):
                    del self._workers[key]
                    return
            if delay:
                worker.woken.wait(delay)

    def _safe_pass(self, key: Key, kind: Kind, worker: _Worker) -> float | None:
        """Make a pass whose own failure, say for a full disk, does not end the worker."""
        _, _, name = key
        part = f"{kind.name} {name}"
        try:
            delay = self._pass(key, kind, worker)
        except Exception as error:
            # Its failure can't even be written down. Were this thread to die of it, nobody would
            # ever look at the resource again.
            if self._health.troubled(part, f"{type(error).__name__}: {error}"):
                log.exception("%s/%s: its state can't be kept; it is tried again", kind.name, name)
            return UNWRITTEN
        self._health.well(part)
        return delay

    def _pass(self, key: Key, kind: Kind, worker: _Worker) -> float | None:
        """Return the delay before the next pass, None if nothing is left to do."""
        _, scope, name = key
        reconciler = self._reconcilers[kind.name]
        record = self._store.find(kind, scope, name)
        try:
            if record is None:
                reconciler.forget(scope, name)
                return None
            if self.held is not None:
                raise self.held
            delay = reconciler.reconcile(record)
        except TemporaryError as error:
            if not worker.waits:
                log.warning("%s/%s waits: %s", kind.name, name, error)
            worker.waits = True
            if record is not None and self._store.find(kind, scope, name) is not None:
                reconciler.delayed(record, error)
            return error.delay
        except Exception as error:
            if record is None or self._store.find(kind, scope, name) is None:
                log.debug("%s/%s was removed meanwhile: %s", kind.name, name, error)
                return 0.0 if record else None
            log.exception("%s/%s: unexpected error in phase %s", kind.name, name, record.phase)
            return self._after(error, record, worker)
        worker.failures, worker.waits = 0, False
        return delay

    def _after(self, error: Exception, record: Record, worker: _Worker) -> float | None:
        """Return the delay after an unexpected error, which may be the last that is borne."""
        reconciler = self._reconcilers[record.kind]
        worker.failures += 1
        if worker.failures < TRIES:
            return 2.0 ** (worker.failures - 1)
        reconciler.give_up(record, error)
        worker.failures = 0
        # An ended resource that can't be tidied up is left to the next start.
        return None if reconciler.settled(record) else 0.0

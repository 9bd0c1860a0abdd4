"""Notebook instances: from an accepted document to a Jupyter server that answers, and back.

A pass never waits for a start: it begins one, asks once whether Jupyter answers, and says when to
look again. A start is written down before its container exists, with everything that makes it this
start, so that a pass made again after a crash goes on with it.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from emulator import arn as arns
from emulator import trees
from emulator.accelerators import Device
from emulator.call import Document, Record, Scope, Store
from emulator.clock import now
from emulator.errors import PermanentError, TemporaryError
from emulator.kinds import LIFECYCLE_CONFIG, NOTEBOOK_INSTANCE
from emulator.launch.contract import notebook as contract
from emulator.launch.contract import write
from emulator.launch.contract.gpus import has_gpus
from emulator.launch.driver import ContainerSpec, ImageMissing, Launcher, Observed
from emulator.lifecycle import notebook_instance as life
from emulator.lifecycle.notebook_instance import Event, Phase
from emulator.names import token
from emulator.reconcile import labels, reasons, waits
from emulator.reconcile.notebook_logs import NotebookLogs
from emulator.reconcile.ping import ping

log = logging.getLogger(__name__)

LOOK_AGAIN = 5.0
"""Seconds between looks at an instance in service."""
READY_INTERVAL = 0.2
"""Seconds between questions whether Jupyter answers."""
READY_SECONDS = 120
"""Seconds that a start may take beside its lifecycle scripts."""
KEY_LENGTH = 64
"""Hexadecimal digits of the key that a start's URLs are signed with."""
ENGINE_ACCESS = (
    "this instance has the container engine's socket, by the setting notebook_engine_access:"
    " whatever runs in it can become root on this machine."
)


class Accelerators(Protocol):
    """Where the accelerators of an instance are attached for others to use."""

    def attach(self, device: Device) -> None: ...

    def detach(self, device_id: str) -> None: ...

    def expect(self, owner: str, devices: Iterable[Device]) -> None: ...

    def expect_no_more(self, owner: str) -> None: ...


class NotebookInstances:
    """Reconciles notebook instances.

    Args:
        script_seconds: what each lifecycle script may take.
        engine_access: give the containers the engine's socket.
        stop_grace: seconds between SIGTERM and SIGKILL.
    """

    kind = NOTEBOOK_INSTANCE

    def __init__(
        self,
        *,
        store: Store,
        launcher: Launcher,
        logs: NotebookLogs,
        accelerators: Accelerators,
        directory: Path,
        script_seconds: int,
        engine_access: bool,
        stop_grace: float,
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._logs = logs
        self._accelerators = accelerators
        self._attached: dict[tuple[Scope, str], list[str]] = {}
        self._directory = directory
        self._script_seconds = script_seconds
        self._engine_access = engine_access
        self._stop_grace = stop_grace

    def reconcile(self, record: Record) -> float | None:
        """Make one pass; see supervisor.Reconciler."""
        passes: dict[Phase, Callable[[Record], float | None]] = {
            Phase.PENDING: self._start,
            Phase.IN_SERVICE: self._serve,
            Phase.STOPPING: self._stop,
            Phase.STOPPED: self._rest,
            Phase.FAILED: self._rest,
            Phase.UPDATING: self._update,
            Phase.DELETING: self._delete,
        }
        delay = passes[Phase(record.phase)](record)
        self._logs.wait_over(record)
        return delay

    def delayed(self, record: Record, error: TemporaryError) -> None:
        """Say in the instances' log group why it waits; see supervisor.Reconciler."""
        self._logs.tell_wait(record, str(error))

    def settled(self, record: Record) -> bool:
        """Say whether the resource needs no look at the start of a run."""
        return Phase(record.phase) in life.IDLE

    def give_up(self, record: Record, error: Exception) -> None:
        """Fail a start after an unexpected error has come back too often."""
        if Phase(record.phase) is Phase.PENDING:
            self._fail(record, Event.START_FAILED, reasons.SERVICE)

    def interrupt(self, record: Record, grace: float) -> None:
        """Stop the instance because the emulator itself ends; the next run starts it again."""
        served = Phase(record.phase) is Phase.IN_SERVICE
        if served:
            self._move(record, Event.INTERRUPTED)
        if served or Phase(record.phase) is Phase.PENDING:
            self._detach(record.scope, record.name)
            self._remove_all(record.scope, record.name, grace if served else 0.0)

    def forget(self, scope: Scope, name: str) -> None:
        """Leave nothing behind of an instance whose document is gone."""
        self._detach(scope, name)
        self._remove_all(scope, name, 0.0)
        self._discard(scope, name)

    def resume(self) -> None:
        """Attach again what the instances in service have; endpoints ask for it at once.

        They wait for what an instance has that an earlier run has interrupted.
        """
        for record in self._store.select(self.kind):
            if Phase(record.phase) is Phase.IN_SERVICE:
                self._attach(record)
            elif Phase(record.phase) is Phase.PENDING:
                devices = _devices(record, at=0.0)
                self._accelerators.expect(_owner(record.scope, record.name), devices)

    # One method for each phase, in the order of an instance's life.

    def _start(self, record: Record) -> float:
        start = record.document["Emulator"].get("start")
        if start is None:
            return self._begin(record)
        observed = self._container(record)
        if observed is None:
            return self._launch(record, start)
        self._logs.follow(record, observed)
        if not observed.running:
            self._logs.finish(observed)
            return self._fail(record, Event.START_FAILED, self._why(record, observed))
        if observed.address and ping(*observed.address, path=contract.READY):
            return self._enter(record, observed)
        limit = READY_SECONDS + len(start["scripts"]) * self._script_seconds
        if now() > observed.started_at + limit:
            reason = reasons.notebook_start(f"Jupyter did not answer within {limit} seconds.")
            return self._fail(record, Event.START_FAILED, reason)
        return READY_INTERVAL

    def _serve(self, record: Record) -> float:
        observed = self._container(record)
        if observed is None or not observed.running:
            if observed:
                self._logs.follow(record, observed)
                self._logs.finish(observed)
            reason = reasons.notebook_end(self._logs.obituary(observed))
            return self._fail(record, Event.DIED, reason)
        self._attach(record)
        self._logs.follow(record, observed)
        if (url := _url(observed)) != record.document["Url"]:
            self._change(record, lambda document: {**document, "Url": url}, "Moved")
        return LOOK_AGAIN

    def _stop(self, record: Record) -> float:
        self._detach(record.scope, record.name)
        observed = self._container(record)
        if observed:
            self._logs.follow(record, observed)
            self._halt(record.name, observed, self._stop_grace)
            self._logs.finish(observed)
        self._remove_all(record.scope, record.name, 0.0)
        self._move(record, Event.STOPPED)
        return 0.0

    def _rest(self, record: Record) -> None:
        self._detach(record.scope, record.name)
        self._remove_all(record.scope, record.name, 0.0)

    def _update(self, record: Record) -> float:
        """The request has changed the document already; the next start is made from it."""
        self._remove_all(record.scope, record.name, 0.0)
        self._move(record, Event.UPDATED)
        return 0.0

    def _delete(self, record: Record) -> None:
        self.forget(record.scope, record.name)
        self._store.remove(self.kind, record.scope, record.name)
        log.info("NotebookInstance/%s is gone", record.name)

    # How an instance starts.

    def _begin(self, record: Record) -> float:
        """Write the start down: from here on it is one and the same, whatever happens."""
        own = record.document["Emulator"]
        try:
            scripts = self._scripts(record)
        except PermanentError as error:
            return self._fail(record, Event.START_FAILED, str(error))
        number = own["starts"] + 1
        start = {
            "number": number,
            "key": token(KEY_LENGTH),
            "at": now(),
            "scripts": scripts,
        }
        noted = {**own, "starts": number, "start": start}
        self._change(record, lambda document: {**document, "Emulator": noted}, "Begun")
        return 0.0

    def _scripts(self, record: Record) -> list[Document]:
        name = record.document.get("NotebookInstanceLifecycleConfigName")
        if name is None:
            return []
        config = self._store.find(LIFECYCLE_CONFIG, record.scope, name)
        if config is None:
            raise PermanentError(LIFECYCLE_CONFIG.absent.format(arn=_config_arn(record), name=name))
        return contract.scripts(config.document, served=record.document["Emulator"]["served"])

    def _launch(self, record: Record, start: Document) -> float:
        root = self._root(record.scope, record.name)
        code = contract.repositories(record.document)
        missing = [each.local for each in code if each.local and not each.local.is_dir()]
        if missing:
            reason = f"There is no directory {missing[0]} on this machine to take code from."
            return self._fail(record, Event.START_FAILED, reasons.notebook_start(reason))
        try:
            self._prepare(record, root, start)
            temporary = self._temporary(root)
            handle = self._launcher.start(self._spec(record, root, temporary, start["number"]))
        except ImageMissing as error:
            return self._fail(record, Event.START_FAILED, reasons.notebook_image(error.image))
        except (PermanentError, OSError) as error:
            reason = reasons.notebook_start(reasons.detail(error))
            return self._fail(record, Event.START_FAILED, reason)
        if self._engine_access:
            self._logs.warn(record, ENGINE_ACCESS)
        if observed := self._launcher.observe(handle):
            self._logs.follow(record, observed, new=True)
        return READY_INTERVAL

    def _prepare(self, record: Record, root: Path, start: Document) -> None:
        trees.remove(root / "instance")  # scripts of an earlier start
        for folder in (contract.FOLDER, contract.TEMPORARY):
            (root / folder).mkdir(parents=True, exist_ok=True)
        host = self._launcher.engine_host() if self._engine_access else ""
        write(root, contract.files(record, start, script_seconds=self._script_seconds, host=host))
        (root / "instance").chmod(0o700)  # whoever has the key in it can sign URLs

    def _spec(
        self, record: Record, root: Path, temporary: Path | None, number: int
    ) -> ContainerSpec:
        document = record.document
        code = contract.repositories(document)
        return ContainerSpec(
            name=labels.container_name(record, f"start-{number}"),
            image=contract.IMAGE,
            command=contract.COMMAND,
            environment=contract.environment(
                record.scope, self._launcher.endpoint_url(), temporary
            ),
            mounts=contract.mounts(root, code, temporary),
            labels=labels.of(self.kind, record.scope, record.name, generation=str(number)),
            hostname=contract.HOSTNAME,
            port=contract.PORT,
            gpus=has_gpus(document["InstanceType"]) and self._launcher.has_gpus(),
            engine_access=self._engine_access,
            may_become_root=document["RootAccess"] == "Enabled",
        )

    def _temporary(self, root: Path) -> Path | None:
        folder = root / contract.TEMPORARY
        return self._launcher.engine_path(folder) if self._engine_access else None

    def _enter(self, record: Record, observed: Observed) -> float:
        self._attach(record)
        own = {**record.document["Emulator"], "served": True}
        self._move(record, Event.READY, Url=_url(observed), Emulator=own)
        return LOOK_AGAIN

    def _why(self, record: Record, observed: Observed) -> str:
        """Return why a start has failed whose container has exited."""
        said, config = self._logs.failure(observed), _config_arn(record)
        match observed.exit_code:
            case contract.SCRIPT_FAILED:
                return reasons.script_failed(config, record.arn, said)
            case contract.SCRIPT_TOO_SLOW:
                return reasons.script_too_slow(config, record.arn, self._script_seconds)
        return reasons.notebook_start(said or self._logs.obituary(observed))

    # What the phases share.

    def _container(self, record: Record) -> Observed | None:
        """Return the container of the start under way, and remove those of others.

        One that was only created is the trace of an emulator killed in between; a start mends it.
        """
        number = str(record.document["Emulator"].get("start", {}).get("number"))
        found = self._launcher.find(labels.of(self.kind, record.scope, record.name))
        for other in found:
            if other.labels[labels.GENERATION] != number:
                self._launcher.remove(other.handle)
        own = [each for each in found if each.labels[labels.GENERATION] == number]
        ran = [each for each in own if each.running or each.exit_code is not None]
        return ran[0] if ran else None

    def _attach(self, record: Record) -> None:
        ids = self._attached.setdefault((record.scope, record.name), [])
        for device in _devices(record, at=record.document["Emulator"]["start"]["at"]):
            if device.id not in ids:
                ids.append(device.id)
                self._accelerators.attach(device)
        self._accelerators.expect_no_more(_owner(record.scope, record.name))

    def _detach(self, scope: Scope, name: str) -> None:
        self._accelerators.expect_no_more(_owner(scope, name))
        for device_id in self._attached.pop((scope, name), []):
            self._accelerators.detach(device_id)

    def _remove_all(self, scope: Scope, name: str, grace: float) -> None:
        for container in self._launcher.find(labels.of(self.kind, scope, name)):
            if container.running and grace:
                self._halt(name, container, grace)
            self._launcher.remove(container.handle)

    def _halt(self, name: str, container: Observed, grace: float) -> None:
        asked_at = now()

        def tell() -> None:
            text = waits.stopping("its container", asked_at, grace)
            log.info("NotebookInstance/%s: %s", name, text)

        with waits.told(tell):
            self._launcher.stop(container.handle, grace=grace)

    def _discard(self, scope: Scope, name: str) -> None:
        root = self._root(scope, name)
        if root.exists():
            self._launcher.reclaim(root)
            trees.remove(root)

    def _root(self, scope: Scope, name: str) -> Path:
        return self._directory / scope.account / scope.region / name

    def _fail(self, record: Record, event: Event, reason: str) -> float:
        self._detach(record.scope, record.name)
        self._move(record, event, FailureReason=reason)
        return 0.0

    def _move(self, record: Record, event: Event, **changes: object) -> None:
        """Apply an event and write `changes` into the document, in one transaction."""
        reason = str(changes.get("FailureReason", ""))

        def change(current: Record) -> tuple[str, Document]:
            if current.phase != record.phase:  # a request came between
                return current.phase, current.document
            document = {**current.document, **changes}
            if event is not Event.READY:
                document = _ended(document)
            return life.advance(document, current.phase, event, now())

        moved = self._store.change(
            self.kind, record.scope, record.name, change, event=event, message=reason
        )
        log.info(
            "NotebookInstance/%s %s->%s because %s%s",
            *(record.name, record.phase, moved.phase, event, f": {reason}" if reason else ""),
        )

    def _change(self, record: Record, edit: Callable[[Document], Document], what: str) -> None:
        def change(current: Record) -> tuple[str, Document]:
            if current.phase != record.phase:
                return current.phase, current.document
            return current.phase, edit(current.document)

        self._store.change(self.kind, record.scope, record.name, change, event=what)


def _owner(scope: Scope, name: str) -> str:
    return f"{scope.account}/{scope.region}/notebook-instance/{name}"


def _devices(record: Record, *, at: float) -> list[Device]:
    """Return an instance's accelerators, as a start at `at` (epoch seconds) brings them."""
    begun = f"{_owner(record.scope, record.name)}/{at:.3f}"
    host = f"notebook-instance/{record.name}"
    return [
        Device(f"{begun}/{number}" if number else begun, kind, host=host, since=at)
        for number, kind in enumerate(record.document.get("AcceleratorTypes", []))
    ]


def _ended(document: Document) -> Document:
    """Return the document of an instance that does not run, and has no start any more."""
    own = {key: value for key, value in document["Emulator"].items() if key != "start"}
    kept = {key: value for key, value in document.items() if key != "Url"}
    return {**kept, "Emulator": own}


def _url(observed: Observed) -> str:
    host, port = observed.address or ("", 0)
    return f"{host}:{port}"


def _config_arn(record: Record) -> str:
    name = record.document.get("NotebookInstanceLifecycleConfigName", "")
    return arns.of(record.scope, LIFECYCLE_CONFIG.arn_segment, name)

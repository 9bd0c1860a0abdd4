"""Training jobs: from an accepted document to a container's artifacts in S3.

Each pass does what the job's phase asks for and moves it by the table; all that a pass needs is in
the document, on disk and on the engine, so that a pass may be repeated after a crash.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator import channels
from emulator.call import Document, Record, Scope, Store
from emulator.clock import now
from emulator.errors import PermanentError, TemporaryError
from emulator.kinds import TRAINING_JOB
from emulator.launch.contract import training as contract
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import ContainerSpec, Launcher, Observed
from emulator.lifecycle import training_job as life
from emulator.lifecycle.training_job import Event, Phase
from emulator.logs import LogSink
from emulator.reconcile import labels, reasons, waiting, waits
from emulator.reconcile.artifacts import Artifacts
from emulator.reconcile.checkpoints import Checkpoints
from emulator.reconcile.follow import Followers
from emulator.reconcile.hardware import NoCapacity, provide
from emulator.reconcile.job_logs import JobLogs
from emulator.reconcile.last_words import completed, never_ran
from emulator.reconcile.pipes import Pipes
from emulator.reconcile.ports import ResolveImage
from emulator.reconcile.workspace import Workspace

log = logging.getLogger(__name__)

LOOK_AGAIN = 5.0
"""Seconds between looks at a running job, should the engine's word of its end get lost."""
FAILED_GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL, at most, for the other hosts when one has failed."""


class TrainingJobs:
    """Reconciles training jobs."""

    kind = TRAINING_JOB

    def __init__(
        self,
        *,
        store: Store,
        launcher: Launcher,
        followers: Followers,
        artifacts: Artifacts,
        checkpoints: Checkpoints,
        pipes: Pipes,
        resolve_image: ResolveImage,
        logs: LogSink,
        directory: Path,
        wake: Callable[[Scope, str], None],
        limits: Limits,
        stop_grace: float,
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._artifacts = artifacts
        self._checkpoints = checkpoints
        self._pipes = pipes
        self._resolve_image = resolve_image
        self._logs = JobLogs(launcher, followers, logs, wake)
        self._directory = directory
        self._limits = limits
        self._stop_grace = stop_grace
        self._unsaved: dict[tuple[Scope, str], str] = {}
        """What was last said of each running job's checkpoints, so that it is said once."""

    def reconcile(self, record: Record) -> float | None:
        """Make one pass; see supervisor.Reconciler."""
        passes: dict[Phase, Callable[[Record], float | None]] = {
            Phase.STARTING: self._prepare,
            Phase.DOWNLOADING: self._download,
            Phase.TRAINING: self._train,
            Phase.UPLOADING: self._upload,
            Phase.UPLOADING_FAILED: self._upload,
            Phase.STOPPING: self._stop,
            Phase.UPLOADING_STOPPED: self._upload,
            Phase.OUT_OF_TIME: self._stop,
            Phase.UPLOADING_OUT_OF_TIME: self._upload,
        }
        act = passes.get(Phase(record.phase))
        if act is None:
            self.forget(record.scope, record.name)
            return None
        delay = act(record)
        if waiting.waits(record):
            self._edit(
                record,
                lambda document: waiting.resumed(document, record.phase, now()),
                "waits no more",
            )
        return delay

    def delayed(self, record: Record, error: TemporaryError) -> None:
        """Say on the job why it waits; see supervisor.Reconciler.

        Its limits count all the same. A job that waits to start fails as for lack of capacity when
        it has waited for as long as it may be pending or, if that has no limit, as it may run.
        """
        phase, reason = Phase(record.phase), str(error)
        if phase in life.FINAL:
            return
        if phase is Phase.STOPPING and not _reached_training(record):
            self._move(record, Event.NOTHING_RAN)
        elif phase is Phase.STARTING and now() >= self._pending_deadline(record):
            self._fail(record, reasons.capacity(reason))
        elif phase is Phase.TRAINING and self._overdue(record):
            self._move(record, Event.RUNTIME_EXCEEDED)
        elif not waiting.says(record.document, record.phase, reason):
            self._edit(
                record,
                lambda document: waiting.saying(document, record.phase, reason, now()),
                reason,
            )

    def forget(self, scope: Scope, name: str) -> None:
        """Leave nothing of an ended or deleted job behind but its document."""
        self._remove(self._launcher.find(labels.of(self.kind, scope, name)))
        self._pipes.end(scope, name)
        self._unsaved.pop((scope, name), None)
        self._launcher.reclaim(self._job_directory(scope, name))
        self._artifacts.discard(self._job_directory(scope, name))

    def settled(self, record: Record) -> bool:
        """Say whether the resource needs no look at the start of a run."""
        return Phase(record.phase) in life.FINAL

    def give_up(self, record: Record, error: Exception) -> None:
        """Fail the job after an unexpected error has come back too often."""
        if Phase(record.phase) not in life.FINAL:
            self._fail(record, reasons.INTERNAL)

    def interrupt(self, record: Record, grace: float) -> None:
        """Stop the job's containers because the emulator itself ends; they stay for the next run.

        The document says so, and the next run saves what they left and fails the job.
        """
        if Phase(record.phase) in life.FINAL:
            return
        running = [host for host in self._hosts(record) if host.running]
        if running and Phase(record.phase) is Phase.TRAINING:
            self._note(record, Interrupted=True)
        self._stop_all(record, running, grace)
        self._pipes.end(record.scope, record.name)

    # One method per phase, in the order of a job's life.

    def _prepare(self, record: Record) -> float:
        # What a deleted job of the same name has left must not be taken for this one's.
        self.forget(record.scope, record.name)
        self._remark(record, life.LAUNCHING)
        instance_type = record.document["ResourceConfig"].get("InstanceType", "")
        try:
            hardware = provide(self._launcher, self._limits, instance_type)
        except NoCapacity as error:
            return self._fail(record, reasons.capacity(str(error)))
        try:
            image = self._resolve_image(contract.image(record.document))
        except PermanentError as error:
            return self._fail(record, reasons.training_image(record.document, str(error)))
        try:
            self._checkpoints.check(record)
        except PermanentError as error:
            return self._fail(record, reasons.download(str(error)))
        self._remark(record, life.PREPARING)
        downloads = bool(channels.staged(record.document))
        self._move(
            record,
            Event.DOWNLOAD_BEGUN if downloads else Event.LAUNCHED,
            TrainingStartTime=now(),
            Emulator={
                "Image": image.image,
                "GPUs": hardware.gpus,
                "Warnings": hardware.warnings(image) + self._artifacts.warnings(record),
            },
        )
        return 0.0

    def _download(self, record: Record) -> float:
        try:
            hosts = contract.hosts(record.document)
            for number, host in enumerate(hosts):
                workspace = self._workspace(record, host)
                self._artifacts.stage_channels(record, workspace, number, len(hosts))
        except (PermanentError, OSError) as error:
            return self._fail(record, reasons.download(reasons.detail(error)))
        if self._overdue(record):
            self._move(record, Event.RUNTIME_EXCEEDED)
        else:
            self._move(record, Event.LAUNCHED)
        return 0.0

    def _train(self, record: Record) -> float:
        if not record.document["Emulator"].get("Launched"):
            return self._launch(record)
        hosts = self._hosts(record)
        self._logs.follow(record, hosts)
        reason = self._why_failed(record, hosts)
        running = [host for host in hosts if host.running]
        if running and not reason:
            if self._overdue(record):
                self._move(record, Event.RUNTIME_EXCEEDED)
                return 0.0
            self._mirror(record)
            return min(LOOK_AGAIN, max(0.0, self._deadline(record) - now()))
        self._stop_all(record, running, min(self._stop_grace, FAILED_GRACE))
        self._pipes.end(record.scope, record.name)
        self._logs.finish(hosts)
        self._tell_order(record, hosts)
        if failed := _first_failed(hosts):
            self._logs.tell_end(record, failed)
        changes = self._logs.final_metrics(record, hosts)
        if reason:
            self._move(record, Event.EXITED_NONZERO, FailureReason=reason, **changes)
        else:
            self._move(record, Event.EXITED_ZERO, **changes)
        return 0.0

    def _upload(self, record: Record) -> float:
        self._launcher.reclaim(self._job_directory(record.scope, record.name))
        workspaces, problems = self._workspaces(record), list[str]()
        # What one of them can't save must not cost what the other can.
        for save in (self._artifacts.upload, self._checkpoints.mirror):
            try:
                save(record, workspaces)
            except (PermanentError, OSError) as error:
                log.warning("TrainingJob/%s: not everything is saved: %s", record.name, error)
                problems.append(reasons.detail(error))
        if problems:
            return self._fail(record, reasons.upload(problems[0]))
        self._move(record, Event.SAVED)
        return 0.0

    def _stop(self, record: Record) -> float:
        hosts = self._hosts(record)
        if not hosts and not record.document.get("Emulator", {}).get("Launched"):
            self._move(record, Event.NOTHING_RAN)
            return 0.0
        self._logs.follow(record, hosts)
        self._stop_all(record, [host for host in hosts if host.running], self._stop_grace)
        self._pipes.end(record.scope, record.name)
        self._logs.finish(hosts)
        self._move(record, Event.EXITED, **self._logs.final_metrics(record, hosts))
        return 0.0

    # What the phases share.

    def _launch(self, record: Record) -> float:
        """Start what does not run yet; a killed run may have started some of the hosts."""
        document = record.document
        there = {host.labels[labels.HOST] for host in self._hosts(record)}
        if there and self._pipes.cut(record):
            self._note(record, Launched=True)
            return 0.0
        missing = [host for host in contract.hosts(document) if host not in there]
        try:
            for host in missing:
                self._checkpoints.restore(record, self._workspace(record, host))
            warnings = self._pipes.begin(record, self._workspaces(record))
        except (PermanentError, OSError) as error:
            return self._fail(record, reasons.download(reasons.detail(error)))
        known = document["Emulator"].get("Warnings", [])
        if new := [warning for warning in warnings if warning not in known]:
            self._note(record, Warnings=[*known, *new])
            return 0.0
        try:
            for host in missing:
                self._logs.announce(record, host)
                self._launcher.start(self._spec(record, host))
        except PermanentError as error:
            self._remove(self._hosts(record))
            return self._fail(record, reasons.start(str(error)))
        except TemporaryError:
            self._remove(self._hosts(record))
            raise
        self._note(record, Launched=True)
        self._remark(record, life.IMAGE_READY)
        return 0.0

    def _spec(self, record: Record, host: str) -> ContainerSpec:
        workspace = self._workspace(record, host)
        hosts = contract.hosts(record.document)
        workspace.prepare(contract.files(record.document, host))
        return ContainerSpec(
            name=labels.container_name(record, host),
            image=record.document["Emulator"]["Image"],
            command=contract.command(record.document),
            entrypoint=contract.entrypoint(record.document),
            environment=contract.environment(
                record.document, record.scope, self._launcher.endpoint_url(), self._limits
            ),
            mounts=contract.mounts(record.document, workspace.root),
            labels=labels.of(self.kind, record.scope, record.name, host=host),
            hostname=host,
            isolated=record.document.get("EnableNetworkIsolation", False),
            memory_bytes=self._limits.memory_bytes,
            cluster=labels.container_name(record, "cluster") if len(hosts) > 1 else None,
            peers=tuple(hosts),
            gpus=record.document["Emulator"].get("GPUs", False),
        )

    def _why_failed(self, record: Record, hosts: list[Observed]) -> str:
        """Return why the job has failed, as far as one can see now; empty if it has not."""
        if record.document["Emulator"].get("Interrupted"):
            return reasons.INTERRUPTED
        if problem := self._pipes.problem(record):
            return problem
        if first := _first_failed(hosts):
            written = self._workspace(record, first.labels[labels.HOST]).failure_text()
            if why := never_ran(self._output(first)):
                return reasons.start(why)
            text = completed(written, self._output(first))
            return reasons.exit_code(
                text,
                first.exit_code or 0,
                out_of_memory=first.out_of_memory,
                built_in_algorithm=labels.ALGORITHM in first.labels,
            )
        return reasons.REMOVED if len(hosts) < len(contract.hosts(record.document)) else ""

    def _output(self, host: Observed) -> Iterator[str]:
        return (line.text for line in self._launcher.logs(host.handle, follow=False))

    def _tell_order(self, record: Record, hosts: list[Observed]) -> None:
        """Log how the hosts of a cluster have ended, the first of them first."""
        if len(hosts) > 1:
            ended = sorted(self._hosts(record), key=lambda host: host.finished_at)
            ends = (f"{host.labels[labels.HOST]} with {host.exit_code}" for host in ended)
            log.info("TrainingJob/%s: exit codes in order: %s", record.name, ", ".join(ends))

    def _hosts(self, record: Record) -> list[Observed]:
        """Return the containers that run or have run.

        One that was only created is the trace of an emulator killed in between; a start mends it.
        """
        found = self._launcher.find(labels.of(self.kind, record.scope, record.name))
        return [host for host in found if host.running or host.exit_code is not None]

    def _stop_all(self, record: Record, running: list[Observed], grace: float) -> None:
        """Stop containers; the job's log tells of those that take their time."""
        if not running:
            return
        asked_at = now()

        def stop(host: Observed) -> None:
            name = host.labels[labels.HOST]

            def tell() -> None:
                self._logs.tell(record, name, waits.stopping(name, asked_at, grace))

            with waits.told(tell):
                self._launcher.stop(host.handle, grace=grace)

        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(stop, running))

    def _remove(self, hosts: list[Observed]) -> None:
        for host in hosts:
            self._launcher.remove(host.handle)

    def _overdue(self, record: Record) -> bool:
        return now() >= self._deadline(record)

    def _deadline(self, record: Record) -> float:
        limit: int = record.document["StoppingCondition"]["MaxRuntimeInSeconds"]
        return float(record.document["TrainingStartTime"] + limit)

    def _pending_deadline(self, record: Record) -> float:
        limits = record.document["StoppingCondition"]
        limit: int = limits.get("MaxPendingTimeInSeconds", limits["MaxRuntimeInSeconds"])
        return float(record.document["CreationTime"] + limit)

    def _job_directory(self, scope: Scope, name: str) -> Path:
        return self._directory / scope.account / scope.region / name

    def _workspace(self, record: Record, host: str) -> Workspace:
        return Workspace(self._job_directory(record.scope, record.name) / host)

    def _mirror(self, record: Record) -> None:
        key, problem = (record.scope, record.name), ""
        try:
            self._checkpoints.mirror(record, self._workspaces(record))
        except (PermanentError, OSError) as error:
            problem = reasons.detail(error)
            if problem != self._unsaved.get(key):
                log.warning(
                    "TrainingJob/%s: not every checkpoint is saved: %s", record.name, problem
                )
        self._unsaved[key] = problem

    def _workspaces(self, record: Record) -> list[Workspace]:
        return [self._workspace(record, host) for host in contract.hosts(record.document)]

    def _fail(self, record: Record, reason: str) -> float:
        """End the job by a fault: as failed, or as stopped and then without a reason.

        A job whose container has failed keeps that as its reason.
        """
        changes: Document = {}
        if life.MOVES[Phase(record.phase), Event.FAULT] is Phase.FAILED:
            changes["FailureReason"] = record.document.get("FailureReason", reason)
        self._move(record, Event.FAULT, **changes)
        return 0.0

    def _move(self, record: Record, event: Event, **changes: object) -> None:
        """Apply an event and write `changes` into the document, in one transaction.

        A stop that was requested meanwhile wins: the event is then looked at in the new phase.
        """
        reason = str(changes.get("FailureReason", ""))

        def change(current: Record) -> tuple[str, Document]:
            if current.phase != record.phase:
                return current.phase, current.document
            at = now()
            phase, document = life.advance(
                {**current.document, **changes}, current.phase, event, at
            )
            return phase, document

        moved = self._store.change(
            TRAINING_JOB, record.scope, record.name, change, event=event, message=reason
        )
        log.info(
            "TrainingJob/%s %s->%s because %s%s",
            *(record.name, record.phase, moved.phase, event, f": {reason}" if reason else ""),
        )

    def _remark(self, record: Record, message: str) -> None:
        self._edit(record, lambda document: life.remark(document, message, now()), message)

    def _note(self, record: Record, **facts: object) -> None:
        """Keep facts of our own about the job."""

        def edit(document: Document) -> Document:
            return {**document, "Emulator": {**document.get("Emulator", {}), **facts}}

        self._edit(record, edit, ", ".join(facts))

    def _edit(self, record: Record, edit: Callable[[Document], Document], message: str) -> None:
        def change(current: Record) -> tuple[str, Document]:
            if current.phase != record.phase:
                return current.phase, current.document
            return current.phase, edit(current.document)

        self._store.change(
            TRAINING_JOB, record.scope, record.name, change, event="Noted", message=message
        )


def _first_failed(hosts: list[Observed]) -> Observed | None:
    failed = (host for host in hosts if host.exit_code)
    return min(failed, key=lambda host: host.finished_at, default=None)


def _reached_training(record: Record) -> bool:
    """Tell whether a job came as far as the phase in which containers are started."""
    reached = {entry["Status"] for entry in record.document["SecondaryStatusTransitions"]}
    return life.MEANING[Phase.TRAINING].secondary in reached

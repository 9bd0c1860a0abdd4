"""A training job's reconciler over what outlives it: store, S3 and a scripted engine.

The store, S3 and the reconciler are real. `Crash` is how the emulator dies at a step of its work.
"""

import io
import tarfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emulator import clock
from emulator.call import Document, Record, Scope
from emulator.catalogue.resolve import Resolved
from emulator.errors import PermanentError
from emulator.kinds import TRAINING_JOB
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import ContainerSpec
from emulator.launch.fake import Behaviour, FakeLauncher
from emulator.lifecycle import training_job as life
from emulator.logs import LogLine, LogSink
from emulator.reconcile.artifacts import Artifacts
from emulator.reconcile.checkpoints import Checkpoints
from emulator.reconcile.follow import Followers
from emulator.reconcile.pipes import Pipes
from emulator.reconcile.training_job import TrainingJobs
from emulator.storage import Storage
from emulator.store.database import Database
from emulator.store.documents import Documents

SCOPE = Scope("123456789012", "us-east-1")
NAME, BUCKET, IMAGE = "job", "bucket", "trainer"
MOST_PASSES = 60


class Crash(Exception):
    """The emulator dies here."""


class Fuse:
    """Counts what is done to the world, and blows at the n-th of it."""

    def __init__(self) -> None:
        self.left = -1
        self.after = False

    def set(self, left: int, *, after: bool) -> None:
        self.left, self.after = left, after

    def out(self) -> None:
        self.left = -1

    def around(self, act: Callable[..., Any], *args: Any, **more: Any) -> Any:
        blows = self.left == 0
        self.left -= 1
        if blows and not self.after:
            raise Crash
        done = act(*args, **more)
        if blows:
            raise Crash
        return done


class Fused:
    """Something of which these methods may be the emulator's last act."""

    def __init__(self, real: Any, fuse: Fuse, *methods: str) -> None:
        self._real, self._fuse, self._methods = real, fuse, methods

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in self._methods:
            return found
        return lambda *args, **more: self._fuse.around(found, *args, **more)


class Written:
    """Log streams and metrics, kept in memory; they outlive a crash."""

    def __init__(self) -> None:
        self.streams: dict[str, list[LogLine]] = {}
        self.metrics: list[float] = []

    @property
    def lines(self) -> list[LogLine]:
        """All lines of all streams."""
        return [line for lines in list(self.streams.values()) for line in lines]

    def texts(self) -> list[list[str]]:
        """Return what each stream holds."""
        return [[line.text for line in lines] for lines in self.streams.values()]

    def put_log_lines(
        self, scope: Scope, group: str, stream: str, lines: Sequence[LogLine]
    ) -> None:
        self.streams.setdefault(stream, []).extend(lines)

    def last_log_line(self, scope: Scope, group: str, stream: str) -> float:
        return max((line.at for line in self.streams.get(stream, ())), default=0.0)

    def put_metric(
        self, scope: Scope, namespace: str, name: str, value: float, at: float, dimensions: Any
    ) -> None:
        self.metrics.append(value)


class World:
    """All that outlives an emulator, and the emulator's part that works on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = Database(root / "resources.sqlite")
        self.store = Documents(self.database)
        self.storage = Storage(root / "storage")
        self.objects = self.storage.objects(SCOPE)
        self.objects.create_bucket_if_absent(BUCKET)
        self.later = 0.0
        """Seconds by which the engine's clock is ahead."""
        self.launcher = FakeLauncher(now=lambda: clock.now() + self.later)
        self.written = Written()
        self.fuse = Fuse()
        self.stop_grace = 0.05
        self.limits = Limits()
        self.warnings: tuple[str, ...] = ()
        """What the catalogue has to say of every image."""
        self.cpu_warning = ""
        self.woken = threading.Event()
        """Set when a pipe's problem woke the job."""
        self.jobs = self.reconciler()

    def reconciler(self) -> TrainingJobs:
        launcher: Any = Fused(self.launcher, self.fuse, "start", "stop", "remove")
        store: Any = Fused(self.store, self.fuse, "change")
        self.followers = Followers(self.launcher)
        self.pipes = Pipes(self.storage.objects, lambda scope, name: self.woken.set())

        def objects(scope: Scope) -> Any:
            return Fused(self.storage.objects(scope), self.fuse, "put_file", "delete")

        def resolved(reference: str) -> Resolved:
            if reference not in self.launcher.images:
                raise PermanentError(f"No image '{reference}'")
            return Resolved(reference, reference, "sha256:0", self.warnings, self.cpu_warning)

        return TrainingJobs(
            store=store,
            launcher=launcher,
            followers=self.followers,
            artifacts=Artifacts(objects),
            checkpoints=Checkpoints(objects),
            pipes=self.pipes,
            resolve_image=resolved,
            logs=LogSink(self.written),
            directory=self.root / "jobs",
            wake=lambda scope, name: None,
            limits=self.limits,
            stop_grace=self.stop_grace,
        )

    def restart(self) -> None:
        """Let a new emulator take over; nothing of the old one goes on."""
        self.fuse.out()
        self.pipes.close()
        deadline = clock.monotonic() + 10
        for container in self.launcher.find({}):
            # Until it has ended, however slow: a line that comes later would come a second time.
            while self.followers.following(container.handle):
                assert clock.monotonic() < deadline, "a follower goes on"
                self.launcher.close()
                threading.Event().wait(0.002)
        self.jobs = self.reconciler()

    def create(self, behaviour: Behaviour, **request: Any) -> None:
        self.launcher.images[IMAGE] = behaviour
        document: Document = {
            "TrainingJobName": NAME,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::123456789012:role/x",
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": "GZIP"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **request,
        }
        self.store.create(TRAINING_JOB, SCOPE, NAME, *life.born(document, clock.now()))

    def record(self) -> Record:
        return self.store.fetch(TRAINING_JOB, SCOPE, NAME)

    def look(self) -> float | None:
        """Make one pass."""
        return self.jobs.reconcile(self.record())

    def run(self) -> Record:
        """Make passes until nothing is left to do."""
        for _ in range(MOST_PASSES):
            delay = self.look()
            if delay is None:
                return self.record()
            if delay:
                for container in self.launcher.find({}):
                    self.launcher.wait(container.handle, 1.0)
        raise AssertionError(f"still in {self.record().phase} after {MOST_PASSES} passes")

    def phase(self, wanted: str) -> None:
        """Make passes until the job is in this phase."""
        for _ in range(MOST_PASSES):
            if self.record().phase == wanted:
                return
            self.look()
        raise AssertionError(f"in {self.record().phase}, never in {wanted}")

    def stop(self) -> None:
        """Request a stop, as StopTrainingJob does."""

        def stopping(record: Record) -> tuple[str, Document]:
            return life.advance(
                record.document, record.phase, life.Event.STOP_REQUESTED, clock.now()
            )

        self.store.change(TRAINING_JOB, SCOPE, NAME, stopping, event="StopRequested")

    def model(self) -> list[str]:
        """Return the names in model.tar.gz; none without one."""
        key = f"out/{NAME}/output/model.tar.gz"
        if not self.objects.object_exists(BUCKET, key):
            return []
        packed = io.BytesIO(self.objects.read_bytes(BUCKET, key))
        with tarfile.open(fileobj=packed, mode="r:gz") as archive:
            return sorted(archive.getnames())

    def close(self) -> None:
        self.pipes.close()
        self.launcher.clear()
        self.launcher.close()
        self.storage.close()
        self.database.close()


def channel(name: str, prefix: str) -> Document:
    uri = f"s3://{BUCKET}/{prefix}"
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
    }


def source(spec: ContainerSpec, target: str) -> Path:
    """Return the directory behind a mount."""
    return next(mount.source for mount in spec.mounts if mount.target == target)


def writes(spec: ContainerSpec) -> None:
    """Do what a training script does."""
    (source(spec, "/opt/ml/model") / spec.hostname).write_text("weights")
    (source(spec, "/opt/ml/output") / "data" / "report").write_text("done")
    if any(mount.target == "/opt/ml/checkpoints" for mount in spec.mounts):
        (source(spec, "/opt/ml/checkpoints") / "epoch-1").write_text("state")


def fails(spec: ContainerSpec) -> None:
    writes(spec)
    (source(spec, "/opt/ml/output") / "failure").write_text("broken")

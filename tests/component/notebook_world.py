"""A notebook instance's reconciler over what outlives it: store, files and a scripted engine."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launchers import Ping
from training_world import Crash, Fuse, Fused, Written, source

from emulator import arn as arns
from emulator import clock
from emulator.accelerators import Accelerators
from emulator.call import Document, Record, Scope
from emulator.kinds import LIFECYCLE_CONFIG, NOTEBOOK_INSTANCE
from emulator.launch.contract import notebook as contract
from emulator.launch.driver import ContainerSpec
from emulator.launch.fake import Behaviour, FakeLauncher
from emulator.lifecycle import notebook_instance as life
from emulator.lifecycle.notebook_instance import Event
from emulator.logs import LogSink
from emulator.reconcile.adopt import remove_leftovers, remove_strangers
from emulator.reconcile.follow import Followers
from emulator.reconcile.notebook_instance import NotebookInstances
from emulator.reconcile.notebook_logs import NotebookLogs
from emulator.store.database import Database
from emulator.store.documents import Documents

SCOPE = Scope("123456789012", "us-east-1")
NAME, CONFIG = "Notebook", "config"
DEADLINE = 60.0


def works(spec: ContainerSpec) -> None:
    """Do what a user does in the instance's folder: note each start."""
    with (source(spec, "/home/ec2-user/SageMaker") / "starts").open("a") as file:
        file.write(f"{spec.name}\n")


SERVES = Behaviour(run_for=None, handler=Ping, effect=works, output=("jupyter.log\tserving",))
MUTE = Behaviour(run_for=None, effect=works)


class World:
    """All that outlives an emulator, and the emulator's part that works on it."""

    def __init__(self, root: Path, behaviour: Behaviour | None = SERVES) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.database = Database(root / "resources.sqlite")
        self.store = Documents(self.database)
        self.later = 0.0
        """Seconds by which the engine's clock is behind."""
        self.launcher = FakeLauncher(now=lambda: clock.now() - self.later)
        if behaviour:
            self.launcher.images[contract.IMAGE] = behaviour
        self.fuse = Fuse()
        self.written = Written()
        self.engine_access = False
        self.restart()

    def restart(self) -> None:
        """Let a new emulator take over; nothing of the old one goes on."""
        self.fuse.out()
        self.launcher.close()
        self.accelerators = Accelerators()
        launcher: Any = Fused(self.launcher, self.fuse, "start", "stop", "remove")
        store: Any = Fused(self.store, self.fuse, "change", "remove")
        logs = NotebookLogs(
            launcher, Followers(self.launcher), LogSink(self.written), lambda scope, name: None
        )
        self.instances = NotebookInstances(
            store=store,
            launcher=launcher,
            logs=logs,
            accelerators=self.accelerators,
            directory=self.root / "instances",
            script_seconds=3,
            engine_access=self.engine_access,
            stop_grace=0.05,
        )
        kinds = {NOTEBOOK_INSTANCE.name: NOTEBOOK_INSTANCE}
        remove_strangers(self.store, self.launcher, kinds, self.instances.settled)
        directory = self.root / "instances"
        remove_leftovers(self.store, NOTEBOOK_INSTANCE, directory, lambda record: False)
        self.instances.resume()

    # What clients ask for.

    def create(self, **members: Any) -> None:
        document = {
            "NotebookInstanceName": NAME,
            "InstanceType": "ml.t2.medium",
            "RootAccess": "Enabled",
            **members,
            "Emulator": {"starts": 0, "served": False},
        }
        self.store.create(NOTEBOOK_INSTANCE, SCOPE, NAME, *life.born(document, clock.now()))

    def configure(self, **hooks: str) -> None:
        """Create the lifecycle configuration: script by hook."""
        coded = {
            hook: [{"Content": base64.b64encode(script.encode()).decode()}]
            for hook, script in hooks.items()
        }
        self.store.create(LIFECYCLE_CONFIG, SCOPE, CONFIG, "Created", dict(coded))

    def ask(self, event: Event) -> None:
        def change(record: Record) -> tuple[str, Document]:
            return life.advance(record.document, record.phase, event, clock.now())

        self.store.change(NOTEBOOK_INSTANCE, SCOPE, NAME, change, event=event)

    def stop(self) -> None:
        self.ask(Event.STOP_REQUESTED)
        self.settle()

    def start(self) -> None:
        self.ask(Event.START_REQUESTED)
        self.settle()

    # What the supervisor does.

    def record(self) -> Record:
        return self.store.fetch(NOTEBOOK_INSTANCE, SCOPE, NAME)

    def look(self) -> float | None:
        """Make one pass; also over an instance that is gone."""
        record = self.store.find(NOTEBOOK_INSTANCE, SCOPE, NAME)
        if record is None:
            self.instances.forget(SCOPE, NAME)
            return None
        return self.instances.reconcile(record)

    def settle(self) -> str:
        """Make passes, over a crash too, until nothing is in progress; return the phase."""
        deadline = clock.monotonic() + DEADLINE
        while clock.monotonic() < deadline:
            before = self.store.find(NOTEBOOK_INSTANCE, SCOPE, NAME)
            try:
                self.look()
            except Crash:
                self.restart()
                continue
            if before is None:
                return "gone"
            if before.phase in ("InService", "Failed", "Stopped"):
                return before.phase
        raise AssertionError(f"still {self.record().phase}")

    def until(self, happened: Callable[[], object]) -> None:
        deadline = clock.monotonic() + DEADLINE
        while not happened():
            assert clock.monotonic() < deadline, "it has not happened"

    # What there is.

    @property
    def folder(self) -> Path:
        return self.root / "instances" / SCOPE.account / SCOPE.region / NAME

    def starts(self) -> list[str]:
        """Return what the user's folder keeps of the starts."""
        path = self.folder / "SageMaker" / "starts"
        return path.read_text().split() if path.exists() else []

    def specs(self) -> list[ContainerSpec]:
        return self.launcher.started

    def devices(self) -> list[str]:
        """Return the ids of what is attached."""
        return [device["id"] for device in self.accelerators.report()["accelerators"]]

    def reason(self) -> str:
        return str(self.record().document.get("FailureReason", ""))

    def config_arn(self) -> str:
        return arns.of(SCOPE, LIFECYCLE_CONFIG.arn_segment, CONFIG)

    def close(self) -> None:
        self.launcher.clear()
        self.launcher.close()
        self.database.close()

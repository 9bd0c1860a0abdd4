"""An endpoint's reconciler over what outlives it: store, S3 and a scripted engine.

The store, the model's data on disk and the reconciler are real; containers are scripted, and those
that serve answer `/ping` on a real socket.
"""

import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launchers import Ping
from training_world import Crash, Fuse, Fused, Written

from emulator import clock
from emulator.accelerators import Accelerators
from emulator.call import Document, Record, Scope
from emulator.catalogue.resolve import Resolved
from emulator.errors import PermanentError
from emulator.kinds import ENDPOINT
from emulator.launch.contract.limits import Limits
from emulator.launch.fake import Behaviour, FakeLauncher
from emulator.lifecycle import endpoint as life
from emulator.logs import LogSink
from emulator.reconcile import labels
from emulator.reconcile.adopt import remove_leftovers, remove_strangers
from emulator.reconcile.endpoint import Endpoints
from emulator.reconcile.follow import Followers
from emulator.reconcile.hosting import Hosting
from emulator.reconcile.models import Models
from emulator.routing import Route, RoutingTable
from emulator.storage import Storage
from emulator.store.database import Database
from emulator.store.documents import Documents

SCOPE = Scope("123456789012", "us-east-1")
NAME, BUCKET = "endpoint", "bucket"
SERVES = Behaviour(run_for=None, output=("serving",), handler=Ping)
DIES = Behaviour(output=("no weights",), exit_code=3)
MUTE = Behaviour(run_for=None)
IMAGES = {"serves": SERVES, "dies": DIES, "mute": MUTE}
DEADLINE = 60.0


class FarewellFuse(Fuse):
    """A fuse that spares what is done in the background: nothing waits for it there."""

    def around(self, act: Callable[..., Any], *args: Any, **more: Any) -> Any:
        if threading.current_thread().name.startswith("farewell"):
            return act(*args, **more)
        return super().around(act, *args, **more)


def store_model(storage: Storage) -> None:
    """Put the model that all endpoints of these tests serve."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("weights"))
    objects = storage.objects(SCOPE)
    objects.create_bucket_if_absent(BUCKET)
    objects.put_bytes(BUCKET, "model.tar.gz", packed.getvalue())


def plan(
    image: str = "serves", instances: int = 1, name: str = "config", **variant: Any
) -> Document:
    """Return an endpoint's plan with one variant."""
    variant |= {"VariantName": "V1", "ModelName": image, "InitialInstanceCount": instances}
    data = f"s3://{BUCKET}/model.tar.gz"
    return {
        "config": {"EndpointConfigName": name, "ProductionVariants": [variant]},
        "models": {
            image: {
                "ModelName": image,
                "PrimaryContainer": {"Image": image, "ModelDataUrl": data},
            }
        },
    }


def wish(instances: int = 1, weight: float = 1.0) -> list[Document]:
    return [{"variant": "V1", "weight": weight, "instances": instances}]


class World:
    """All that outlives an emulator, and the emulator's part that works on it."""

    def __init__(self, root: Path, storage: Storage) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.storage = storage
        self.database = Database(root / "resources.sqlite")
        self.store = Documents(self.database)
        self.launcher = FakeLauncher(IMAGES)
        self.fuse = FarewellFuse()
        self.written = Written()
        self.ping_timeout = 60.0
        self.stop_grace = 0.05
        self.limits = Limits()
        self.accelerators: Callable[[], Accelerators] = Accelerators
        """Makes what is attached when an emulator starts."""
        self.warnings: tuple[str, ...] = ()
        """What the catalogue has to say of every image."""
        self.restart()

    def restart(self) -> None:
        """Let a new emulator take over; nothing of the old one goes on."""
        self.fuse.out()
        self.launcher.close()
        self.routes = RoutingTable()
        launcher: Any = Fused(self.launcher, self.fuse, "start", "stop", "remove")
        store: Any = Fused(self.store, self.fuse, "change", "remove")

        def resolved(reference: str) -> Resolved:
            if reference not in self.launcher.images:
                raise PermanentError(f"No image '{reference}'")
            return Resolved(reference, reference, "sha256:0", self.warnings)

        hosting = Hosting(
            launcher=launcher,
            followers=Followers(self.launcher),
            logs=LogSink(self.written),
            models=Models(self.storage.objects),
            resolve_image=resolved,
            wake=lambda scope, name: None,
            accelerators=self.accelerators(),
            limits=self.limits,
            ping_timeout=self.ping_timeout,
        )
        self.endpoints = Endpoints(
            store=store,
            launcher=launcher,
            routes=self.routes,
            hosting=hosting,
            directory=self.root / "endpoints",
            stop_grace=self.stop_grace,
            invocation_timeout=DEADLINE,
        )
        settled = self.endpoints.settled
        remove_strangers(self.store, self.launcher, {ENDPOINT.name: ENDPOINT}, settled)
        remove_leftovers(self.store, ENDPOINT, self.root / "endpoints", settled)

    # What clients ask for.

    def create(
        self, image: str = "serves", instances: int = 1, *, id: str = "", **variant: Any
    ) -> None:
        document = {
            "EndpointName": NAME,
            "EndpointConfigName": "config",
            "Emulator": {
                "id": id,
                "generation": 1,
                "plan": plan(image, instances, **variant),
                "desired": wish(instances),
            },
        }
        self.store.create(ENDPOINT, SCOPE, NAME, *life.born(document, clock.now()))

    def update(self, image: str = "serves", instances: int = 1) -> None:
        """Request another configuration, as UpdateEndpoint does."""
        own = self.record().document["Emulator"]
        self._request(
            {
                "generation": own["generation"] + 1,
                "plan": plan(image, instances, "next"),
                "desired": wish(instances),
                "config_name": "next",
            }
        )

    def resize(self, instances: int, weight: float = 1.0) -> None:
        """Request other numbers, as UpdateEndpointWeightsAndCapacities does."""
        own = self.record().document["Emulator"]
        kept = {"generation": own["generation"], "plan": own["plan"], "config_name": "config"}
        self._request({**kept, "desired": wish(instances, weight)})

    def delete(self) -> None:
        def change(record: Record) -> tuple[str, Document]:
            event = life.Event.DELETE_REQUESTED
            return life.advance(record.document, record.phase, event, clock.now())

        self.store.change(ENDPOINT, SCOPE, NAME, change, event="DeleteRequested")

    def _request(self, target: Document) -> None:
        def change(record: Record) -> tuple[str, Document]:
            document = {k: v for k, v in record.document.items() if k != "FailureReason"}
            document["Emulator"] = {**document["Emulator"], "target": target}
            event = life.Event.UPDATE_REQUESTED
            return life.advance(document, record.phase, event, clock.now())

        self.store.change(ENDPOINT, SCOPE, NAME, change, event="UpdateRequested")

    # What the supervisor does.

    def record(self) -> Record:
        return self.store.fetch(ENDPOINT, SCOPE, NAME)

    def look(self) -> float | None:
        """Make one pass; also over an endpoint that is gone."""
        record = self.store.find(ENDPOINT, SCOPE, NAME)
        if record is None:
            self.endpoints.forget(SCOPE, NAME)
            return None
        return self.endpoints.reconcile(record)

    def settle(self) -> str:
        """Make passes, over a crash too, until nothing is in progress; return the phase."""
        deadline = clock.monotonic() + DEADLINE
        while clock.monotonic() < deadline:
            before = self.store.find(ENDPOINT, SCOPE, NAME)
            try:
                self.look()
            except Crash:
                self.restart()
                continue
            if before is None:
                return "gone"
            if before.phase in ("InService", "Failed"):
                return before.phase
        raise AssertionError(f"still {self.record().phase}")

    def until(self, happened: Callable[[], object], *, passes: bool = True) -> None:
        """Make passes until something has happened."""
        deadline = clock.monotonic() + DEADLINE
        while not happened():
            assert clock.monotonic() < deadline, "it has not happened"
            if passes:
                self.look()

    # What there is.

    def running(self) -> list[tuple[str, str]]:
        """Return generation and number of each container, running or not."""
        return sorted(
            (found.labels[labels.GENERATION], found.labels[labels.HOST])
            for found in self.launcher.find({})
        )

    def route(self) -> Route | None:
        return self.routes.find(SCOPE, NAME)

    def reached(self) -> list[tuple[str, int]]:
        """Return the addresses that invocations go to."""
        route = self.route()
        variants = route.variants if route else ()
        return sorted(
            (target.host, target.port)
            for variant in variants
            for target in variant.targets
            if not target.closed
        )

    def addresses(self) -> list[tuple[str, int]]:
        """Return the addresses of all containers."""
        return sorted(found.address for found in self.launcher.find({}) if found.address)

    def staged(self) -> list[str]:
        """Return the generations whose models are on disk."""
        return sorted(path.name for path in self.root.glob(f"endpoints/*/*/{NAME}/*"))

    def close(self) -> None:
        self.launcher.clear()
        self.launcher.close()
        self.database.close()

"""The one place that knows every part: settings in, a running emulator out.

Starting serves at once, on a socket that is bound already; the engine, the storage and what an
earlier run left come up behind the first requests, which wait for just the part that they need. The
thread that starts the emulator imports what is needed to serve; from then on all imports are those
of `Loading`'s thread.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from emulator import __version__, trees
from emulator.accelerators import Accelerators, declared
from emulator.call import EVERYTHING, Area, Call, Document, Handler, Quotas, Scope
from emulator.catalogue.held import HeldImages
from emulator.catalogue.regions import Regions
from emulator.clock import monotonic, now
from emulator.errors import EmulatorError, PermanentError, TemporaryError
from emulator.health import Health
from emulator.inference.proxy import Invocations
from emulator.inference.proxy import Limits as InvocationLimits
from emulator.kinds import ENDPOINT, NOTEBOOK_INSTANCE, TRAINING_JOB
from emulator.launch.contract.limits import Limits
from emulator.launch.docker import DockerLauncher
from emulator.lifecycle.endpoint import SERVING
from emulator.loading import Loading
from emulator.logs import LogSink
from emulator.names import endpoint_log_group, token
from emulator.operations import absent, registry
from emulator.prepare import STORAGE as STORAGE_FOLDER
from emulator.prepare import Prepared, prepare
from emulator.protocol import model
from emulator.protocol.front import create_app
from emulator.protocol.pages import WELL, create_pages
from emulator.protocol.parts import Parts
from emulator.reconcile import labels
from emulator.reconcile.adopt import remove_leftovers, remove_strangers
from emulator.reconcile.artifacts import Artifacts
from emulator.reconcile.checkpoints import Checkpoints
from emulator.reconcile.endpoint import Endpoints
from emulator.reconcile.follow import Followers
from emulator.reconcile.hosting import Hosting
from emulator.reconcile.models import Models
from emulator.reconcile.notebook_instance import NotebookInstances
from emulator.reconcile.notebook_logs import NotebookLogs
from emulator.reconcile.pipes import Pipes
from emulator.reconcile.supervisor import Supervisor
from emulator.reconcile.training_job import TrainingJobs
from emulator.routing import RoutingTable
from emulator.serving import Server
from emulator.settings import Settings
from emulator.state_files import StateDamaged
from emulator.storage import Storage
from emulator.store.documents import Documents

if TYPE_CHECKING:
    from emulator.proxy import Proxy

log = logging.getLogger(__name__)

SHUTDOWN_GRACE = 10.0
"""Seconds that containers have to end when the emulator does."""
REQUESTS_AT_ONCE = 256
"""Requests served at once on one address; slow invocations must not keep control calls waiting."""
ENGINE_PATIENCE = 10.0
"""Seconds that what is being asked of the engine may take when the emulator ends."""
ENGINE_RETRY = 2.0
"""Seconds between tries to reach an engine that does not answer."""
EVERYWHERE = frozenset({"0.0.0.0", "::"})
"""Hosts that stand for every address of this machine."""
EMULATOR, ENGINE = "emulator", "container engine"
"""Parts by which health tells of problems."""
STORAGE, PAGES, ENGINE_CLIENT = "the storage", "the own pages", "the engine's client"
"""What is loaded behind the first requests."""
LATE_IMPORTS = ("_strptime", "concurrent.futures.thread", "http.client", "netrc")
"""What our own functions, and the standard library's, import when they are first called."""
_ENGINE_HOST = "host.docker.internal"
_ALIVE = (ENDPOINT, TRAINING_JOB, NOTEBOOK_INSTANCE)
"""The kinds that have containers."""


class Assembly:
    """All parts, put together; `start` serves and `close` ends everything but the state."""

    def __init__(self, settings: Settings, prepared: Prepared) -> None:
        self.settings = settings
        self.state, self.database, self._port = prepared.state, prepared.database, prepared.port
        self.default_scope = Scope(settings.account, settings.region)
        self.store = Documents(self.database)
        self.storage = Storage(
            self.state / STORAGE_FOLDER,
            default_account=settings.account,
            default_region=settings.region,
            sample_data=settings.sample_data,
            data_buckets=_data_buckets(settings.data_buckets),
            loads_itself=False,
            images=lambda: self.images.on_ecr(),
        )
        self.launcher = DockerLauncher(
            instance=_instance(self.state),
            port=self._port,
            pool_size=settings.pool_size,
            reach=settings.reach,
            scratch=self.state / "scratch",
            state=self.state,
            shared_memory=settings.container_shm.of,
            loaded=lambda: self._loading.wait(ENGINE_CLIENT),
        )
        self.images = HeldImages(self.launcher.image, self.launcher.images)
        self.regions = Regions()
        self.accelerators = Accelerators(
            declared(settings.attach_accelerator, now()),
            cpu_allowed=settings.accelerator_fallback == "cpu",
        )
        self.routes = RoutingTable()
        self._health = Health()
        self.supervisor = Supervisor(self.store, self._health)
        self._assemble_reconcilers()
        self.invocations = Invocations(
            self.routes,
            InvocationLimits(
                request_bytes=settings.payload_limit, seconds=settings.invocation_timeout
            ),
        )
        self._loading = Loading(
            {
                "the model of SageMaker's API": model.sagemaker,
                STORAGE: self.storage.load,
                PAGES: self._load_pages,
                ENGINE_CLIENT: self._load_engine_client,
            }
        )
        self._pages = create_pages(
            health=self.health,
            reset=self.reset,
            accelerators=self.accelerators,
            loaded=partial(self._loading.wait, PAGES),
        )
        self._versions: Document = {}
        self.server = Server(
            create_app(self._parts()), [prepared.listener], threads=REQUESTS_AT_ONCE
        )
        self.proxy = self._proxy()
        self._closing = threading.Event()
        self._engine_thread = threading.Thread(target=self._come_up, name="engine", daemon=True)
        self._engine_up = threading.Event()
        self._url_for_containers = ""
        self._on_failure: Callable[[], object] | None = None
        self.failure: PermanentError | None = None
        """Why this emulator is of no use; set before `on_failure` is called."""

    @property
    def url(self) -> str:
        """Return the URL that clients are pointed at."""
        return f"http://{self.settings.host}:{self._port}"

    def start(self, on_failure: Callable[[], object] | None = None) -> None:
        """Serve; raises OSError if the proxy's address can't be had.

        Args:
            on_failure: called from another thread when the engine answers that it is no use.
        """
        self._on_failure = on_failure
        self._health.watch()
        for record in self.store.select(ENDPOINT):
            if record.phase in SERVING:
                self.routes.expect(record.scope, record.name)
        self.server.start()
        if self.proxy is not None:
            self.proxy.start()
        self._loading.start(self._fail)
        self._engine_thread.start()

    def close(self) -> None:
        """Stop containers and serving; keep the state. Doing it twice equals doing it once."""
        if self._closing.is_set():
            return
        self._closing.set()
        self.regions.close()
        self._loading.stop()
        if self._engine_thread.is_alive():
            self._engine_thread.join(ENGINE_PATIENCE)
        self.server.stop(grace=2.0)
        if self.proxy is not None:
            self.proxy.stop()
        self.supervisor.stop(timeout=2.0)
        if self._engine_up.is_set():
            ends = monotonic() + SHUTDOWN_GRACE
            try:
                self.supervisor.interrupt(SHUTDOWN_GRACE)
                self._hosted.see_off(max(0.0, ends - monotonic()))
            except TemporaryError as error:
                log.warning("containers may still run: %s", error)
        self.launcher.close()
        self.invocations.close()
        self.storage.close()
        self.database.close()
        self._health.unwatch()

    def reset(self, area: Area = EVERYTHING) -> None:
        """Remove all resources, objects and containers of an area; what others have goes on.

        Raises TemporaryError, and forgets no resource, if the engine does not answer any more.
        """
        self.supervisor.stop(timeout=0.0)
        try:
            self._forget(area)
        finally:
            if self._engine_up.is_set():
                self.supervisor.start()
            elif self.supervisor.held is not None:
                self.supervisor.hold(self.supervisor.held)
        where = [f"{name} {value}" for name, value in vars(area).items() if value]
        log.info("%s was reset", " in ".join(where) or "everything")

    def _forget(self, area: Area) -> None:
        """Forget what there is in an area while nothing is reconciled.

        Containers of an earlier run stay until the engine is reached, and are strangers then.
        """
        if self._engine_up.is_set():
            for container in self.launcher.find({}):
                if area.covers(labels.scope(container.labels)):
                    self.launcher.remove(container.handle)
        self.supervisor.stop(timeout=10.0)
        for kind in _ALIVE if self._engine_up.is_set() else ():
            for record in self.store.select(kind):
                if area.covers(record.scope):
                    self.supervisor.forget(kind, record.scope, record.name)
        self.store.clear(area)
        self.storage.reset(area)
        if area == EVERYTHING:
            self.accelerators.free()
        for directory in (self._jobs, self._endpoints, self._notebooks):
            for path in directory.glob("*/*"):
                if area.covers(Scope(path.parent.name, path.name)):
                    trees.remove(path)

    def health(self) -> Document:
        """Return what `GET /_emulator/health` answers.

        Its status is `ok`, `starting` until the engine is reached, or `failing`; `problems` has the
        reasons by the part that has them.
        """
        problems = dict(self._health.troubles())
        if self.failure:
            problems[EMULATOR] = str(self.failure)
        elif self._engine_up.is_set():
            try:
                self.launcher.check()
            except EmulatorError as error:
                problems[ENGINE] = str(error)
        well = WELL if self._engine_up.is_set() else "starting"
        return {
            "status": "failing" if problems else well,
            "problems": problems,
            "url": self.url,
            "proxy": self.proxy.url if self.proxy is not None else None,
            "state": str(self.state),
            "region": self.settings.region,
            "account": self.settings.account,
            "url_for_containers": self._url_for_containers,
            "versions": self._versions,
        }

    @property
    def _jobs(self) -> Path:
        return self.state / "jobs"

    @property
    def _endpoints(self) -> Path:
        return self.state / "endpoints"

    @property
    def _notebooks(self) -> Path:
        return self.state / "notebook-instances"

    def _assemble_reconcilers(self) -> None:
        settings, followers = self.settings, Followers(self.launcher, self._health)
        logs, limits = LogSink(self.storage), _limits(settings)
        wake = partial(self.supervisor.wake, TRAINING_JOB)
        jobs = TrainingJobs(
            store=self.store,
            launcher=self.launcher,
            followers=followers,
            artifacts=Artifacts(self.storage.objects),
            checkpoints=Checkpoints(self.storage.objects),
            pipes=Pipes(self.storage.objects, wake),
            resolve_image=self.images.resolve,
            logs=logs,
            directory=self._jobs,
            wake=wake,
            limits=limits,
            stop_grace=settings.stop_grace,
        )
        hosting = Hosting(
            launcher=self.launcher,
            followers=followers,
            logs=logs,
            models=Models(self.storage.objects),
            resolve_image=self.images.resolve,
            wake=partial(self.supervisor.wake, ENDPOINT),
            accelerators=self.accelerators,
            limits=limits,
            ping_timeout=settings.ping_timeout,
        )
        self._hosted = Endpoints(
            store=self.store,
            launcher=self.launcher,
            routes=self.routes,
            hosting=hosting,
            directory=self._endpoints,
            stop_grace=settings.serving_stop_grace,
            invocation_timeout=settings.invocation_timeout,
        )
        self.supervisor.register(jobs)
        self.supervisor.register(self._hosted)
        self._assemble_notebook_instances(followers, logs)

    def _assemble_notebook_instances(self, followers: Followers, logs: LogSink) -> None:
        settings = self.settings
        self._notebook_instances = NotebookInstances(
            store=self.store,
            launcher=self.launcher,
            logs=NotebookLogs(
                self.launcher, followers, logs, partial(self.supervisor.wake, NOTEBOOK_INSTANCE)
            ),
            accelerators=self.accelerators,
            directory=self._notebooks,
            script_seconds=settings.notebook_script_timeout,
            engine_access=settings.notebook_engine_access,
            stop_grace=settings.serving_stop_grace,
        )
        self.supervisor.register(self._notebook_instances)

    def _proxy(self) -> "Proxy | None":
        port, host = self.settings.proxy_port, self.settings.host
        if not port:
            return None
        from emulator.proxy import Proxy  # takes a tenth of a second, and few need it

        return Proxy(self.state, (host, port), (host, self._port))

    def _parts(self) -> Parts:
        registry.load()
        return Parts(
            handlers=registry.NATIVE,
            absent=_absent,
            call=self._call,
            storage=self.storage.handle,
            runtime=self.invocations.handle,
            pages=self._pages,
            account_of=self.storage.account_of,
            default_scope=self.default_scope,
            notice=self.regions.notice,
        )

    def _load_pages(self) -> None:
        self._pages.load()
        from importlib.metadata import version  # not needed to serve

        names = ("moto", "botocore", "granian", "docker")
        self._versions = {"emulator": __version__, **{name: version(name) for name in names}}

    def _load_engine_client(self) -> None:
        self.launcher.load()
        self.regions.load()
        for name in LATE_IMPORTS:
            import_module(name)

    def _fail(self, failure: PermanentError) -> None:
        """Give this run up, because of the first of such failures."""
        self.failure = self.failure or failure
        if self._on_failure:
            self._on_failure()

    def _call(self, operation: str, scope: Scope, request_id: str) -> Call:
        return Call(
            operation=operation,
            scope=scope,
            store=self.store,
            objects=self.storage.objects(scope),
            wake=self.supervisor.wake,
            open_log_group=partial(self.storage.open_log_group, scope),
            request_id=request_id,
            shapes=model.sagemaker().shapes,
            quotas=Quotas(self.settings.instance_quota_each, self.settings.instance_quota),
        )

    def _come_up(self) -> None:
        """Reach the engine, take over what an earlier run left, and begin to reconcile."""
        try:
            self._loading.wait(STORAGE)
            self._loading.wait(ENGINE_CLIENT)
        except PermanentError:
            return
        while not self._closing.is_set():
            try:
                self._take_over()
            except TemporaryError as error:
                if self._health.troubled(ENGINE, error):
                    log.warning("%s Jobs and endpoints wait until the engine answers.", error)
                    self.supervisor.hold(error)
            except PermanentError as error:
                self._fail(error)
                return
            except Exception as error:
                reason = f"what an earlier run left can't be taken over: {error!r}"
                if self._health.troubled(EMULATOR, reason):
                    log.exception("%s; it is tried again", reason)
            else:
                return
            self._closing.wait(ENGINE_RETRY)

    def _take_over(self) -> None:
        self.launcher.check_shared(self.state)
        self._listen_to_containers()
        kinds = {kind.name: kind for kind in _ALIVE}
        remove_strangers(self.store, self.launcher, kinds, self.supervisor.settled)
        remove_leftovers(self.store, TRAINING_JOB, self._jobs, self.supervisor.settled)
        remove_leftovers(self.store, ENDPOINT, self._endpoints, self.supervisor.settled)
        # What a stopped instance keeps, it keeps.
        remove_leftovers(self.store, NOTEBOOK_INSTANCE, self._notebooks, lambda record: False)
        self._notebook_instances.resume()
        for record in self.store.select(ENDPOINT):
            self.storage.open_log_group(record.scope, endpoint_log_group(record.name))
        if self._closing.is_set():
            return
        if not self.launcher.in_container():
            # Where no address of this machine is the containers', the engine's own name for it is.
            host = self.launcher.gateway_address() or _ENGINE_HOST
            self._url_for_containers = f"http://{host}:{self._port}"
        self._engine_up.set()
        self._health.well(ENGINE)
        self._health.well(EMULATOR)
        self.supervisor.start()
        self.launcher.warm().join()
        if self._url_for_containers:
            self.regions.notice(self.settings.region)
            self.regions.begin(self._url_for_containers)

    def _listen_to_containers(self) -> None:
        """Serve the address that containers call, too; doing it twice equals doing it once."""
        gateway = self.launcher.gateway_address()
        served = {host for host, _ in self.server.addresses}
        if gateway is not None and not served & {gateway, *EVERYWHERE}:
            self.server.listen(gateway, self._port)


def assemble(settings: Settings, prepared: Prepared | None = None) -> Assembly:
    """Return the emulator that the settings describe; nothing is answered yet.

    Args:
        prepared: what `prepare` has given for these settings; None to prepare it here, which
            raises what `prepare` does.
    """
    return Assembly(settings, prepared or prepare(settings))


@cache
def _absent() -> Mapping[str, Handler]:
    service = model.sagemaker()
    return absent.handlers(service.operations, service.shapes, registry.NATIVE)


def _limits(settings: Settings) -> Limits:
    return Limits(
        memory_bytes=settings.container_memory or None,
        threads=settings.container_threads or None,
        cpu_stand_ins=settings.cpu_stand_ins,
    )


def _data_buckets(setting: str) -> Path | None:
    return None if setting == "auto" else Path(setting).expanduser().resolve()


def _instance(state: Path) -> str:
    """Return the id that labels this state directory's containers, made up at its first use."""
    path = state / "instance"
    try:
        if not path.exists() or not path.stat().st_size:
            path.write_text(token(8))
        found = path.read_text(errors="replace").strip()
    except OSError as error:
        raise StateDamaged(path, error.strerror) from error
    if not re.fullmatch("[0-9a-f]+", found):
        raise StateDamaged(path, "it is no id of containers")
    return found

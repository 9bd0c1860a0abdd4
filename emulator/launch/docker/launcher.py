"""The launcher interface on Docker.

Every container, volume and network it makes carries the emulator's instance label; what lacks the
label is never touched. Nothing is privileged, nothing removes itself: recovery after a crash reads
exit codes from containers that are still there.
"""

import contextlib
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.clock import now
from emulator.errors import EmulatorError, PermanentError
from emulator.launch.driver import (
    ENGINE_SOCKET,
    ContainerSpec,
    ImageMissing,
    LogLine,
    Observed,
)

from . import labels
from .clusters import Clusters
from .containers import is_podman, names_init, observed, refusal, request
from .engine import Absent, Engine, EngineDown, Failed, Refused, engine_socket
from .engine import load as load_client
from .mounts import bind
from .namespaces import Namespace, Namespaces, Place
from .network import PODMAN_HOST, SERVER_NAME, Network, Placed, address_of, on_this_machine
from .oneself import Oneself
from .output import Output, timestamp
from .overlays import Overlays
from .ownership import Ownership

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_ENDED = ("exited", "dead")
_PAUSE_IS_GONE = ("non running container", "no such container")
_WAIT_SECONDS = 3600.0
_AGAIN_SECONDS = 0.02
_CHECK_SECONDS = 3.0


class DockerLauncher:
    """Runs containers on the engine that DOCKER_HOST names, or the local one.

    Making one costs nothing: the engine is first asked by `warm` or by the first call.

    Args:
        instance: id of the emulator's state directory; labels everything that is made.
        port: where the emulator listens.
        network_name: name of the emulator's network; None for one after the instance.
        pool_size: how many warm network namespaces to keep.
        pause_image: image with ``sleep`` for them; None to do without.
        reach: how containers' ports are called: ``address`` by the container's own address,
            ``publish`` on this machine's loopback, ``auto`` by address where that works. A
            container that is isolated has no published port, except that there is no other way.
        scratch: directory for what containers write to ``cow`` mounts; None makes those read-only.
        state: the emulator's state directory, which what it leaves behind can be known by.
        shared_memory: returns the bytes of /dev/shm for a container that may use so many bytes of
            memory; 0 for the engine's own.
        client: a docker SDK client to use instead of connecting.
        loaded: returns once `load` was called, where one thread owns the imports.
    """

    def __init__(
        self,
        *,
        instance: str,
        port: int,
        network_name: str | None = None,
        pool_size: int = 3,
        pause_image: str | None = "sagemaker-emulator/base:latest",
        reach: str = "auto",
        scratch: Path | None = None,
        state: Path | None = None,
        shared_memory: Callable[[int], int] = lambda memory: 0,
        client: "APIClient | None" = None,
        loaded: Callable[[], None] = lambda: None,
    ) -> None:
        if reach not in ("auto", "address", "publish"):
            raise ValueError(f"reach is auto, address or publish, not {reach!r}")
        name = network_name or f"sagemaker-emulator-{instance}"
        self._instance = instance
        self._port = port
        self._reach = reach
        marks = {labels.STATE: str(state), labels.MACHINE: socket.gethostname()} if state else {}
        self._engine = Engine(client, loaded=loaded, marks=marks)
        self._oneself = Oneself(self._engine)
        self._network = Network(self._engine, self._oneself, instance, name, internal=False)
        self._enclosed = Network(
            self._engine, self._oneself, instance, f"{name}-internal", internal=True
        )
        self._namespaces = Namespaces(self._engine, instance, pause_image, pool_size)
        self._clusters = Clusters(self._engine, instance)
        self._ownership = Ownership(self._engine, self._oneself, instance, pause_image)
        self._overlays = Overlays(self._engine, self._oneself, instance, scratch, self._ownership)
        self._joined: dict[str, str] = {}
        self._starting: set[str] = set()
        self._turn = threading.Condition()
        self._local: bool | None = None
        self._deciding = threading.Lock()
        self._way_here = "host-gateway"
        self._shared_memory = shared_memory
        self._init = True
        self._known: dict[str, Any] | None = None
        self._version: dict[str, Any] | None = None

    def load(self) -> None:
        """Import the engine's client; else the first call does."""
        load_client()

    def check(self) -> None:
        """Raise EngineDown unless the engine answers within a few seconds."""
        self._engine.get("/version", timeout=_CHECK_SECONDS)

    def warm(self) -> threading.Thread:
        """Sweep, make the network and fill the pool, all in the background."""
        thread = threading.Thread(target=self._warm, name="launcher-warm", daemon=True)
        thread.start()
        return thread

    def sweep(self) -> None:
        """Remove pauses and overlays that an earlier, killed emulator left without a container."""
        self._sweep_pauses()
        for owner in self._overlays.owners():
            with self._alone(owner):
                if self._inspect(owner) is None:
                    self._overlays.remove(owner)

    def close(self) -> None:
        """Remove the idle pauses and, if no job is left on it, the network; jobs go on."""
        try:
            self._namespaces.close()
            # Somebody may have removed a job but not its pause, and one that ended needs none.
            self._sweep_pauses(ended=True)
            self._network.remove()
            self._enclosed.remove()
        except EmulatorError as error:  # what is left, the next start or `prune` finds by label
            log.info("not everything is cleaned up: %s", error)
        self._engine.close()

    def start(self, spec: ContainerSpec) -> str:
        """Start a container and return its id; see Launcher.

        Raises ImageMissing; PermanentError with the engine's reason, for instance that the image
        has no such command; TemporaryError.
        """
        with self._alone(spec.name):
            if existing := self._existing(spec):
                return existing
            for _ in range(_ATTEMPTS - 1):
                try:
                    return self._attempt(spec)
                except (Refused, Failed) as error:
                    if not self._repaired(error.reason):
                        raise refusal(spec, error, self._oneself.outside) from error
                    log.info("starting %s again because %s", spec.name, error.reason)
            try:
                return self._attempt(spec)
            except (Refused, Failed) as error:
                raise refusal(spec, error, self._oneself.outside) from error

    def observe(self, handle: str) -> Observed | None:
        """Return the container's state, or None if it is gone; see Launcher."""
        found = self._inspect(handle)
        return observed(found) if found else None

    def lost_process(self, handle: str) -> bool:
        """Say whether the kernel has killed a process of the container for memory; see Launcher."""
        found = self._inspect(handle)
        if found is None:
            return False
        # While a container runs, its state does not say so; the engine remembers recent events.
        filters = {"container": [found["Id"]], "event": ["oom"]}
        # It would wait for a moment that is still to come, so this one is told exactly.
        since, until = str(math.floor(timestamp(found["Created"]) / 1e9)), f"{now():.9f}"
        return bool(self._engine.lines("/events", since=since, until=until, filters=filters))

    def wait(self, handle: str, timeout: float) -> Observed | None:
        """Return once the container has exited or after `timeout` seconds; see Launcher."""
        deadline = time.monotonic() + timeout
        again = threading.Event()
        while True:
            state = self.observe(handle)
            left = deadline - time.monotonic()
            if state is None or not state.running or left <= 0:
                return state
            # Whatever ends the call - exit, timeout, a restarting engine - the state decides.
            with contextlib.suppress(Absent, EngineDown):
                self._engine.post(f"/containers/{handle}/wait", timeout=min(left, _WAIT_SECONDS))
                state = self.observe(handle)
                if state is None or not state.running:
                    return state
            again.wait(min(left, _AGAIN_SECONDS))

    def find(self, wanted: Mapping[str, str]) -> list[Observed]:
        """Return this emulator's containers with all these labels; see Launcher."""
        filters = labels.selecting({**wanted, **self._own(labels.JOB)})
        listed = self._engine.get("/containers/json", all=1, filters=filters)
        states = (self.observe(found["Id"]) for found in listed)
        return [state for state in states if state]

    def logs(self, handle: str, *, since: float = 0.0, follow: bool = True) -> Iterator[LogLine]:
        """Yield the lines written after `since`; see Launcher. A broken stream is resumed."""

        def running() -> bool | None:
            state = self.observe(handle)
            return state.running if state else None

        return Output(self._engine, handle, running).lines(since, follow)

    def stop(self, handle: str, *, grace: float) -> None:
        """Send SIGTERM, whatever the image's STOPSIGNAL (contract B5), then SIGKILL."""
        if self._signal(handle, "SIGTERM"):
            state = self.wait(handle, grace)
            if state and state.running and self._signal(handle, "SIGKILL"):
                self.wait(handle, math.inf)

    def remove(self, handle: str) -> None:
        """Kill and remove the container, its pause and its overlays; absent is fine."""
        found = self._inspect(handle)
        joined = self._joined.pop(handle, None)
        if found is None:
            if joined:  # somebody else has removed the container, but not its pause
                self._namespaces.remove(joined)
            return
        name = found["Name"].removeprefix("/")
        self._engine.delete(f"/containers/{found['Id']}", force=1, v=1)
        marks = found["Config"]["Labels"]
        if (pause := marks.get(labels.PAUSE)) and labels.PORT in marks:
            self._namespaces.remove(pause)  # the port may stay taken for a minute
        elif pause:
            self._namespaces.give_back(pause)
        if any(mount["Type"] == "volume" for mount in found["Mounts"]):
            self._overlays.remove(name)

    def reclaim(self, directory: Path) -> None:
        """Give what containers wrote below `directory` to this process's user; see Launcher."""
        self._ownership.reclaim(directory)

    def engine_path(self, directory: Path) -> Path:
        """Return what the engine's machine calls a directory; see Launcher."""
        return self._oneself.outside(directory)

    def image(self, name: str) -> Mapping[str, Any] | None:
        """Return a local image as the engine describes it, or None if there is no such image."""
        found: Mapping[str, Any] | None = self._engine.find(f"/images/{name}/json")
        return found

    def images(self) -> list[Mapping[str, Any]]:
        """Return all local images as the engine lists them."""
        found: list[Mapping[str, Any]] = self._engine.get("/images/json")
        return found

    def image_id(self, image: str) -> str | None:
        """Return the local image's content id, or None if there is no such image."""
        found = self.image(image)
        return str(found["Id"]) if found else None

    def image_labels(self, image: str) -> Mapping[str, str]:
        """Return the labels of a local image; raises ImageMissing."""
        found = self._engine.find(f"/images/{image}/json")
        if found is None:
            raise ImageMissing(image)
        return dict(found["Config"].get("Labels") or {})

    def has_gpus(self) -> bool:
        """Say whether the engine has NVIDIA's runtime; see Launcher."""
        return "nvidia" in (self._info().get("Runtimes") or {})

    def check_shared(self, directory: Path) -> None:
        """Raise PermanentError, which says what to do, if no container can be given `directory`."""
        self._oneself.outside(directory)

    def in_container(self) -> bool:
        """Say whether the emulator is itself a container, which only its own networks lead to."""
        return self._network.ensure().own is not None

    def endpoint_url(self) -> str:
        """Return the URL under which containers reach the emulator."""
        # An emulator that is a container may get another address on the way, never another name.
        host = None if self.in_container() else self.gateway_address()
        return f"http://{host or SERVER_NAME}:{self._port}"

    def engine_host(self) -> str:
        """Return the engine's machine as containers call it; see Launcher."""
        placed = self._network.ensure()
        # On Docker Desktop the gateway is not that machine, and the engine's own name for it is.
        near = placed.own is not None or self.gateway_address() is not None
        return placed.gateway if near else SERVER_NAME

    def gateway_address(self) -> str | None:
        """Return the address on which the emulator must listen for containers to reach it.

        Only containers and this machine reach that address. None where the engine forwards
        containers to this machine's loopback by itself (Docker Desktop).
        """
        placed = self._network.ensure()
        if placed.own is not None:
            return placed.own
        with self._deciding:
            if self._local is None:
                self._local = on_this_machine(placed.gateway) or self._held(placed)
            return placed.gateway if self._local else None

    def _held(self, placed: Placed) -> bool:
        """Keep a network of Podman's up; say whether its gateway is this machine's then.

        Podman makes the bridge of a network with its first container and takes it away with the
        last, so that there would be no address to listen on. A pause that no job gets holds it.
        """
        if not self._podman():
            return False
        holder = self._namespaces.take(Place("network", placed.name))
        if holder is None:
            return False
        if on_this_machine(placed.gateway):
            return True
        # It runs in a machine or namespace of its own, and Podman 4 knows no `host-gateway`.
        hosts = self._engine.run(holder.pause, ["cat", "/etc/hosts"]).decode()
        self._namespaces.remove(holder.pause)
        if address := address_of(PODMAN_HOST, hosts):
            self._way_here = address
            log.warning(
                "containers of this Podman reach this machine at %s alone: the emulator must listen"
                " there (--host), where others in that network reach it, too",
                address,
            )
        return False

    def _warm(self) -> None:
        try:
            self.sweep()
            self._info()
            self._namespaces.warm(self._standard())
        except EmulatorError as error:
            log.warning("containers are not prepared: %s", error)

    def _attempt(self, spec: ContainerSpec) -> str:
        place = self._place(spec)
        namespace = None if place.network == "none" else self._namespaces.take(place)
        created = ""
        try:
            body = request(
                *(spec, self._own(labels.JOB), place, namespace, self._mounts(spec)),
                own_hostname=self._podman(),
                init=self._init,
                shm_bytes=self._shared_memory(spec.memory_bytes or self._info().get("MemTotal", 0)),
            )
            created = str(self._engine.post("/containers/create", body, name=spec.name)["Id"])
            self._engine.post(f"/containers/{created}/start")
            if namespace:
                self._joined[created] = namespace.pause
        except BaseException:
            with contextlib.suppress(EmulatorError):  # the first error is the one to tell
                self._undo(spec, created, namespace)
            raise
        return created

    def _undo(self, spec: ContainerSpec, created: str, namespace: Namespace | None) -> None:
        if created:
            self._engine.delete(f"/containers/{created}", force=1, v=1)
        if namespace:
            self._namespaces.remove(namespace.pause)
        if any(mount.access == "cow" for mount in spec.mounts):
            self._overlays.remove(spec.name)

    def _existing(self, spec: ContainerSpec) -> str | None:
        found = self._engine.find(f"/containers/{spec.name}/json")
        if found is None:
            return None
        carried = found["Config"]["Labels"] or {}
        if not {**spec.labels, **self._own(labels.JOB)}.items() <= carried.items():
            raise PermanentError(
                f"The container {spec.name} exists and is not this resource's. Remove it "
                f"(`docker rm -f {spec.name}`)."
            )
        if found["State"]["Status"] == "created":  # an emulator was killed while starting it
            self.remove(found["Id"])
            return None
        return str(found["Id"])

    def _place(self, spec: ContainerSpec) -> Place:
        if spec.isolated and spec.port is None and spec.cluster is None:
            return Place(spec.hostname, "none", known={spec.hostname: "127.0.0.1"})
        standard = self._standard()
        network, known = self._network, dict(standard.known)
        if spec.isolated and self._by_address():
            network, known = self._enclosed, {}
        elif spec.isolated:
            log.warning("%s is not isolated: this engine reaches ports by publishing", spec.name)
        placed = network.ensure()
        published = None if self._by_address() else spec.port
        if spec.cluster is None:
            return Place(spec.hostname, placed.name, published=published, known=known)
        hosts = self._clusters.hosts(spec.cluster, spec.peers, placed)
        return Place(
            spec.hostname,
            placed.name,
            static=hosts[spec.hostname],
            published=published,
            known=known | hosts,
            labels={labels.CLUSTER: spec.cluster, labels.HOSTS: labels.pack(hosts)},
        )

    def _standard(self) -> Place:
        known = {} if self.gateway_address() else {SERVER_NAME: self._way_here}
        return Place("algo-1", self._network.ensure().name, known=known)

    def _by_address(self) -> bool:
        if self._reach == "auto":
            return self.gateway_address() is not None
        return self._reach == "address"

    def _mounts(self, spec: ContainerSpec) -> list[dict[str, Any]]:
        mounts = [
            self._overlays.mount(spec.name, index, mount)
            if mount.access == "cow"
            else bind(
                self._oneself.outside(mount.source), mount.target, read_only=mount.access == "ro"
            )
            for index, mount in enumerate(spec.mounts)
        ]
        if spec.engine_access:
            socket = self._oneself.outside(engine_socket())
            mounts.append(bind(socket, ENGINE_SOCKET, read_only=False))
        return mounts

    def _sweep_pauses(self, *, ended: bool = False) -> None:
        """Remove the pauses that no job has; `ended`: nor one that may still run."""
        wanted = labels.selecting(self._own(labels.JOB))
        jobs = self._engine.get("/containers/json", all=1, filters=wanted)
        if ended:
            jobs = [job for job in jobs if job["State"] not in _ENDED]
        self._namespaces.sweep({job["Labels"].get(labels.PAUSE, "") for job in jobs})

    def _repaired(self, reason: str) -> bool:
        """Undo what made a start fail, if it is of our making; says whether to try again."""
        if "address already in use" in reason.lower():
            # A killed emulator's pause still stands where a host of a cluster belongs.
            self._sweep_pauses()
            return True
        if self._init and names_init(reason):
            log.warning("containers run without an init, which this engine lacks: %s", reason)
            self._init = False
            return True
        if "network" in reason and "not found" in reason:
            self._network.forget()
            self._enclosed.forget()
        elif "volume" in reason and "mount" in reason and self._overlays.working:
            self._overlays.disable(reason)
            return True
        elif not any(text in reason.lower() for text in _PAUSE_IS_GONE):
            return False
        self._namespaces.drain()
        return True

    def _info(self) -> dict[str, Any]:
        """Return what the engine says of itself and its machine, as it was when first asked."""
        if self._known is None:
            self._known = dict(self._engine.get("/info"))
        return self._known

    def _podman(self) -> bool:
        """Say whether the engine is Podman, as its version was when first asked."""
        if self._version is None:
            self._version = dict(self._engine.get("/version"))
        return is_podman(self._version)

    def _inspect(self, handle: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container of ours."""
        found = self._engine.find(f"/containers/{handle}/json")
        if found and (found["Config"]["Labels"] or {}).get(labels.INSTANCE) == self._instance:
            return dict(found)
        return None

    def _signal(self, handle: str, signal: str) -> bool:
        """Send a signal; False if the container does not run (any more)."""
        if self._inspect(handle) is None:
            return False
        try:
            self._engine.post(f"/containers/{handle}/kill", signal=signal)
        except Refused:  # absent or not running
            return False
        return True

    def _own(self, role: str) -> dict[str, str]:
        return labels.of(self._instance, role)

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Keep other threads from starting or sweeping the container of this name."""
        with self._turn:
            self._turn.wait_for(lambda: name not in self._starting)
            self._starting.add(name)
        try:
            yield
        finally:
            with self._turn:
                self._starting.discard(name)
                self._turn.notify_all()

"""How containers run: the interface that Docker answers today.

A container belongs to a *resource* (one training job's host, one instance of a variant) and is
found again by its labels alone. Nothing here knows SageMaker's wire or S3.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from emulator.errors import PermanentError

ENGINE_SOCKET = "/var/run/docker.sock"
"""Where a container finds the engine, if it was given it."""


class ImageMissing(PermanentError):
    """There is no such image on the engine."""

    def __init__(self, image: str) -> None:
        super().__init__(f"No such image: {image}")
        self.image = image


@dataclass(frozen=True)
class Mount:
    """A directory of this machine inside the container.

    Attributes:
        source: absolute directory on this machine.
        target: absolute path in the container.
        access: ``ro``; ``rw`` writes through to ``source``; ``cow`` lets the container write
            without ever changing ``source`` (copy-on-write; the writes are thrown away).
    """

    source: Path
    target: str
    access: str = "rw"


@dataclass(frozen=True)
class ContainerSpec:
    """What to run.

    Attributes:
        name: container name, unique on the engine.
        image: local image reference.
        command: arguments after the entry point, as `docker run IMAGE ARGS`; None keeps CMD.
        entrypoint: replaces the image's ENTRYPOINT when given (contract B6).
        labels: resource labels; the launcher adds its own (instance of the emulator).
        hostname: host name inside the container, ``algo-1`` for training.
        port: a TCP port that will be called from this machine, or None.
        isolated: no network beyond this machine (EnableNetworkIsolation).
        memory_bytes: limit, or None.
        cluster: containers with the same cluster name reach each other by hostname; None for one.
        peers: the host names of the whole cluster, this one's included; the same for each.
        gpus: give it all GPUs of this machine; asked for only where the launcher has some.
        engine_access: give it the engine itself, at `ENGINE_SOCKET`; whoever has it is root on
            this machine.
        may_become_root: its users may, by ``sudo``; no other container's can.
    """

    name: str
    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    hostname: str = "algo-1"
    port: int | None = None
    isolated: bool = False
    memory_bytes: int | None = None
    cluster: str | None = None
    peers: tuple[str, ...] = ()
    gpus: bool = False
    engine_access: bool = False
    may_become_root: bool = False


@dataclass(frozen=True)
class Observed:
    """What the engine says of a container.

    Attributes:
        running: False once it has exited (or was never started).
        exit_code: set once it has exited.
        out_of_memory: the kernel killed a process of it for memory. Only meaningful with a
            non-zero exit code.
        started_at, finished_at: epoch seconds; 0.0 when not yet.
        address: ``(host, port)`` to call `port` on from this machine, when the spec had one.
        image_id: content id (``sha256:…``) of the image it runs.
    """

    handle: str
    name: str
    running: bool
    exit_code: int | None
    out_of_memory: bool
    started_at: float
    finished_at: float
    address: tuple[str, int] | None
    image_id: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class LogLine:
    """One line a container wrote. ``at`` is epoch seconds by the engine's clock."""

    at: float
    text: str


class Launcher(Protocol):
    """Starts, observes and stops containers.

    Every method raises TemporaryError when the engine does not answer and PermanentError when the
    engine refuses for good (no such image, no such command in the image, bad mount).
    """

    def start(self, spec: ContainerSpec) -> str:
        """Start a container and return its handle.

        Idempotent by name: if a container of this name and these labels exists, its handle is
        returned and nothing is started. A failed start leaves nothing behind.
        """
        ...

    def observe(self, handle: str) -> Observed | None:
        """Return the container's state, or None if it is gone."""
        ...

    def lost_process(self, handle: str) -> bool:
        """Say whether the kernel has lately killed a process of a running container for memory.

        The container may go on without it. What happened long ago may be forgotten.
        """
        ...

    def wait(self, handle: str, timeout: float) -> Observed | None:
        """Return as soon as the container has exited, or its state after `timeout` seconds."""
        ...

    def find(self, labels: Mapping[str, str]) -> list[Observed]:
        """Return this emulator's containers that carry all these labels, running or not."""
        ...

    def logs(self, handle: str, *, since: float = 0.0, follow: bool = True) -> Iterator[LogLine]:
        """Yield the lines written after `since`, until the container exits if `follow`.

        Lines come whole: partial writes are joined, a last line without newline is yielded.
        """
        ...

    def stop(self, handle: str, *, grace: float) -> None:
        """Send SIGTERM and, after `grace` seconds, SIGKILL; returns when it has exited."""
        ...

    def remove(self, handle: str) -> None:
        """Kill if need be and remove the container and all that came with it; absent is fine."""
        ...

    def reclaim(self, directory: Path) -> None:
        """Make this process's user the owner of what ended containers wrote below `directory`."""
        ...

    def engine_path(self, directory: Path) -> Path:
        """Return what the engine's machine calls a directory that containers can be given."""
        ...

    def image_id(self, image: str) -> str | None:
        """Return the local image's content id, or None if there is no such image."""
        ...

    def image_labels(self, image: str) -> Mapping[str, str]:
        """Return the labels of a local image; raises ImageMissing."""
        ...

    def has_gpus(self) -> bool:
        """Say whether containers can be given GPUs."""
        ...

    def endpoint_url(self) -> str:
        """Return the URL under which containers reach the emulator."""
        ...

    def engine_host(self) -> str:
        """Return the host under which containers reach what the engine's machine publishes."""
        ...

    def gateway_address(self) -> str | None:
        """Return a further address the emulator must listen on for containers, if there is one."""
        ...

    def warm(self) -> object:
        """Prepare for quick starts in the background; what a killed emulator left is removed."""
        ...

    def close(self) -> None:
        """End all streams and remove what no container uses; containers go on."""
        ...

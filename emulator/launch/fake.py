"""A launcher without an engine: containers that behave as a test says.

It keeps every promise of the interface - tests/component/test_launcher_conformance.py runs the same
tests against it and Docker - but runs nothing: a container is a start time and a `Behaviour`,
looked up by image. Time is read from a clock that a test may own, so nothing depends on the
machine's speed.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from emulator import clock
from emulator.errors import EmulatorError, PermanentError, TemporaryError
from emulator.launch.driver import ContainerSpec, ImageMissing, LogLine, Observed

_POLL_SECONDS = 0.002
_LINE_SECONDS = 1e-5


@dataclass(frozen=True)
class Behaviour:
    """What the containers of an image do.

    Attributes:
        run_for: seconds until it exits by itself; None runs until stopped.
        output: lines written at the start.
        start_error: raised by `start` instead of starting.
        ignore_sigterm: it ends by SIGKILL only.
        oom: it is killed for memory (exit code 137) when its time is over.
        effect: called at the start with the spec, to write into its mounts for instance.
        handler: answers HTTP on the spec's port; None refuses connections.
        labels: of the image.
    """

    run_for: float | None = 0.0
    exit_code: int = 0
    output: tuple[str, ...] = ()
    start_error: EmulatorError | None = None
    ignore_sigterm: bool = False
    oom: bool = False
    effect: Callable[[ContainerSpec], None] | None = None
    handler: type[BaseHTTPRequestHandler] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Container:
    spec: ContainerSpec
    behaviour: Behaviour
    handle: str
    started_at: float
    lines: list[LogLine] = field(default_factory=list)
    ended: tuple[float, int] | None = None
    lost_a_process: bool = False
    server: ThreadingHTTPServer | None = None

    def end(self, at: float) -> tuple[float, int] | None:
        """Return when and with which exit code it ended, None while it runs."""
        if self.ended is None and self.behaviour.run_for is not None:
            due = self.started_at + self.behaviour.run_for
            if at >= due:
                self.ended = (due, 137 if self.behaviour.oom else self.behaviour.exit_code)
        return self.ended


class FakeLauncher:
    """An engine in memory; it outlives the emulators of a test as an engine does.

    Args:
        images: behaviours by image reference; any other image is missing.
        now: the clock, in seconds since the epoch.
        url: what `endpoint_url` returns.
    """

    def __init__(
        self,
        images: Mapping[str, Behaviour] | None = None,
        *,
        now: Callable[[], float] = clock.now,
        url: str = "http://127.0.0.1:4610",
    ) -> None:
        self.images = dict(images or {})
        self.down = False
        """While True, every call raises TemporaryError, as without an engine."""
        self.gpus = False
        """What `has_gpus` says."""
        self.started: list[ContainerSpec] = []
        """Every spec that was started, in order."""
        self._now = now
        self._url = url
        self._containers: dict[str, _Container] = {}
        self._changed = threading.Condition(threading.RLock())
        self._run = 0

    # The interface.

    def start(self, spec: ContainerSpec) -> str:
        with self._engine():
            for container in self._containers.values():
                if container.spec.name == spec.name:
                    if container.spec.labels == spec.labels:
                        return container.handle
                    raise PermanentError(f"The container {spec.name} exists and is another's.")
            behaviour = self.images.get(spec.image)
            if behaviour is None:
                raise ImageMissing(spec.image)
            if behaviour.start_error is not None:
                raise behaviour.start_error
            self.started.append(spec)
            container = self._new(spec, behaviour)
            if behaviour.effect:
                behaviour.effect(spec)
            self._containers[container.handle] = container
            self._changed.notify_all()
            return container.handle

    def observe(self, handle: str) -> Observed | None:
        with self._engine():
            container = self._containers.get(handle)
            return self._observed(container) if container else None

    def lost_process(self, handle: str) -> bool:
        with self._engine():
            container = self._containers.get(handle)
            return container is not None and container.lost_a_process

    def wait(self, handle: str, timeout: float) -> Observed | None:
        deadline = time.monotonic() + timeout
        while True:
            state = self.observe(handle)
            if state is None or not state.running or time.monotonic() >= deadline:
                return state
            self._pause()

    def find(self, wanted: Mapping[str, str]) -> list[Observed]:
        with self._engine():
            return [
                self._observed(container)
                for container in self._containers.values()
                if wanted.items() <= container.spec.labels.items()
            ]

    def logs(self, handle: str, *, since: float = 0.0, follow: bool = True) -> Iterator[LogLine]:
        run, position = self._run, 0
        while True:
            with self._engine():
                container = self._containers.get(handle)
                running = container is not None and self._end(container) is None
                lines = container.lines[position:] if container else []
            yield from (line for line in lines if line.at > since)
            position += len(lines)
            if not running or not follow or run != self._run:
                return
            self._pause()

    def stop(self, handle: str, *, grace: float) -> None:
        with self._engine():
            container = self._containers.get(handle)
            if container is None or self._end(container):
                return
            if not container.behaviour.ignore_sigterm:
                self._finish(container, container.behaviour.exit_code or 143)
                return
        if (state := self.wait(handle, grace)) and state.running:
            self.kill(handle)

    def remove(self, handle: str) -> None:
        with self._engine():
            container = self._containers.pop(handle, None)
            self._changed.notify_all()
        if container and container.server:
            container.server.shutdown()
            container.server.server_close()

    def reclaim(self, directory: Path) -> None:
        """Do nothing: what the fake writes is this process's own."""

    def engine_path(self, directory: Path) -> Path:
        return directory

    def image_id(self, image: str) -> str | None:
        with self._engine():
            known = image in self.images
        return "sha256:" + hashlib.sha256(image.encode()).hexdigest() if known else None

    def image_labels(self, image: str) -> Mapping[str, str]:
        with self._engine():
            if image not in self.images:
                raise ImageMissing(image)
            return dict(self.images[image].labels)

    def has_gpus(self) -> bool:
        with self._engine():
            return self.gpus

    def endpoint_url(self) -> str:
        return self._url

    def engine_host(self) -> str:
        return "127.0.0.1"

    def gateway_address(self) -> str | None:
        return None

    def warm(self) -> None:
        """There is nothing to prepare."""

    def close(self) -> None:
        """End the streams of this run of the emulator; containers go on, and so may the next."""
        with self._changed:
            self._run += 1
            self._changed.notify_all()

    # What a test does to containers behind the emulator's back.

    def write(self, handle: str, *lines: str) -> None:
        """Let a container write lines now."""
        with self._changed:
            self._write(self._containers[handle], lines)
            self._changed.notify_all()

    def kill(self, handle: str, exit_code: int = 137) -> None:
        """Let a container exit now."""
        with self._changed:
            self._finish(self._containers[handle], exit_code)

    def starve(self, handle: str) -> None:
        """Let a process of a container be killed for memory; the container goes on."""
        with self._changed:
            self._containers[handle].lost_a_process = True

    def clear(self) -> None:
        """Remove all containers and what serves for them."""
        for handle in list(self._containers):
            self.remove(handle)

    # How it is done.

    def _engine(self) -> threading.Condition:
        if self.down:
            raise TemporaryError("The container engine does not answer (it is down).")
        return self._changed

    def _new(self, spec: ContainerSpec, behaviour: Behaviour) -> _Container:
        number = len(self.started)
        handle = hashlib.sha256(f"{spec.name} {number}".encode()).hexdigest()
        container = _Container(spec, behaviour, handle, self._now())
        self._write(container, behaviour.output)
        if spec.port is not None and behaviour.handler is not None:
            server = ThreadingHTTPServer(("127.0.0.1", 0), behaviour.handler)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            container.server = server
        return container

    def _write(self, container: _Container, lines: tuple[str, ...]) -> None:
        at = max(self._now(), container.lines[-1].at if container.lines else 0.0)
        for number, text in enumerate(lines, start=1):
            container.lines.append(LogLine(at + number * _LINE_SECONDS, text))

    def _finish(self, container: _Container, exit_code: int) -> None:
        if self._end(container) is None:
            container.ended = (self._now(), exit_code)
        self._changed.notify_all()

    def _end(self, container: _Container) -> tuple[float, int] | None:
        return container.end(self._now())

    def _observed(self, container: _Container) -> Observed:
        ended, spec = self._end(container), container.spec
        return Observed(
            handle=container.handle,
            name=spec.name,
            running=ended is None,
            exit_code=ended[1] if ended else None,
            out_of_memory=bool(ended and container.behaviour.oom),
            started_at=container.started_at,
            finished_at=ended[0] if ended else 0.0,
            address=self._address(container),
            image_id=self.image_id(spec.image) or "",
            labels=dict(spec.labels),
        )

    def _address(self, container: _Container) -> tuple[str, int] | None:
        if container.server is not None:
            return "127.0.0.1", container.server.server_port
        return ("127.0.0.1", 1) if container.spec.port is not None else None

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait(_POLL_SECONDS)

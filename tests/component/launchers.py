"""Two launchers that can be asked for the same behaviour, for the tests of the interface."""

import shlex
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

import docker

from emulator import names
from emulator.launch.docker import DockerLauncher
from emulator.launch.driver import ContainerSpec, Launcher
from emulator.launch.fake import Behaviour, FakeLauncher

IMAGE = "sagemaker-emulator/base:latest"
PING_SERVER = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()
    def log_message(self, *_): pass
HTTPServer(('', 8080), Handler).serve_forever()
"""


class Ping(BaseHTTPRequestHandler):
    """Answers 200 to every GET."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Bench(Protocol):
    """A launcher and the way to describe containers for it."""

    launcher: Launcher
    image: str

    def spec(self, behaviour: Behaviour | None = None, **more: Any) -> ContainerSpec: ...


class FakeBench:
    def __init__(self) -> None:
        self.launcher = FakeLauncher()
        self.image = "image-0"
        self.launcher.images[self.image] = Behaviour()

    def spec(self, behaviour: Behaviour | None = None, **more: Any) -> ContainerSpec:
        image = f"image-{len(self.launcher.images)}"
        self.launcher.images[image] = behaviour or Behaviour()
        return ContainerSpec(**{"name": unique_name(), "image": image, **more})


class DockerBench:
    def __init__(self, launcher: DockerLauncher) -> None:
        self.launcher = launcher
        self.image = IMAGE

    def spec(self, behaviour: Behaviour | None = None, **more: Any) -> ContainerSpec:
        command = ("sh", "-c", script(behaviour or Behaviour()))
        return ContainerSpec(**{"name": unique_name(), "image": IMAGE, "command": command, **more})

    def run(self, script: str, **more: Any) -> tuple[int | None, list[str]]:
        """Run a shell script to its end; returns its exit code and output."""
        spec = self.spec(command=("sh", "-c", script), **more)
        handle = self.launcher.start(spec)
        try:
            state = self.launcher.wait(handle, 30)
            assert state is not None
            return state.exit_code, [line.text for line in self.launcher.logs(handle)]
        finally:
            self.launcher.remove(handle)


def unique_name() -> str:
    return f"launchtest-{names.token(12)}"


def script(behaviour: Behaviour) -> str:
    """Return shell commands that behave so."""
    lines = [f"echo {shlex.quote(line)}" for line in behaviour.output]
    pause = "infinity" if behaviour.run_for is None else f"{behaviour.run_for}"
    if behaviour.handler is not None:
        return "\n".join([*lines, f"exec python3 -c {shlex.quote(PING_SERVER)}"])
    if behaviour.ignore_sigterm:
        return "\n".join(["trap '' TERM", *lines, f"sleep {pause}", f"exit {behaviour.exit_code}"])
    stopped = behaviour.exit_code or 143
    return "\n".join(
        [
            f"trap 'kill $!; exit {stopped}' TERM",
            *lines,
            *([f"sleep {pause} & wait $!"] if behaviour.run_for != 0 else []),
            f"exit {behaviour.exit_code}",
        ]
    )


@contextmanager
def docker_launcher(scratch: Path | None, **more: Any) -> Iterator[DockerLauncher]:
    """A launcher of its own instance, which leaves nothing behind."""
    instance = f"launchtest-{names.token(8)}"
    launcher = DockerLauncher(
        **{"instance": instance, "port": 4610, "scratch": scratch, "pool_size": 1, **more}
    )
    try:
        yield launcher
    finally:
        remove_all(instance, launcher)


def remove_all(instance: str, launcher: DockerLauncher) -> None:
    """Remove an instance's containers, then close its launcher."""
    again = DockerLauncher(instance=instance, port=4610, pool_size=0)
    for left in again.find({}):
        again.remove(left.handle)
    again.sweep()
    launcher.close()
    again.close()


def left_of(engine: docker.DockerClient, name: str) -> list[str]:
    """Return the containers and volumes whose names contain this."""
    containers = [
        c.name for c in engine.containers.list(all=True, ignore_removed=True) if name in c.name
    ]
    return containers + [v.name for v in engine.volumes.list() if name in v.name]


def pauses_of(engine: docker.DockerClient, instance: str) -> list[Any]:
    wanted = [f"org.sagemaker-emulator.instance={instance}", "org.sagemaker-emulator.role=pause"]
    return list(engine.containers.list(all=True, filters={"label": wanted}, ignore_removed=True))


def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"not within 20 s: {what}"
        threading.Event().wait(0.02)


def assert_answers(address: tuple[str, int]) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen("http://{}:{}/ping".format(*address), timeout=2) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    eventually(answers, f"an answer at {address}")

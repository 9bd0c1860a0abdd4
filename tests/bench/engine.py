"""The floor under containers: the Docker SDK on its default bridge, and nothing else."""

import contextlib
import http.client
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.models.containers import Container

from tests.bench.measure import until

IMAGE = "sagemaker-bench:latest"
PORT = 8080


class Engine:
    """Starts containers of the bench's image without the emulator."""

    def __init__(self) -> None:
        self._docker = docker.from_env()

    def build(self) -> None:
        """Build the image that trains nothing and echoes."""
        self._docker.images.build(path=str(Path(__file__).with_name("image")), tag=IMAGE, rm=True)

    def train(self) -> None:
        """Create, start, await and remove one container."""
        container = self._create("train")
        container.start()
        try:
            if container.wait(timeout=60)["StatusCode"]:
                raise RuntimeError(container.logs().decode())
        finally:
            container.remove()

    @contextlib.contextmanager
    def serving(self, delay: float = 0.0) -> Iterator[str]:
        """Give the address of a container that answers."""
        container = self._create("serve", {"BENCH_DELAY_SECONDS": str(delay)})
        try:
            container.start()
            container.reload()
            address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
            until(lambda: answers(address), "a container answers", pause=0.002)
            yield address
        finally:
            container.remove(force=True)

    def close(self) -> None:
        self._docker.close()

    def _create(self, command: str, environment: dict[str, str] | None = None) -> Container:
        return self._docker.containers.create(
            IMAGE,
            command,
            name=f"sagemaker-bench-{uuid.uuid4().hex[:12]}",
            environment=environment or {},
            labels={"sagemaker-bench": "1"},
        )


def answers(address: str) -> bool:
    """Tell whether /ping answers 200."""
    connection = http.client.HTTPConnection(address, PORT, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()

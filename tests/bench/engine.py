"""The floor under containers: the Docker SDK on its default bridge, and nothing else."""

import contextlib
import http.client
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import docker
import docker.errors
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

    def run(self, image: str, command: Sequence[str], mounts: Mapping[Path, str]) -> str:
        """Run a container until it ends; returns what it wrote.

        Args:
            mounts: directories of this machine and where the container has them.

        Raises:
            RuntimeError: it failed.
        """
        container = self._create(list(command), image=image, mounts=mounts)
        container.start()
        try:
            code = container.wait(timeout=300)["StatusCode"]
            output = container.logs().decode()
        finally:
            container.remove(force=True)
        if code:
            raise RuntimeError(output[-4000:])
        return output

    @contextlib.contextmanager
    def serving(
        self, delay: float = 0.0, *, image: str = IMAGE, mounts: Mapping[Path, str] | None = None
    ) -> Iterator[str]:
        """Give the address of a container that answers."""
        environment = {"BENCH_DELAY_SECONDS": str(delay)}
        container = self._create("serve", environment, image=image, mounts=mounts)
        try:
            container.start()
            container.reload()
            address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
            until(lambda: answers(address), "a container answers", pause=0.002)
            yield address
        finally:
            container.remove(force=True)

    def memory_mb(self, instance: str) -> float:
        """Return the memory of an emulator's containers.

        Without the system's cache of files, which it gives back when others need it.
        """
        used = 0
        label = f"org.sagemaker-emulator.instance={instance}"
        for container in self._docker.containers.list(
            filters={"label": label}, ignore_removed=True
        ):
            # Of a container that is just ending, the engine says nothing.
            with contextlib.suppress(docker.errors.APIError, ValueError):
                found = self._docker.api.stats(container.id, stream=False, one_shot=True)
                parts = found["memory_stats"].get("stats", {})
                # Versions 1 and 2 of the kernel's control groups.
                used += parts.get("total_rss", parts.get("anon", 0))
        return used / 1e6

    def close(self) -> None:
        self._docker.close()

    def _create(
        self,
        command: str | list[str],
        environment: Mapping[str, str] | None = None,
        *,
        image: str = IMAGE,
        mounts: Mapping[Path, str] | None = None,
    ) -> Container:
        return self._docker.containers.create(
            image,
            command,
            name=f"sagemaker-bench-{uuid.uuid4().hex[:12]}",
            environment=dict(environment or {}),
            labels={"sagemaker-bench": "1"},
            volumes={str(here): {"bind": there} for here, there in (mounts or {}).items()},
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

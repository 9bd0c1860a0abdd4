"""Whether an engine has GPUs to give: by its own word, asked once."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import docker
import pytest
from launchers import docker_launcher

from emulator.launch.docker import DockerLauncher

RUNC = {"runc": {"path": "runc"}}
NVIDIA = {"nvidia": {"path": "nvidia-container-runtime"}}


@contextmanager
def engine_with(runtimes: object) -> Iterator[tuple[docker.APIClient, list[str]]]:
    """An engine that answers `/info` and nothing else; yields its client and what was asked."""
    asked: list[str] = []

    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"Runtimes": runtimes}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = docker.APIClient(f"tcp://127.0.0.1:{server.server_port}", version="1.41")
        yield client, asked
        client.close()
        server.shutdown()


@pytest.mark.parametrize(
    "runtimes, expected", [({**RUNC, **NVIDIA}, True), (RUNC, False), ({}, False), (None, False)]
)
def test_the_runtime_says_whether_there_are_gpus(runtimes: object, expected: bool) -> None:
    with engine_with(runtimes) as (client, asked):
        launcher = DockerLauncher(instance="gpus", port=4610, client=client)
        assert [launcher.has_gpus() for _ in range(3)] == [expected] * 3
        assert asked == ["/v1.41/info"]


@pytest.mark.docker
def test_the_real_engine_is_asked() -> None:
    engine = docker.from_env()
    with docker_launcher(None) as launcher:
        assert launcher.has_gpus() == ("nvidia" in engine.info()["Runtimes"])
    engine.close()

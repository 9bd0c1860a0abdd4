"""How scripts/engine.py finds an engine; nothing is ever installed here."""

import os
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import ModuleType

import pytest
from scripts_of_tree import load


@pytest.fixture(scope="module")
def engine() -> ModuleType:
    return load("engine")


@pytest.fixture
def home() -> Iterator[Path]:
    # A socket's path may have 107 bytes at most; pytest's own directories can be longer.
    with tempfile.TemporaryDirectory(prefix="engine-") as directory:
        yield Path(directory)


@contextmanager
def listening(path: Path, status: int = 200, body: bytes = b"OK") -> Iterator[None]:
    """Answer every request on a Unix socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/_ping" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    path.parent.mkdir(parents=True, exist_ok=True)
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def no_system_socket(engine: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what really listens on this machine."""
    every = engine.usual_sockets
    monkeypatch.setattr(
        engine,
        "usual_sockets",
        lambda environment: [
            path for path in every(environment) if path.is_relative_to(environment["HOME"])
        ],
    )


@pytest.mark.usefixtures("no_system_socket")
@pytest.mark.parametrize(
    "place",
    [
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".colima/default/docker.sock",
        ".rd/docker.sock",
        "run/docker.sock",
        "run/podman/podman.sock",
    ],
)
def test_an_engine_is_found_where_it_usually_listens(
    engine: ModuleType, home: Path, place: str
) -> None:
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    assert engine.find(environment) is None
    with listening(home / place):
        assert engine.find(environment) == f"unix://{home / place}"
    # The socket's file is still there; nobody answers.
    assert (home / place).is_socket()
    assert engine.find(environment) is None


@pytest.mark.usefixtures("no_system_socket")
def test_a_socket_that_answers_badly_is_passed_over(engine: ModuleType, home: Path) -> None:
    with (
        listening(home / ".docker/run/docker.sock", 500, b"broken"),
        listening(home / ".rd/docker.sock"),
    ):
        assert engine.find({"HOME": str(home)}) == f"unix://{home / '.rd/docker.sock'}"


@pytest.mark.usefixtures("no_system_socket")
def test_an_explicit_host_that_is_silent_is_an_error_and_no_other_is_used(
    engine: ModuleType, home: Path
) -> None:
    silent = f"unix://{home}/nobody.sock"
    with (
        listening(home / ".rd/docker.sock"),
        pytest.raises(engine.Refused, match="No engine answers at DOCKER_HOST="),
    ):
        engine.find({"HOME": str(home), "DOCKER_HOST": silent})


def test_an_explicit_host_that_answers_is_used(engine: ModuleType, home: Path) -> None:
    with listening(home / "own.sock"):
        host = f"unix://{home}/own.sock"
        assert engine.find({"HOME": str(home), "DOCKER_HOST": host}) == host


def test_an_engine_over_ssh_is_refused_with_the_reason(engine: ModuleType) -> None:
    with pytest.raises(engine.Refused, match="over SSH"):
        engine.find({"DOCKER_HOST": "ssh://somewhere"})


@pytest.mark.usefixtures("no_system_socket")
@pytest.mark.parametrize(
    "tools, user, said",
    [
        ([], 0, "only Debian's and Ubuntu's can be installed"),
        (["apt-get"], 1000, "sudo apt-get install docker.io"),
        (["apt-get", "dockerd"], 1000, "sudo systemctl start docker"),
    ],
)
def test_where_docker_cannot_be_installed_the_message_says_what_to_do(
    engine: ModuleType,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    tools: list[str],
    user: int,
    said: str,
) -> None:
    for tool in tools:
        (home / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(engine.Refused, match=said):
        engine.refuse_to_install()

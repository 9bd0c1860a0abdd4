"""Who listens on a port."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from emulator.cli import ports
from emulator.settings import Settings


class Page(BaseHTTPRequestHandler):
    """Answers every GET with the server's `body`."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[HTTPServer]:
    """An HTTP server on a free port."""
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        server.body = b"{}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def on(server: HTTPServer) -> Settings:
    return replace(Settings(), port=server.server_port)


@pytest.mark.parametrize(
    "host, port, url",
    [
        ("127.0.0.1", 4610, "http://127.0.0.1:4610"),
        ("localhost", 1, "http://localhost:1"),
        ("0.0.0.0", 4610, "http://127.0.0.1:4610"),
        ("::", 4610, "http://[::1]:4610"),
        ("fe80::1", 4610, "http://[fe80::1]:4610"),
    ],
)
def test_a_url_is_one_that_this_machine_can_reach(host: str, port: int, url: str) -> None:
    assert ports.url(host, port) == url


def test_a_free_port_passes_and_stays_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    settings = replace(Settings(), port=free)
    ports.check_free(settings)
    ports.check_free(settings)


def test_any_port_passes_when_a_free_one_is_asked_for() -> None:
    ports.check_free(replace(Settings(), port=0))


def test_another_program_on_the_port_is_told_with_the_mend(listener: HTTPServer) -> None:
    with pytest.raises(ports.PortTaken, match=r"taken by another program.*--port"):
        ports.check_free(on(listener))


def test_an_emulator_on_the_port_is_told_with_its_url(listener: HTTPServer) -> None:
    listener.body = b'{"status": "ok"}'
    with pytest.raises(
        ports.PortTaken, match=f"emulator is running at http://127.0.0.1:{listener.server_port}"
    ):
        ports.check_free(on(listener))


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(ports.PortTaken, match=r"192\.0\.2\.1 .*--host"):
        ports.check_free(replace(Settings(), host="192.0.2.1", port=0))


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b'{"other": 1}', b"\xff"])
def test_an_answer_that_is_no_health_is_no_emulator(listener: HTTPServer, body: bytes) -> None:
    listener.body = body
    assert ports.health(f"http://127.0.0.1:{listener.server_port}") is None


def test_health_is_asked_past_a_proxy(
    listener: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    listener.body = b'{"status": "ok"}'
    assert ports.health(f"http://127.0.0.1:{listener.server_port}") == {"status": "ok"}

"""The HTTP server: what WSGI applications and HTTP clients may rely on."""

import http.client
import resource
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from emulator.serving import Address, Server

MEGABYTE = 1024 * 1024


class Application:
    """Answers by path; remembers what it saw."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.entered = threading.Event()
        self.release = threading.Event()
        self.closed = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.seen = environ
        path = environ["PATH_INFO"]
        if path == "/count":
            body = str(self._count(environ["wsgi.input"])).encode()
        elif path == "/wait":
            self.entered.set()
            self.release.wait(60)
            body = b"waited"
        elif path == "/fail":
            raise RuntimeError("on purpose")
        elif path == "/stream":
            start_response("200 OK", [("Content-Type", "a/b")])
            return _Stream(64, self.closed)
        elif path == "/written":
            write = start_response("200 OK", [])
            write(b"first,")
            return [b"second"]
        else:
            body = b"hello"
        start_response("200 OK", [("Content-Length", str(len(body))), ("X-Mine", "a")])
        return [body]

    @staticmethod
    def _count(source: Any) -> int:
        total = 0
        while piece := source.read(MEGABYTE):
            total += len(piece)
        return total


class _Stream:
    """Megabytes, and a flag when the server is done with them."""

    def __init__(self, count: int, closed: threading.Event) -> None:
        self._left = count
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return bytes(MEGABYTE)

    def close(self) -> None:
        self._closed.set()


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[Server]:
    made = Server(application)
    yield made
    application.release.set()
    made.stop(5)


@pytest.fixture
def address(server: Server) -> Address:
    return server.listen("127.0.0.1", 0)


def talk(address: Address, request: bytes, until: bytes = b"hello", times: int = 1) -> bytes:
    """Send raw bytes; return what comes back until `until` came so often or the server closed."""
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(request)
        reply = b""
        while reply.count(until) < times and (piece := client.recv(65536)):
            reply += piece
        return reply


def test_one_application_answers_on_several_addresses(application: Application) -> None:
    server = Server(application, [("127.0.0.1", 0), ("127.0.0.2", 0)])
    server.start()
    late = server.listen("127.0.0.3", 0)
    try:
        assert [host for host, _ in server.addresses] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        assert server.addresses[-1] == late
        for address in server.addresses:
            assert b"hello" in talk(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    finally:
        assert server.stop(5)


def test_a_taken_port_is_an_error_and_nothing_is_served(application: Application) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = Server(application, [("127.0.0.1", 0), other.getsockname()[:2]])
        with pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already"):
            server.start()
        assert server.addresses == []


def test_two_servers_never_share_a_port(application: Application, address: Address) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        Server(application).listen(*address)


def test_it_serves_from_a_thread_and_leaves_signals_alone(application: Application) -> None:
    server = Server(application, [("127.0.0.1", 0)])
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join(60)
    assert b"hello" in talk(server.addresses[0], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert server.stop(5)


def test_pipelined_requests_are_answered_in_order(address: Address) -> None:
    reply = talk(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3, times=3)
    assert reply.count(b"HTTP/1.1 200 OK") == 3
    assert reply.count(b"hello") == 3


@pytest.mark.parametrize(
    "request_, expected",
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"hello"),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b"content-length: 5"),
        (b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"\r\n\r\n3"),
        (
            b"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            b"\r\n\r\n5",
        ),
        (
            b"PUT /count HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
            b"Content-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 100 Continue",
        ),
        (b"GET /written HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"second"),
        (b"GET /fail HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 500 "),
        (b"NONSENSE\r\n\r\n", b"HTTP/1.1 400 "),
    ],
)
def test_every_form_of_request_is_answered(
    address: Address, request_: bytes, expected: bytes
) -> None:
    assert expected in talk(address, request_, until=expected)


def test_the_environ_is_as_wsgi_wants_it_and_holds_nothing_of_the_process(
    application: Application, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(
        address,
        b"GET /b/%C3%A9/x%20y?q=%20z HTTP/1.1\r\n"
        b"Host: a\r\nx-CamEl: V\r\nContent-Type: t/u\r\n\r\n",
    )
    seen = application.seen
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/b/é/x y"
    assert seen["QUERY_STRING"] == "q=%20z"
    assert (seen["HTTP_X_CAMEL"], seen["CONTENT_TYPE"]) == ("V", "t/u")
    assert "PATH" not in seen


def test_a_gigabyte_up_and_megabytes_down_take_little_memory(
    application: Application, address: Address
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client = http.client.HTTPConnection(*address, timeout=60)
    piece = bytes(MEGABYTE)
    client.request("PUT", "/count", (piece for _ in range(1024)))
    assert client.getresponse().read() == str(1024 * MEGABYTE).encode()
    client.request("GET", "/stream")
    response = client.getresponse()
    total = 0
    while got := response.read(MEGABYTE):
        total += len(got)
    client.close()
    assert total == 64 * MEGABYTE
    assert application.closed.wait(60)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 100 * 1024


def test_a_client_that_leaves_mid_stream_ends_the_stream(
    application: Application, address: Address
) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(100)
    assert application.closed.wait(60)


def test_stopping_waits_for_a_request_under_way_and_closes_idle_connections(
    application: Application, server: Server, address: Address
) -> None:
    idle = http.client.HTTPConnection(*address, timeout=60)
    idle.request("GET", "/")
    idle.getresponse().read()
    replies: list[bytes] = []
    caller = threading.Thread(
        target=lambda: replies.append(
            talk(address, b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", until=b"waited")
        )
    )
    caller.start()
    assert application.entered.wait(60)
    stopper = threading.Thread(target=server.stop, args=(10,))
    stopper.start()
    assert idle.sock.recv(1) == b""
    idle.close()
    assert stopper.is_alive()
    application.release.set()
    for thread in (stopper, caller):
        thread.join(60)
    assert b"waited" in replies[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=60)
    with pytest.raises(OSError, match="the server is stopped"):
        server.listen("127.0.0.1", 0)


def test_stopping_gives_up_on_a_request_that_outlives_the_grace(
    application: Application, server: Server, address: Address
) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert application.entered.wait(60)
        assert not server.stop(0.2)
        application.release.set()
        client.settimeout(60)
        assert client.recv(100)

"""The TLS proxy over real sockets: what clients of AWS and of everybody else may rely on."""

import http.client
import resource
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from proxied import BUCKET_HOST, MEGABYTE, STS_HOST, Proxied, answer, running, serving

from emulator.proxy import Proxy
from emulator.proxy.authority import Authority
from emulator.proxy.outward import Outward, way_out

Body = bytes | Iterator[bytes] | None


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch, serving() as emulator:
        for name in ("https_proxy", "HTTPS_PROXY"):
            patch.delenv(name, raising=False)
        with running(state, emulator) as proxied:
            yield proxied


def fetched(client: http.client.HTTPConnection, method: str, path: str, body: Body = None) -> bytes:
    client.request(method, path, body)
    reply = client.getresponse()
    assert reply.status == 200
    return reply.read()


def ended(connection: socket.socket) -> bool:
    """Wait until the other side ends the connection, in whatever way."""
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass  # cut off
    return True


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection on a port of this machine, as a host that is not AWS's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
        assert not thread.is_alive()


# Hosts of AWS.


@pytest.mark.parametrize(
    "host, path, seen",
    [
        (BUCKET_HOST, "/", "/bucket/?"),
        (BUCKET_HOST, "/a/b%20c?list-type=2", "/bucket/a/b c?list-type=2"),
        ("with.dots.s3.amazonaws.com", "//a", "/with.dots//a?"),
        ("s3.us-west-2.amazonaws.com", "/bucket/a?b=/c", "/bucket/a?b=/c"),
        (STS_HOST, "/", "/?"),
        ("runtime.sagemaker.us-east-1.amazonaws.com", "/endpoints/e/invocations", None),
    ],
)
def test_requests_reach_the_emulator_with_the_bucket_in_their_path(
    proxied: Proxied, host: str, path: str, seen: str | None
) -> None:
    with proxied.client(host) as client:
        assert fetched(client, "GET", path) == answer(f"GET {seen or path + '?'}")


@pytest.mark.parametrize("host, before", [(BUCKET_HOST, "/bucket"), (STS_HOST, "")])
def test_one_connection_carries_requests_of_every_framing(
    proxied: Proxied, host: str, before: str
) -> None:
    body = bytes(range(256)) * 5000
    with proxied.client(host) as client:
        for _ in range(2):
            assert fetched(client, "GET", "/a") == answer(f"GET {before}/a?")
            assert fetched(client, "PUT", "/b", body) == answer(f"PUT {before}/b?", body)
            pieces = iter([b"x", body, b"\r\n"])
            reply = answer(f"PUT {before}/c?", b"x" + body + b"\r\n")
            assert fetched(client, "PUT", "/c", pieces) == reply
            assert fetched(client, "DELETE", "/d") == answer(f"DELETE {before}/d?")


def test_chunk_extensions_and_trailers_pass(proxied: Proxied) -> None:
    with closing(proxied.tls(BUCKET_HOST)) as client:
        client.sendall(
            b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"A;chunk-signature=1\r\n0123456789\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\n\r\n"
            b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        replies = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer("PUT /bucket/a?", b"0123456789") in replies
    assert replies.endswith(answer("GET /bucket/b?"))


def test_a_client_may_wait_for_100_continue(proxied: Proxied) -> None:
    with closing(proxied.tls(BUCKET_HOST)) as client:
        for _ in range(2):
            client.sendall(
                b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            )
            assert client.recv(65536).startswith(b"HTTP/1.1 100 Continue")
            client.sendall(b"body")
            assert client.recv(65536).endswith(answer("PUT /bucket/a?", b"body"))


def test_a_client_may_send_one_byte_at_a_time(proxied: Proxied) -> None:
    request = (
        b"PUT /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    with closing(proxied.tls(BUCKET_HOST)) as client:
        for byte in request:
            client.sendall(bytes([byte]))
        assert client.recv(65536).endswith(answer("PUT /bucket/slow?", b"abc"))


@pytest.mark.parametrize("host", [BUCKET_HOST, STS_HOST])
def test_bodies_stream_both_ways_in_little_memory(proxied: Proxied, host: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    piece = bytes(MEGABYTE)
    with proxied.client(host) as client:
        client.request("PUT", "/big", (piece for _ in range(192)))
        assert f" {192 * MEGABYTE} ".encode() in client.getresponse().read()
        client.request("GET", "/stream")
        reply = client.getresponse()
        assert sum(map(len, iter(lambda: reply.read(MEGABYTE), b""))) == 64 * MEGABYTE
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 48 * 1024  # KiB


def test_fifty_at_once_are_served_beside_clients_that_read_nothing(proxied: Proxied) -> None:
    stuck = [proxied.tls(host) for host in (BUCKET_HOST, STS_HOST) for _ in range(5)]
    for client in stuck:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    silent = [proxied.connected() for _ in range(10)]

    def ask(number: int) -> None:
        with proxied.client(BUCKET_HOST) as client:
            for turn in range(4):
                found = fetched(client, "GET", f"/{number}/{turn}")
                assert found == answer(f"GET /bucket/{number}/{turn}?")

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(ask, range(50)))
    for client in [*stuck, *silent]:
        client.close()


def test_the_end_of_a_reply_without_length_arrives(proxied: Proxied) -> None:
    with closing(proxied.tls(STS_HOST)) as client:
        client.sendall(b"GET /a HTTP/1.0\r\n\r\n")
        whole = b"".join(iter(lambda: client.recv(65536), b""))
    assert whole.endswith(answer("GET /a?"))


@pytest.mark.parametrize(
    "request_head",
    [
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n",
        b"PUT /a HTTP/1.1\r\nX: " + b"y" * 300_000,
    ],
)
def test_what_is_not_http_ends_its_own_connection_alone(
    proxied: Proxied, request_head: bytes
) -> None:
    with proxied.client(BUCKET_HOST) as other, closing(proxied.tls(BUCKET_HOST)) as client:
        assert fetched(other, "GET", "/a")
        client.sendall(request_head)
        assert ended(client)
        assert fetched(other, "GET", "/b")


# Names and trust.


def test_the_certificate_is_for_the_host_of_connect_whatever_name_a_client_asks_for(
    proxied: Proxied,
) -> None:
    with closing(proxied.tls(STS_HOST)) as client:
        assert (client.getpeercert() or {})["subjectAltName"] == (("DNS", STS_HOST),)
    for forged in ("www.example.com", "iam.amazonaws.com"):
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            proxied.tls(STS_HOST, name=forged)


def test_a_client_that_does_not_trust_it_is_told_where_the_bundle_is(
    proxied: Proxied, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "emulator.proxy")
    with closing(proxied.tunnel(STS_HOST)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname=STS_HOST)
    with proxied.client(STS_HOST) as client:
        assert fetched(client, "GET", "/")
    assert "ca-bundle.pem" in caplog.text


# Every other host.


def test_tls_of_other_hosts_passes_untouched(proxied: Proxied, tmp_path: Path) -> None:
    theirs = Authority(tmp_path, ("example.org",))

    def serve(connection: socket.socket) -> None:
        with theirs.context("www.example.org").wrap_socket(connection, server_side=True) as tls:
            tls.sendall(tls.recv(100).upper())

    trusting_them_alone = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with listening(serve) as port:
        plain = proxied.tunnel("127.0.0.1", port)
        name = "www.example.org"
        with trusting_them_alone.wrap_socket(plain, server_hostname=name) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"HELLO"


def test_a_client_may_end_its_half_and_still_be_answered(proxied: Proxied) -> None:
    def serve(connection: socket.socket) -> None:
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        connection.sendall(b"%d" % len(received))

    with listening(serve) as port, proxied.tunnel("127.0.0.1", port) as client:
        client.sendall(bytes(5 * MEGABYTE))
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(100), b"")) == b"%d" % (5 * MEGABYTE)


def test_a_host_that_speaks_first_is_heard(proxied: Proxied) -> None:
    with (
        listening(lambda connection: connection.sendall(b"220 hello\r\n")) as port,
        proxied.tunnel("127.0.0.1", port) as client,
    ):
        assert client.recv(100) == b"220 hello\r\n"


@pytest.mark.parametrize(
    "request_head, status",
    [
        ("CONNECT 127.0.0.1:1 HTTP/1.1", 502),
        ("CONNECT [::1]:1 HTTP/1.1", 502),
        (f"CONNECT {'a' * 70}.example:443 HTTP/1.0", 502),
        ("CONNECT nobody.invalid:443 HTTP/1.0", 502),
        ("CONNECT example.org HTTP/1.1", 400),
        ("CONNECT example.org:http HTTP/1.1", 400),
        ("CONNECT example.org:65536 HTTP/1.1", 400),
        ("GET http://example.org/ HTTP/1.1", 405),
        ("GET / HTTP/1.1", 405),
    ],
)
def test_what_cannot_be_tunnelled_is_refused_in_words(
    proxied: Proxied, request_head: str, status: int
) -> None:
    with proxied.connected() as client:
        client.sendall(f"{request_head}\r\nHost: x\r\n\r\n".encode())
        reply = b"".join(iter(lambda: client.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert reply.partition(b"\r\n\r\n")[2].endswith(b"\n")


@pytest.mark.parametrize(
    "says, seen",
    [
        (b"HTTP/1.1 200 OK\r\nVia: them\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 407 Login\r\n\r\n", b"through the proxy 127.0.0.1"),
        (b"", b"HTTP/1.1 502 Bad Gateway"),
    ],
)
def test_other_hosts_are_reached_through_the_proxy_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: bytes, seen: bytes
) -> None:
    asked: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(says)

    with serving() as emulator, listening(serve) as theirs:
        monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{theirs}/")
        monkeypatch.setenv("no_proxy", ".corp.example,*.localhost, 127.0.0.1")
        with running(tmp_path, emulator) as proxied:
            with proxied.client(STS_HOST) as client:
                assert fetched(client, "GET", "/a") == answer("GET /a?")
            with proxied.connected() as client:
                client.sendall(b"CONNECT www.example.org:443 HTTP/1.1\r\n\r\n")
                assert seen in b"".join(iter(lambda: client.recv(65536), b""))
            with proxied.connected() as client:
                client.sendall(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")
                assert b"proxy 127" not in b"".join(iter(lambda: client.recv(65536), b""))
    login = b64encode(b"me:p@ss")
    head = b"CONNECT www.example.org:443 HTTP/1.1\r\nHost: www.example.org:443\r\n"
    assert asked == [head + b"Proxy-Authorization: Basic " + login + b"\r\n\r\n"]


def test_a_shell_that_has_our_proxy_does_not_lead_it_to_itself() -> None:
    ours = "http://127.0.0.1:4611"
    assert way_out({"HTTPS_PROXY": ours}, besides=ours) == Outward()
    assert way_out({"HTTPS_PROXY": "https://them:1"}, besides=ours) == Outward()
    theirs = way_out({"HTTPS_PROXY": "them.example", "NO_PROXY": "*, ,.a"}, besides=ours)
    assert theirs == Outward("them.example", 80, "", ("*", "a"))


def test_without_the_emulator_an_aws_host_is_a_bad_gateway(tmp_path: Path) -> None:
    with (
        running(tmp_path, ("127.0.0.1", 1)) as proxied,
        proxied.client(STS_HOST) as client,
        pytest.raises(OSError, match="Tunnel connection failed: 502"),
    ):
        client.request("GET", "/")


# The end.


def test_stopping_ends_every_tunnel_and_the_port(tmp_path: Path) -> None:
    before = threading.active_count()
    with serving() as emulator, running(tmp_path, emulator) as proxied:
        port = proxied.port
        idle = [proxied.tls(BUCKET_HOST), proxied.tls(STS_HOST)]
        with proxied.connected() as silent:
            proxied.proxy.stop()
            proxied.proxy.stop()
            assert not silent.recv(1)
        for client in idle:
            with closing(client):
                assert ended(client)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=60)
    assert threading.active_count() == before


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = Proxy(tmp_path, taken.getsockname(), ("127.0.0.1", 1))
        with pytest.raises(OSError, match="in use"):
            proxy.start()
        proxy.stop()

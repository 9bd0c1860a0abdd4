"""What the proxy's tests share: an application behind it, and clients that go through it."""

import hashlib
import http.client
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.proxy import Proxy, trust
from emulator.serving import Server

BUCKET_HOST = "bucket.s3.us-west-2.amazonaws.com"
STS_HOST = "sts.us-west-2.amazonaws.com"
MEGABYTE = 2**20


def application(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer with what arrived: method, path, query, and the body's size and digest.

    `/…/stream` answers 64 MB of zeros instead.
    """
    digest, size = hashlib.sha256(), 0
    while chunk := environ["wsgi.input"].read(MEGABYTE):
        digest.update(chunk)
        size += len(chunk)
    if environ["PATH_INFO"].endswith("/stream"):
        start_response("200 OK", [("Content-Length", str(64 * MEGABYTE))])
        return (bytes(MEGABYTE) for _ in range(64))
    where = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
    body = f"{where} {size} {digest.hexdigest()[:8]}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def answer(where: str, body: bytes = b"") -> bytes:
    """Return what the application answers to a request at `where` with this body."""
    return f"{where} {len(body)} {hashlib.sha256(body).hexdigest()[:8]}".encode()


@dataclass
class Proxied:
    """A proxy and the state directory that its clients trust."""

    proxy: Proxy
    state: Path

    @property
    def port(self) -> int:
        return int(self.proxy.url.rpartition(":")[2])

    @property
    def trusting(self) -> ssl.SSLContext:
        """Return a client's TLS that trusts the bundle, as strictly as Python can be."""
        context = ssl.create_default_context(cafile=trust.bundle_file(self.state))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        return context

    def connected(self) -> socket.socket:
        """Return a connection to the proxy itself."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def tunnel(self, host: str, port: int = 443) -> socket.socket:
        """Return a connection through the proxy, in plain."""
        connection = self.connected()
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.0\r\n\r\n".encode())
        # No byte more: what follows is the host's.
        established = b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert connection.recv(len(established), socket.MSG_WAITALL) == established
        return connection

    def tls(self, host: str, name: str = "") -> ssl.SSLSocket:
        """Return a connection to an AWS host whose certificate is good for `name` or the host."""
        plain = self.tunnel(host)
        try:
            return self.trusting.wrap_socket(plain, server_hostname=name or host)
        except BaseException:
            plain.close()
            raise

    @contextmanager
    def client(self, host: str) -> Iterator[http.client.HTTPSConnection]:
        """Open an HTTP client whose one connection goes through the proxy."""
        client = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self.trusting, timeout=30
        )
        client.set_tunnel(host, 443)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def running(state: Path, emulator: tuple[str, int]) -> Iterator[Proxied]:
    """Run a proxy for this emulator."""
    proxy = Proxy(state, ("127.0.0.1", 0), emulator)
    proxy.start()
    try:
        yield Proxied(proxy, state)
    finally:
        proxy.stop()


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """Serve the application; gives its address."""
    server = Server(application, [("127.0.0.1", 0)])
    server.start()
    try:
        yield server.addresses[0]
    finally:
        server.stop()

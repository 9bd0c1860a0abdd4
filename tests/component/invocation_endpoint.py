"""What the invocation tests share: a container on a real socket, and an endpoint before it.

The container's every reply is a function of the test, so it can misbehave in any way a server can.
"""

import contextlib
import http.client
import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

from emulator.call import Scope
from emulator.errors import ServiceError
from emulator.inference.proxy import Invocations, Limits
from emulator.protocol.serialize import failure
from emulator.routing import Route, RoutingTable, Target, Variant
from emulator.serving import Server

SCOPE = Scope("123456789012", "us-west-2")
NAME = "X-Amzn-SageMaker-"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Exchange:
    """What one request looked like to the container, and the socket to answer on."""

    def __init__(self, connection: socket.socket, head: bytes, body: bytes, number: int) -> None:
        self.connection = connection
        self.head = head.decode("latin-1")
        self.body = body
        self.number = number

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.sendall(part)

    def reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class Container:
    """A server on a real socket whose every reply is a function of the test.

    Args:
        answer: called for each request; the connection is kept as long as it returns True.
        reads_body: False to leave the request body in the socket.
    """

    def __init__(self, answer: Callable[[Exchange], object], *, reads_body: bool = True) -> None:
        self._answer = answer
        self._reads_body = reads_body
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.requests = 0
        self.connections: list[socket.socket] = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def target(self, name: str = "i-1") -> Target:
        return Target("127.0.0.1", self.port, instance_id=name)

    def drop_idle(self) -> None:
        """Close every connection, as a server does with those that idle for too long."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections = []

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_idle()
        for thread in self.threads:
            thread.join(60)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(1 if not self._reads_body else 65536)
                    if not piece:
                        return
                    head += piece
                head, _, body = head.partition(b"\r\n\r\n")
                if self._reads_body:
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    while len(body) < length:
                        body += connection.recv(1 << 20)
                self.requests += 1
                if not self._answer(Exchange(connection, head, body, self.requests)):
                    return


def echo(exchange: Exchange) -> bool:
    length = str(len(exchange.body)).encode()
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: " + length + b"\r\n\r\n",
        exchange.body,
    )
    return True


def always(*parts: bytes, keep: bool = True) -> Callable[[Exchange], bool]:
    def answer(exchange: Exchange) -> bool:
        exchange.send(*parts)
        return keep

    return answer


class Endpoint:
    """Invocations behind the real server, with a routing table that the test writes."""

    def __init__(
        self, limits: Limits | None = None, draw: Callable[[], float] = random.random
    ) -> None:
        self.table = RoutingTable()
        self.invocations = Invocations(self.table, limits, draw)
        self.server = Server(self._answer)
        self.address = self.server.listen("127.0.0.1", 0)

    def publish(self, *variants: Variant) -> None:
        self.table.publish(Route(SCOPE, "ep", variants))

    def serve(self, *targets: Target) -> None:
        self.publish(Variant("AllTraffic", 1.0, targets))

    def close(self) -> None:
        self.server.stop(5)
        self.invocations.close()

    def client(self) -> "Client":
        return Client(self.address)

    def invoke(
        self, body: Any = b"x", headers: dict[str, str] | None = None, *, path: str | None = None
    ) -> "Answer":
        with contextlib.closing(self.client()) as client:
            return client.invoke(body, headers, path=path)

    def _answer(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            return self.invocations.handle(SCOPE, environ, start_response)
        except ServiceError as error:
            reply = failure(error, "an-id")
            start_response(f"{reply.status} Error", reply.headers)
            return [reply.body]


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def error(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def code(self) -> str | None:
        return self.headers.get("x-amzn-errortype")


class Client:
    """A caller on one kept connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=60)

    def invoke(
        self, body: Any = b"x", headers: dict[str, str] | None = None, *, path: str | None = None
    ) -> Answer:
        self._connection.request("POST", path or "/endpoints/ep/invocations", body, headers or {})
        return Answer(self._connection.getresponse())

    def close(self) -> None:
        self._connection.close()

"""A container that says more than its reply must not spoil the next one, nor change a header."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from invocation_endpoint import NAME, Container, Endpoint, Exchange, echo

from emulator.inference.proxy import Limits

CUSTOM = NAME + "Custom-Attributes"
STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def container() -> Iterator[Callable[[Callable[[Exchange], object]], Container]]:
    made: list[Container] = []

    def start(answer: Callable[[Exchange], object]) -> Container:
        made.append(Container(answer))
        return made[-1]

    yield start
    for each in made:
        each.close()


Start = Callable[[Callable[[Exchange], object]], Container]


class SpoiledFirst:
    """Answers the first request with the reply of a test, whose rest it sends when asked again.

    So the rest arrives when the connection, if it was kept, has passed for idle and whole.
    """

    def __init__(self, first: bytes, rest: bytes) -> None:
        self._first = first
        self._rest = rest
        self._spoiled: list[socket.socket] = []

    def __call__(self, exchange: Exchange) -> bool:
        if exchange.number == 1:
            self._spoiled.append(exchange.connection)
            exchange.send(self._first)
            return True
        if exchange.connection in self._spoiled:
            exchange.send(self._rest)
        return echo(exchange)


@pytest.mark.parametrize(
    "first, rest, status",
    [
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", b"{}", 200),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"{}", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", STRAY, 200),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", b"{}", 424),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", STRAY, 424),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", b"\x00\x01", 424),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\n\r\n",
            STRAY,
            200,
        ),
    ],
)
def test_what_comes_after_a_reply_never_becomes_the_next_one(
    endpoint: Endpoint, container: Start, first: bytes, rest: bytes, status: int
) -> None:
    endpoint.serve(container(SpoiledFirst(first, rest)).target())
    assert endpoint.invoke(b"first").status == status
    for body in (b"second", b"third"):
        answer = endpoint.invoke(body)
        assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n" + STRAY,
        b"HTTP/1.1 304 Not Modified\r\n\r\n" + STRAY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + STRAY,
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok" + STRAY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + STRAY,
    ],
)
def test_bytes_that_come_with_a_reply_are_thrown_away(
    endpoint: Endpoint, container: Start, first: bytes
) -> None:
    endpoint.serve(container(SpoiledFirst(first, b"")).target())
    assert b"another" not in endpoint.invoke(b"first").body
    for body in (b"second", b"third"):
        answer = endpoint.invoke(body)
        assert (answer.status, answer.body) == (200, body)


def test_a_reply_that_comes_after_its_time_is_nobodys(container: Start) -> None:
    given_up = threading.Event()

    def answer(exchange: Exchange) -> bool:
        if exchange.number == 2:
            given_up.wait(20)  # on a connection that has served one call well
        return echo(exchange)

    hasty = Endpoint(Limits(seconds=2))
    try:
        hasty.serve(container(answer).target())
        assert hasty.invoke(b"first").body == b"first"
        assert "timed out" in hasty.invoke(b"second").error["Message"]
        given_up.set()
        for body in (b"third", b"fourth"):
            assert hasty.invoke(body).body == body
    finally:
        given_up.set()
        hasty.close()


def test_a_refusal_before_the_body_was_read_leaves_no_half_read_connection(
    endpoint: Endpoint, container: Start
) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
    over = threading.Event()

    def refuse(exchange: Exchange) -> None:
        exchange.send(refusal)
        over.wait(20)

    refusing = Container(refuse, reads_body=False)
    try:
        endpoint.serve(refusing.target())
        for _ in range(2):
            answer = endpoint.invoke(b"x" * 6_000_000)
            assert (answer.status, answer.error["OriginalStatusCode"]) == (424, 413)
        assert len(refusing.connections) == 2
        endpoint.serve(container(echo).target())
        assert endpoint.invoke(b"next").body == b"next"
    finally:
        over.set()
        refusing.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_a_reply_whose_end_is_doubtful_is_no_reply(
    endpoint: Endpoint, container: Start, reply: bytes
) -> None:
    def answer(exchange: Exchange) -> bool:
        return echo(exchange) if exchange.number > 1 else bool(exchange.send(reply))

    endpoint.serve(container(answer).target())
    failed = endpoint.invoke()
    assert (failed.status, failed.code) == (424, "ModelError")
    assert endpoint.invoke(b"next").body == b"next"


def test_good_replies_share_one_connection(endpoint: Endpoint, container: Start) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    for _ in range(3):
        assert endpoint.invoke().status == 200
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    "sent, received",
    [
        ("naïve café 日本".encode(), "naïve café 日本".encode()),
        ("à".encode(), "à".encode()),  # ends with a byte that is a blank in Latin-1
        (b"caf\xe9", "café".encode()),  # not UTF-8, which is all that the server can send
        (b"a\tb", b"a\tb"),
        (b"a\x01b\x7fc\nd", b"a b c d"),
        (b"one\r\n two", b"one two"),
        (b"", b""),
    ],
)
def test_a_containers_header_bytes_come_back(
    endpoint: Endpoint, container: Start, sent: bytes, received: bytes
) -> None:
    def answer(exchange: Exchange) -> bool:
        exchange.send(
            b"HTTP/1.1 200 OK\r\n" + CUSTOM.encode() + b": " + sent + b"\r\n",
            b"Content-Type: text/plain; name=" + sent + b"\r\nContent-Length: 2\r\n\r\nok",
        )
        return True

    endpoint.serve(container(answer).target())
    with socket.create_connection(endpoint.address, 10) as client:
        client.sendall(
            b"POST /endpoints/ep/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            b"Connection: close\r\n\r\n"
        )
        answered = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answered.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert headers[CUSTOM.lower().encode()] == received.lower()
    assert headers[b"content-type"] == b"text/plain; name=" + received.lower()
    assert body == b"ok"


@pytest.mark.parametrize("value", ["café".encode(), b"caf\xe9", "日本".encode()])
def test_attributes_that_are_not_ascii_are_refused_by_their_pattern(
    endpoint: Endpoint, container: Start, value: bytes
) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    answer = endpoint.invoke(b"x", {CUSTOM: value.decode("latin-1")})
    assert (answer.status, answer.code) == (400, "ValidationError")
    assert answer.error["Message"].startswith("1 validation error detected: Value '")
    assert answer.error["Message"].endswith(
        "' at 'customAttributes' failed to satisfy constraint: Member must satisfy regular"
        r" expression pattern: \p{ASCII}*"
    )
    assert server.requests == 0


def test_an_endpoints_name_that_is_not_ascii_is_refused_as_it_was_sent(endpoint: Endpoint) -> None:
    answer = endpoint.invoke(path="/endpoints/caf%C3%A9/invocations")
    assert (answer.status, answer.code) == (400, "ValidationError")
    assert answer.error["Message"].startswith(
        "1 validation error detected: Value 'café' at 'endpointName' failed to satisfy"
    )

"""InvokeEndpoint over real sockets, against containers that behave and that do not."""

import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from invocation_endpoint import NAME, OK, Container, Endpoint, Exchange, always, echo

from emulator.inference.proxy import Limits
from emulator.routing import Target, Variant


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def hasty() -> Iterator[Endpoint]:
    """An endpoint whose invocations may take half a second."""
    made = Endpoint(Limits(seconds=0.5))
    yield made
    made.close()


@pytest.fixture
def container() -> Iterator[Callable[..., Container]]:
    made: list[Container] = []

    def start(answer: Callable[[Exchange], object], **options: Any) -> Container:
        made.append(Container(answer, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


Start = Callable[..., Container]


@pytest.mark.parametrize("size", [0, 1, 1024, 65_536, 300_000, 6_291_456])
def test_any_bytes_pass_both_ways_unchanged(
    endpoint: Endpoint, container: Start, size: int
) -> None:
    endpoint.serve(container(echo).target())
    body = random.Random(size).randbytes(size)
    for _ in range(2):
        answer = endpoint.invoke(body, {"Content-Type": "application/octet-stream"})
        assert answer.status == 200
        assert answer.body == body
        assert answer.headers["content-length"] == str(size)


def test_a_chunked_request_reaches_the_container_with_its_length(
    endpoint: Endpoint, container: Start
) -> None:
    endpoint.serve(container(echo).target())
    assert endpoint.invoke(iter([b"a" * 10, b"b" * 100_000])).body == b"a" * 10 + b"b" * 100_000


@pytest.mark.parametrize(
    "reply, body, content_type",
    [
        (OK, b"ok", "text/plain"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\no\r\n01;x=y\r\nk\r\n0\r\nA: b\r\n\r\n",
            b"ok",
            None,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nok", b"ok", "a/b"),
        (b"HTTP/1.0 200 OK\r\n\r\nok", b"ok", None),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok", None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", None),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b"", None),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + OK,
            b"ok",
            "text/plain",
        ),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 60_000 + b"\r\nContent-Length: 2\r\n\r\nok",
            b"ok",
            None,
        ),
        (b"HTTP/1.1 200\r\nconnection: CLOSE\r\ncontent-length:2\r\n\r\nok", b"ok", None),
    ],
)
def test_every_form_of_a_good_reply_is_understood(
    endpoint: Endpoint, container: Start, reply: bytes, body: bytes, content_type: str | None
) -> None:
    marked = b"ontent-Length" in reply or b"chunked" in reply or b"204" in reply
    endpoint.serve(container(always(reply, keep=marked)).target())
    for _ in range(3):
        answer = endpoint.invoke()
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers.get("content-type") == content_type


def test_a_reply_that_arrives_byte_by_byte_is_whole(endpoint: Endpoint, container: Start) -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    endpoint.serve(container(always(*(bytes([byte]) for byte in reply))).target())
    assert [endpoint.invoke().body for _ in range(3)] == [b"ok"] * 3


@pytest.mark.parametrize(
    "reply, status",
    [
        (b"", 0),
        (b"HTTP/1.1 200 O", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", 200),
        (b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nok", 500),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nok", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0),
        (b"SSH-2.0-OpenSSH\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, 0),
    ],
)
def test_a_broken_reply_is_a_model_error_and_never_half_a_reply(
    endpoint: Endpoint, container: Start, reply: bytes, status: int
) -> None:
    server = container(always(reply, keep=False))
    endpoint.serve(server.target())
    answer = endpoint.invoke()
    assert (answer.status, answer.code) == (424, "ModelError")
    assert answer.error["OriginalStatusCode"] == status
    expected = "could not load the entire response body" if status else "could not get a response"
    assert expected in answer.error["Message"]
    assert server.requests == 1


def test_a_reset_instead_of_a_reply_is_a_model_error(endpoint: Endpoint, container: Start) -> None:
    server = container(lambda exchange: exchange.reset())
    endpoint.serve(server.target())
    assert endpoint.invoke().error["OriginalStatusCode"] == 0
    assert server.requests == 1


def test_a_container_that_refuses_connections_is_a_model_error(endpoint: Endpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    endpoint.serve(Target("127.0.0.1", port, instance_id="i-1"))
    answer = endpoint.invoke()
    assert answer.error["Message"] == (
        'Received server error (0) from primary with message "Amazon SageMaker could not get a'
        " response from the ep endpoint. This can occur when CPU or memory utilization is high. To"
        " check your utilization, see Amazon CloudWatch. To fix this problem, use an instance type"
        ' with more CPU capacity or memory.". See https://us-west-2.console.aws.amazon.com/'
        "cloudwatch/home?region=us-west-2#logEventViewer:group=/aws/sagemaker/Endpoints/ep in"
        " account 123456789012 for more information."
    )


@pytest.mark.parametrize("sent", [b"", OK[:-1], b"HTTP/1.1 200 OK\r\n\r\nendless"])
def test_a_reply_that_takes_too_long_is_a_timeout(
    hasty: Endpoint, container: Start, sent: bytes
) -> None:
    over = threading.Event()

    def stall(exchange: Exchange) -> None:
        exchange.send(sent)
        over.wait(120)

    hasty.serve(container(stall).target())
    began = time.monotonic()
    answer = hasty.invoke()
    took = time.monotonic() - began
    over.set()
    assert took > 0.4
    assert (answer.status, answer.code) == (424, "ModelError")
    assert answer.error["OriginalStatusCode"] == 0
    assert answer.error["Message"].startswith(
        'Received server error (0) from primary with message "Your invocation timed out while'
        " waiting for a response from container primary. Review the latency metrics for each"
        ' container in Amazon CloudWatch, resolve the issue, and try again.". See https://'
    )


def test_a_container_that_never_reads_a_large_body_is_a_timeout(
    hasty: Endpoint, container: Start
) -> None:
    over = threading.Event()
    hasty.serve(container(lambda _: over.wait(120), reads_body=False).target())
    answer = hasty.invoke(b"x" * 6_000_000)
    over.set()
    assert "timed out" in answer.error["Message"]


@pytest.mark.parametrize("keep", [True, False])
def test_an_answer_before_the_body_ends_is_passed_on(
    endpoint: Endpoint, container: Start, keep: bool
) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
    over, alone = threading.Event(), list[str]()

    def refuse(exchange: Exchange) -> None:
        exchange.send(refusal)
        if keep and not over.wait(120):
            alone.append("the container gave up")

    endpoint.serve(container(refuse, reads_body=False).target())
    answer = endpoint.invoke(b"x" * 6_000_000)
    over.set()
    assert alone == [], "the answer came before the container let go"
    # A container that closes with the body unread resets its own answer away, now and then.
    assert answer.error["OriginalStatusCode"] in ((413,) if keep else (413, 0))
    assert answer.code == "ModelError"


@pytest.mark.parametrize("status", [400, 404, 415, 500, 503, 302, 304])
def test_a_status_other_than_2xx_is_a_model_error_with_the_containers_words(
    endpoint: Endpoint, container: Start, status: int
) -> None:
    body = b"" if status == 304 else b"no"
    reply = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    endpoint.serve(container(always(reply)).target())
    answer = endpoint.invoke()
    assert (answer.status, answer.code) == (424, "ModelError")
    assert answer.error["OriginalStatusCode"] == status
    assert answer.error["OriginalMessage"] == body.decode()
    side = "client" if 400 <= status < 500 else "server"
    assert answer.error["Message"].startswith(
        f'Received {side} error ({status}) from primary with message "{body.decode()}". See https://'
    )


def test_headers_of_the_contract_pass_and_all_others_are_stripped(
    endpoint: Endpoint, container: Start
) -> None:
    seen: list[str] = []

    def answer(exchange: Exchange) -> bool:
        seen.extend(exchange.head.split("\r\n"))
        exchange.send(
            b"HTTP/1.1 200 OK\r\nServer: mine\r\nSet-Cookie: a=b\r\nX-Other: c\r\n"
            b"content-type: application/json\r\nX-Amzn-SageMaker-Custom-Attributes: back\r\n"
            b"X-Amzn-SageMaker-New-Session-Id: s1; Expires=2030-01-01T00:00:00Z\r\n"
            b"X-Amzn-SageMaker-Closed-Session-Id: s0\r\nContent-Length: 0\r\n\r\n"
        )
        return True

    server = container(answer)
    endpoint.serve(server.target())
    sent = {
        "Content-Type": "text/csv",
        "Accept": "application/json",
        NAME + "Custom-Attributes": "a=1;b=2",
        NAME + "Inference-Id": "id 1",
        NAME + "Session-Id": "NEW_SESSION",
        NAME + "Target-Variant": "AllTraffic",
        NAME + "Enable-Explanations": "`true`",
        "Authorization": "AWS4-HMAC-SHA256 secret",
        "User-Agent": "client",
        "Cookie": "c",
    }
    answer_ = endpoint.invoke(b"x", sent)
    assert sorted(seen) == sorted(
        [
            "POST /invocations HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "Content-Length: 1",
            "Content-Type: text/csv",
            "Accept: application/json",
            "X-Amzn-SageMaker-Custom-Attributes: a=1;b=2",
            "X-Amzn-SageMaker-Inference-Id: id 1",
            "X-Amzn-SageMaker-Session-Id: NEW_SESSION",
        ]
    )
    headers = answer_.headers
    assert headers.pop("x-amzn-requestid")
    assert {name for name in headers if name not in ("server", "date")} == {
        "content-length",
        "content-type",
        "x-amzn-invoked-production-variant",
        "x-amzn-sagemaker-custom-attributes",
        "x-amzn-sagemaker-new-session-id",
        "x-amzn-sagemaker-closed-session-id",
    }
    assert headers["x-amzn-invoked-production-variant"] == "AllTraffic"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "back"
    assert headers["server"] != "mine"


@pytest.mark.parametrize("headers", [{}, {"Content-Type": ""}])
def test_without_a_content_type_the_container_gets_none(
    endpoint: Endpoint, container: Start, headers: dict[str, str]
) -> None:
    seen: list[str] = []

    def answer(exchange: Exchange) -> bool:
        seen.append(exchange.head.lower())
        return echo(exchange)

    endpoint.serve(container(answer).target())
    assert endpoint.invoke(b"x", headers).status == 200
    assert "content-type" not in seen[0]


@pytest.mark.parametrize(
    "header, value, status, message",
    [
        (
            "Target-Model",
            "a.tar.gz",
            400,
            "Endpoint ep is not a multi-model endpoint and does not support target model header.",
        ),
        ("Target-Variant", "other", 400, "Variant other not found for Request "),
        (
            "Target-Variant",
            "-",
            400,
            "1 validation error detected: Value '-' at 'targetVariant' failed",
        ),
        ("Target-Container-Hostname", "c1", 400, "Endpoint ep is not a multi-container endpoint"),
        ("Inference-Component", "c1", 400, "Endpoint ep does not host inference components"),
        ("Custom-Attributes", "a" * 1025, 400, "1 validation error detected: Value 'aaa"),
        ("Inference-Id", "a" * 65, 400, "1 validation error detected: Value 'aaa"),
    ],
)
def test_a_header_that_cannot_be_honoured_is_refused(
    endpoint: Endpoint, container: Start, header: str, value: str, status: int, message: str
) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    answer = endpoint.invoke(b"x", {NAME + header: value})
    assert (answer.status, answer.code) == (status, "ValidationError")
    assert answer.error["Message"].startswith(message)
    assert server.requests == 0


@pytest.mark.parametrize(
    "path, status, code, message",
    [
        (
            "/endpoints/none/invocations",
            400,
            "ValidationError",
            "Endpoint none of account 123456789012 not found.",
        ),
        (
            "/endpoints/-bad/invocations",
            400,
            "ValidationError",
            "1 validation error detected: Value '-bad' at 'endpointName' failed to satisfy"
            " constraint: Member must satisfy regular expression pattern:"
            " ^[a-zA-Z0-9](-*[a-zA-Z0-9])*",
        ),
        (
            "/endpoints/ep/async-invocations",
            501,
            "OperationNotEmulated",
            "InvokeEndpointAsync is not emulated.",
        ),
        (
            "/endpoints/ep/invocations-response-stream",
            501,
            "OperationNotEmulated",
            "InvokeEndpointWithResponseStream is not emulated.",
        ),
        ("/endpoints/ep/other", 400, "UnknownOperationException", "Unknown operation"),
    ],
)
def test_a_path_without_an_invocation_behind_it_is_refused(
    endpoint: Endpoint, path: str, status: int, code: str, message: str
) -> None:
    answer = endpoint.invoke(path=path)
    said = answer.error.get("Message") or answer.error["message"]  # contract A1: by the code
    assert (answer.status, answer.code, said) == (status, code, message)


@pytest.mark.parametrize("size", [6_291_457, 20_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_readably(
    endpoint: Endpoint, container: Start, size: int, chunked: bool
) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    body = b"x" * size
    answer = endpoint.invoke(iter([body]) if chunked else body)
    assert (answer.status, answer.code) == (413, None)
    assert answer.error["Message"] == "HTTP content length exceeded 6291456 bytes."
    assert server.requests == 0


def test_a_client_that_leaves_mid_body_reaches_no_container(
    endpoint: Endpoint, container: Start
) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    with socket.create_connection(endpoint.address) as client:
        client.sendall(
            b"POST /endpoints/ep/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
        )
        client.shutdown(socket.SHUT_WR)
        assert select.select([client], [], [], 10)[0]
    assert endpoint.invoke(b"whole").body == b"whole"
    assert server.requests == 1


@pytest.mark.parametrize("variant", ["light", "idle"])
def test_target_variant_overrides_the_weights(
    endpoint: Endpoint, container: Start, variant: str
) -> None:
    server = container(echo)
    endpoint.publish(
        Variant("heavy", 9.0, (server.target("i-1"),)),
        Variant("light", 1.0, (server.target("i-2"),)),
        Variant("idle", 0.0, (server.target("i-3"),)),
    )
    for _ in range(5):
        answer = endpoint.invoke(b"x", {NAME + "Target-Variant": variant})
        assert answer.headers["x-amzn-invoked-production-variant"] == variant


def test_invocations_spread_over_the_targets_of_a_variant(
    endpoint: Endpoint, container: Start
) -> None:
    servers = [container(echo) for _ in range(3)]
    endpoint.serve(*(server.target(f"i-{i}") for i, server in enumerate(servers)))
    assert {endpoint.invoke().status for _ in range(12)} == {200}
    assert [server.requests for server in servers] == [4, 4, 4]


def test_a_variant_without_a_container_gives_no_response(endpoint: Endpoint) -> None:
    endpoint.serve()
    assert "could not get a response" in endpoint.invoke().error["Message"]

"""InvokeEndpoint while connections go stale, routes are swapped and containers are stopped."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from invocation_endpoint import OK, SCOPE, Container, Endpoint, Exchange, always, echo

from emulator.inference.proxy import Limits
from emulator.routing import Target, Variant

Start = Callable[[Callable[[Exchange], object]], Container]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint(Limits(seconds=20))
    yield made
    made.close()


@pytest.fixture
def container() -> Iterator[Start]:
    made: list[Container] = []

    def start(answer: Callable[[Exchange], object]) -> Container:
        made.append(Container(answer))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_thousand_invocations_over_connections_that_the_container_closed_all_succeed(
    endpoint: Endpoint, container: Start
) -> None:
    # It promises to keep the connection and closes it right after the reply.
    server = container(always(OK, keep=False))
    endpoint.serve(server.target())
    with contextlib.closing(endpoint.client()) as client:
        statuses = [client.invoke().status for _ in range(1000)]
    assert statuses == [200] * 1000
    assert server.requests == 1000


def test_idle_connections_dropped_all_at_once_fail_no_invocation(
    endpoint: Endpoint, container: Start
) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    with ThreadPoolExecutor(16) as threads:
        for _ in range(10):
            answers = list(threads.map(lambda _: endpoint.invoke(b"abc").body, range(32)))
            assert answers == [b"abc"] * 32
            server.drop_idle()


def test_a_kept_connection_that_breaks_before_the_reply_is_retried_once(
    endpoint: Endpoint, container: Start
) -> None:
    def answer(exchange: Exchange) -> bool:
        if exchange.number == 2:
            exchange.reset()
            return False
        return echo(exchange)

    server = container(answer)
    endpoint.serve(server.target())
    assert [endpoint.invoke(b"abc").status for _ in range(3)] == [200] * 3
    assert server.requests == 4


def test_a_kept_connection_that_breaks_within_the_reply_is_not_retried(
    endpoint: Endpoint, container: Start
) -> None:
    def answer(exchange: Exchange) -> bool:
        if exchange.number == 2:
            exchange.send(b"HTTP/1.1")
            return False
        return echo(exchange)

    server = container(answer)
    endpoint.serve(server.target())
    assert [endpoint.invoke(b"abc").status for _ in range(3)] == [200, 424, 200]
    assert server.requests == 3


def test_bytes_after_a_reply_spoil_only_their_own_connection(
    endpoint: Endpoint, container: Start
) -> None:
    server = container(always(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    endpoint.serve(server.target())
    assert [endpoint.invoke().body for _ in range(5)] == [b"ok"] * 5


def test_what_a_container_says_unasked_on_an_idle_connection_answers_nobody(
    endpoint: Endpoint, container: Start
) -> None:
    idle, said = threading.Event(), threading.Event()

    def answer(exchange: Exchange) -> bool:
        exchange.send(OK)
        if exchange.number == 1:
            idle.wait(60)
            exchange.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            said.set()
        return True

    endpoint.serve(container(answer).target())
    assert endpoint.invoke().body == b"ok"
    idle.set()
    assert said.wait(60)
    assert endpoint.invoke().body == b"ok"


def test_connections_are_kept_and_used_again(endpoint: Endpoint, container: Start) -> None:
    server = container(echo)
    endpoint.serve(server.target())
    for _ in range(20):
        assert endpoint.invoke(b"abc").status == 200
    assert len(server.connections) == 1


def test_sixteen_callers_at_once_each_get_their_own_answer(
    endpoint: Endpoint, container: Start
) -> None:
    endpoint.serve(container(echo).target("i-1"), container(echo).target("i-2"))

    def call(caller: int) -> bool:
        with contextlib.closing(endpoint.client()) as client:
            bodies = [f"{caller}-{i}".encode() * (1 + i * 50) for i in range(50)]
            return [client.invoke(body).body for body in bodies] == bodies

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(call, range(16)))


def test_a_closed_target_finishes_what_it_has_and_takes_nothing_new(
    endpoint: Endpoint, container: Start
) -> None:
    entered, release = threading.Event(), threading.Event()

    def wait(exchange: Exchange) -> bool:
        entered.set()
        release.wait(60)
        return echo(exchange)

    old = container(wait).target("i-old")
    endpoint.serve(old)
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(endpoint.invoke, b"slow")
        assert entered.wait(60)
        new = container(echo)
        endpoint.serve(new.target("i-new"))
        old.close()
        assert not old.drained(0.01)
        assert endpoint.invoke(b"next").body == b"next"
        assert new.requests == 1
        release.set()
        assert under_way.result(60).body == b"slow"
    assert old.drained(60)


def test_a_target_that_closes_just_when_chosen_makes_way_for_the_fresh_route(
    endpoint: Endpoint, container: Start
) -> None:
    old, new = container(echo), container(echo)

    class ClosesWhenChosen(Target):
        def enter(self) -> bool:
            endpoint.serve(new.target("i-new"))
            self.close()
            return super().enter()

    chosen = ClosesWhenChosen("127.0.0.1", old.port, instance_id="i-old")
    endpoint.serve(chosen)
    assert endpoint.invoke(b"abc").body == b"abc"
    assert (old.requests, new.requests, chosen.inflight) == (0, 1, 0)


def test_no_invocation_fails_while_routes_are_swapped_all_the_time(
    endpoint: Endpoint, container: Start
) -> None:
    servers = [container(echo) for _ in range(3)]
    endpoint.serve(servers[0].target())
    done = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        current: list[Target] = []
        while not done.is_set():
            fresh = [servers[(swaps + i) % 3].target(f"i-{swaps}-{i}") for i in range(2)]
            endpoint.publish(
                Variant("a", float(swaps % 2), (fresh[0],)), Variant("b", 1.0, (fresh[1],))
            )
            for target in current:
                target.close()
            for target in current:
                assert target.drained(60)
            current = fresh
            swaps += 1

    def call(_: int) -> list[int]:
        with contextlib.closing(endpoint.client()) as client:
            return [client.invoke(b"abc").status for _ in range(150)]

    with ThreadPoolExecutor(9) as threads:
        swapping = threads.submit(swap)
        statuses = [status for each in threads.map(call, range(8)) for status in each]
        done.set()
        swapping.result(60)
    assert statuses == [200] * 1200
    assert swaps > 20


def test_an_endpoint_withdrawn_during_calls_is_not_found_and_nothing_else(
    endpoint: Endpoint, container: Start
) -> None:
    target = container(echo).target()
    endpoint.serve(target)
    assert endpoint.invoke().status == 200
    endpoint.table.withdraw(SCOPE, "ep")
    target.close()
    assert endpoint.invoke().error["Message"] == "Endpoint ep of account 123456789012 not found."


def test_two_threads_per_direction_do_not_deadlock_on_large_bodies(
    endpoint: Endpoint, container: Start
) -> None:
    endpoint.serve(container(echo).target())
    body = bytes(5 * 1024 * 1024)
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda _: endpoint.invoke(body).body == body, range(8)))


def test_a_client_that_leaves_before_the_reply_costs_nobody_else(
    endpoint: Endpoint, container: Start
) -> None:
    target = container(echo).target()
    endpoint.serve(target)
    request = b"POST /endpoints/ep/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
    for _ in range(20):
        with socket.create_connection(endpoint.address) as client:
            client.sendall(request)
    assert endpoint.invoke(b"b").body == b"b"
    assert target.drained(60)

"""The routing table after a restart: who waits for a route, and for how long."""

import threading

import pytest

from emulator.call import Scope
from emulator.routing import Route, RoutingTable, Target, Variant

SCOPE = Scope("123456789012", "us-east-1")
SOON, NEVER = 10.0, 0.05


def route(*targets: Target) -> Route:
    return Route(SCOPE, "ep", (Variant("V1", 1.0, targets),))


def target() -> Target:
    return Target("127.0.0.1", 8080, instance_id="i-1")


@pytest.fixture
def table() -> RoutingTable:
    made = RoutingTable()
    made.expect(SCOPE, "ep")
    return made


def test_an_expected_route_is_waited_for(table: RoutingTable) -> None:
    published = route(target())
    later = threading.Timer(0.05, table.publish, [published])
    later.start()
    assert table.await_expected(SCOPE, "ep", SOON) is published
    later.join()


def test_any_other_endpoint_is_known_to_be_absent_at_once(table: RoutingTable) -> None:
    assert table.await_expected(SCOPE, "other", 3600.0) is None


def test_a_route_to_no_container_is_not_yet_the_expected_one(table: RoutingTable) -> None:
    table.publish(route())
    assert table.find(SCOPE, "ep") is None
    assert table.await_expected(SCOPE, "ep", NEVER) is None


def test_an_endpoint_that_has_come_back_may_lose_all_its_containers(table: RoutingTable) -> None:
    table.publish(route(target()))
    table.publish(route())
    assert table.find(SCOPE, "ep") == route()


def test_nobody_waits_for_an_endpoint_that_is_deleted_meanwhile(table: RoutingTable) -> None:
    later = threading.Timer(0.05, table.withdraw, [SCOPE, "ep"])
    later.start()
    assert table.await_expected(SCOPE, "ep", 3600.0) is None
    later.join()

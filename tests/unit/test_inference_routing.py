"""The choice of variant and target, without a socket."""

import pytest

from emulator.call import Scope
from emulator.inference.routing import choose_target, choose_variant, named_variant
from emulator.routing import Route, Target, Variant

SCOPE = Scope("123456789012", "us-west-2")


def target(name: str, *, inflight: int = 0, closed: bool = False) -> Target:
    made = Target("127.0.0.1", 8080, instance_id=name)
    made.inflight = inflight
    made.closed = closed
    return made


def route(*weights: float) -> Route:
    variants = (Variant(f"v{i}", weight, (target(f"i-{i}"),)) for i, weight in enumerate(weights))
    return Route(SCOPE, "ep", tuple(variants))


@pytest.mark.parametrize(
    "weights, draw, chosen",
    [
        ((1.0,), 0.99, "v0"),
        ((1.0, 3.0), 0.0, "v0"),
        ((1.0, 3.0), 0.2499, "v0"),
        ((1.0, 3.0), 0.25, "v1"),
        ((1.0, 3.0), 0.9999999, "v1"),
        ((0.0, 1.0), 0.0, "v1"),
        ((1.0, 0.0), 0.9999999999999999, "v0"),
        ((0.1, 0.2, 0.3), 0.9999999999999999, "v2"),
        ((0.0, 0.0), 0.0, "v0"),
        ((0.0, 0.0), 0.5, "v1"),
        ((0.0, 0.0), 0.9999999999999999, "v1"),
        ((0.0,), 0.5, "v0"),
    ],
)
def test_a_variant_is_chosen_by_its_share_of_the_weights(
    weights: tuple[float, ...], draw: float, chosen: str
) -> None:
    variant = choose_variant(route(*weights), draw)
    assert variant is not None
    assert variant.name == chosen


def test_shares_over_many_draws_follow_the_weights() -> None:
    names = [choose_variant(route(1.0, 2.0, 7.0), i / 1000).name for i in range(1000)]  # type: ignore[union-attr]
    assert [names.count(name) for name in ("v0", "v1", "v2")] == [100, 200, 700]


def test_a_variant_whose_targets_are_closed_takes_no_share() -> None:
    closing = Variant("old", 9.0, (target("i-0", closed=True),))
    serving = Variant("new", 1.0, (target("i-1"),))
    assert choose_variant(Route(SCOPE, "ep", (closing, serving)), 0.0) is serving
    assert choose_variant(Route(SCOPE, "ep", (closing,)), 0.0) is None
    assert choose_variant(Route(SCOPE, "ep", (closing, closing)), 0.0) is None
    assert choose_variant(Route(SCOPE, "ep", ()), 0.0) is None


def test_a_named_variant_is_found_whatever_its_weight() -> None:
    assert named_variant(route(1.0, 0.0), "v1").name == "v1"  # type: ignore[union-attr]
    assert named_variant(route(1.0, 0.0), "v2") is None


@pytest.mark.parametrize(
    "inflight, turn, chosen",
    [
        ((0, 0, 0), 0, 0),
        ((0, 0, 0), 1, 1),
        ((0, 0, 0), 5, 2),
        ((2, 1, 3), 0, 1),
        ((1, 0, 0), 0, 1),
        ((1, 0, 0), 2, 2),
        ((4,), 7, 0),
    ],
)
def test_the_least_busy_target_is_chosen_and_equals_take_turns(
    inflight: tuple[int, ...], turn: int, chosen: int
) -> None:
    targets = [target(f"i-{i}", inflight=n) for i, n in enumerate(inflight)]
    assert choose_target(targets, turn) is targets[chosen]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_closed_targets_are_never_chosen(count: int) -> None:
    assert choose_target([target(f"i-{i}", closed=True) for i in range(count)], 1) is None

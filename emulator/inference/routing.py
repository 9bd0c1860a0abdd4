"""Which container takes an invocation: pure choices over a route; no IO, no clock, no randomness.

Random numbers and turns enter as arguments. Nothing here counts an invocation in: a chosen target
may close at any moment, and `Target.enter` tells.
"""

from collections.abc import Sequence

from emulator.routing import Route, Target, Variant


def choose_variant(route: Route, draw: float) -> Variant | None:
    """Choose a variant with probability weight / sum of weights (contract C4).

    Variants without an open target take no part. If all others weigh zero, each has the same
    chance.

    Args:
        draw: a random number from 0 up to, not including, 1.
    """
    if len(route.variants) == 1:
        only = route.variants[0]
        return only if _is_open(only) else None
    candidates = [variant for variant in route.variants if _is_open(variant)]
    if not candidates:
        return None
    total = sum(variant.weight for variant in candidates)
    if total <= 0:
        return candidates[int(draw * len(candidates))]
    point = draw * total
    chosen = None
    for variant in candidates:
        if variant.weight > 0:
            chosen = variant
            point -= variant.weight
            if point < 0:
                break
    return chosen


def named_variant(route: Route, name: str) -> Variant | None:
    """Return the variant that TargetVariant names, whatever its weight."""
    return next((variant for variant in route.variants if variant.name == name), None)


def choose_target(targets: Sequence[Target], turn: int) -> Target | None:
    """Choose the open target with the fewest invocations under way; equals take turns.

    Args:
        turn: a number that grows with every choice.
    """
    if len(targets) == 1:
        return None if targets[0].closed else targets[0]
    chosen = None
    for offset in range(len(targets)):
        target = targets[(turn + offset) % len(targets)]
        if not target.closed and (chosen is None or target.inflight < chosen.inflight):
            chosen = target
    return chosen


def _is_open(variant: Variant) -> bool:
    return any(not target.closed for target in variant.targets)

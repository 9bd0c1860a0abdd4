"""Alternated repeats and medians: the only way two numbers of a shared machine compare."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        floor: what was compared with, in words.
        unit: of both numbers.
        ours, least: medians of the emulator and of the floor.
        spread: smallest and largest of ours.
        goal: the largest (or, if `more_is_better`, the smallest) ratio that is good.
    """

    name: str
    floor: str
    unit: str
    ours: float
    least: float
    spread: tuple[float, float]
    repeats: int
    goal: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.least if self.least else float("nan")

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        good = self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal
        sign = ">=" if self.more_is_better else "<="
        return f"{'ok' if good else 'MISS'} ({sign} {self.goal:g})"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


def compare(
    name: str,
    ours: Callable[[], float],
    floor: tuple[str, Callable[[], float]],
    *,
    unit: str = "ms",
    repeats: int = 5,
    goal: float | None = None,
    more_is_better: bool = False,
    warm: bool = False,
) -> Row:
    """Take both measurements by turns, after one of each that does not count.

    Args:
        warm: a measurement leaves out its own slow beginning, so that all count.
    """
    words, least = floor
    if not warm:
        least()
        ours()
    mine: list[float] = []
    other: list[float] = []
    for _ in range(repeats):
        other.append(least())
        mine.append(ours())
    return Row(
        name,
        words,
        unit,
        median(mine),
        median(other),
        (min(mine), max(mine)),
        repeats,
        goal,
        more_is_better,
    )


def milliseconds(action: Callable[[], object]) -> Callable[[], float]:
    """Return a measurement of how long the action takes."""

    def measured() -> float:
        began = time.perf_counter()
        action()
        return (time.perf_counter() - began) * 1000

    return measured


def until(
    ready: Callable[[], bool], what: str, seconds: float = 60.0, pause: float = 0.005
) -> None:
    """Poll until ready; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} within {seconds:g} s")
        time.sleep(pause)

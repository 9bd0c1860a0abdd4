"""What a metric's values come to, as SageMaker's metric summaries tell it; pure."""

from collections.abc import Callable
from math import fsum, sqrt

SUMMARIES = "MetricSummaries"
"""The member of a training job's document with the summaries of its metrics; no reply shows it."""


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values)


def _deviation(values: list[float]) -> float:
    # statistics.pstdev computes in fractions, at ten times the cost; a search asks for thousands.
    mean = _mean(values)
    return sqrt(_mean([(value - mean) ** 2 for value in values]))


STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Min": min,
    "Max": max,
    "Avg": _mean,
    "Count": len,
    "StdDev": _deviation,
    "Last": lambda values: values[-1],
}


def summarize(values: list[float]) -> dict[str, float]:
    """Return every statistic of values, of which there is at least one, in the order of time."""
    return {name: of(values) for name, of in STATISTICS.items()}

"""Metrics in log lines, by the regular expressions of a job's MetricDefinitions; pure."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


@dataclass(frozen=True)
class MetricDefinition:
    """One metric: its name, and the expression whose first group is its value (contract B10)."""

    name: str
    pattern: re.Pattern[str]


def from_request(definitions: Iterable[Mapping[str, str]]) -> list[MetricDefinition]:
    """Compile a request's ``MetricDefinitions``.

    An expression that Python cannot compile, or without a group, can never yield a value; it is
    logged and left out, because SageMaker runs such a job all the same.
    """
    compiled = []
    for definition in definitions:
        try:
            pattern = re.compile(definition["Regex"])
        except re.error as error:
            logger.warning("metric %s has a bad expression: %s", definition["Name"], error)
            continue
        if pattern.groups == 0:
            logger.warning("metric %s has an expression without a group", definition["Name"])
            continue
        compiled.append(MetricDefinition(definition["Name"], pattern))
    return compiled


def extract(definitions: Sequence[MetricDefinition], line: str) -> list[tuple[str, float]]:
    """Return every value that a line holds, in the order of the definitions.

    A match whose first group is no finite number in decimal digits is no value, so that a job
    whose loss becomes ``nan`` keeps the last number before that.
    """
    found = []
    for definition in definitions:
        for match in definition.pattern.finditer(line):
            # Python would take more for a number, such as nan and 1_000.
            if match[1] and _NUMBER.fullmatch(match[1]) and isfinite(value := float(match[1])):
                found.append((definition.name, value))
    return found

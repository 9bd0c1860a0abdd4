"""Metrics in log lines, by the regular expressions of a job's MetricDefinitions; pure."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

logger = logging.getLogger(__name__)


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

    A match whose first group is no number is no value.
    """
    found = []
    for definition in definitions:
        for match in definition.pattern.finditer(line):
            try:
                found.append((definition.name, float(match[1])))
            except (TypeError, ValueError):
                continue
    return found

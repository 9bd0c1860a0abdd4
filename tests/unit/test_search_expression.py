"""Whatever a search asks, it is answered or refused; its paths are the service model's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.errors import ValidationException
from emulator.operations.search_expression import condition, property_of
from emulator.protocol import model

SHAPES = model.sagemaker().shapes
RESULTS = [member["shape"] for member in SHAPES["SearchRecord"]["members"].values()]
OPERATORS = SHAPES["Operator"]["enum"]
COMPONENT = {
    "TrialComponentName": "c",
    "Status": {"PrimaryStatus": "Completed"},
    "CreationTime": 1.5,
    "Parameters": {"a.b": {"NumberValue": 1.0}, "NumberValue": {"StringValue": "inf"}},
    "Metrics": [{"MetricName": "m.Max", "Max": 2.0, "Last": 1.0, "Count": 2}],
    "Parents": [{"TrialName": "t", "ExperimentName": "e"}],
    "Tags": [{"Key": "k", "Value": "v"}],
    "Source": None,
}
words = st.sampled_from(
    [
        *COMPONENT,
        *("a", "b", "k", "m", "Max", "Count", "NumberValue", "StringValue", "Key", "Value"),
        *("PrimaryStatus", "TrialName", "SourceArn", "InputArtifacts", "", "x"),
    ]
)
values = st.sampled_from(["", "1", "1.5", "nan", "inf", "-1e999", "true", "v", "2020-01-01", "a,b"])


@given(
    st.lists(words, min_size=1, max_size=4).map(".".join),
    st.sampled_from(OPERATORS),
    st.none() | values,
)
def test_any_filter_is_answered_or_refused(path: str, operator: str, value: str | None) -> None:
    asked = {"Name": path, "Operator": operator} | ({} if value is None else {"Value": value})
    nested = {"NestedPropertyName": path, "Filters": [asked]}
    for expression in ({"Filters": [asked]}, {"NestedFilters": [nested]}):
        try:
            passes = condition(SHAPES, "TrialComponent", expression)
        except ValidationException:
            continue
        assert passes(COMPONENT) in (True, False)
        assert passes({}) is (operator in ("NotExists", "NotEquals") and "Filters" in expression)


def paths(shape: str, depth: int = 3) -> list[str]:
    """Return the paths that lead through a structure's members and those of its lists."""
    found = []
    for name, member in SHAPES[shape].get("members", {}).items():
        found.append(name)
        inner: Any = member["shape"]
        while SHAPES[inner]["type"] == "list":
            inner = SHAPES[inner]["member"]["shape"]
        if depth and SHAPES[inner]["type"] == "structure":
            found += [f"{name}.{rest}" for rest in paths(inner, depth - 1)]
    return found


@pytest.mark.parametrize("shape", RESULTS)
def test_every_path_of_the_model_is_a_property(shape: str) -> None:
    assert len(paths(shape)) > 5
    for path in paths(shape):
        prop = property_of(SHAPES, shape, path.upper())
        assert list(prop.values({})) == []
        with pytest.raises(ValidationException):
            property_of(SHAPES, shape, f"{path.split('.')[0]}X")


@pytest.mark.parametrize(
    "path, expected",
    [
        ("Parameters.a.b", [1.0]),
        ("Parameters.a.b.NumberValue", [1.0]),
        ("Parameters.NumberValue", ["inf"]),
        ("Metrics.m.Max", [1.0]),
        ("Metrics.m.Max.Max", [2.0]),
        ("Metrics.MetricName", ["m.Max"]),
        ("Source", []),
        ("Source.SourceArn", []),
    ],
)
def test_names_with_dots_and_names_like_members_are_found(path: str, expected: list[Any]) -> None:
    assert list(property_of(SHAPES, "TrialComponent", path).values(COMPONENT)) == expected

"""Values in log lines by regular expression (contract B10)."""

import pytest

from emulator.logs import extract, from_request


def values(expression: str, line: str) -> list[float]:
    definitions = from_request([{"Name": "m", "Regex": expression}])
    return [value for _, value in extract(definitions, line)]


@pytest.mark.parametrize(
    "expression, line, expected",
    [
        (r"Train_error=(.*?);", "Epoch 1 Train_error=0.25; Test_error=1;", [0.25]),
        (r"loss: ([0-9\.]+)", "loss: 0.5 - loss: 0.75", [0.5, 0.75]),
        (r"loss: ([0-9\.]+)", "no value", []),
        (r"loss=(\S+)", "loss=nothing", []),
        (r"v=(\S+)", "v=-1.5e-3", [-0.0015]),
        (r"(a)?b", "b", []),
        (r"loss=(\S+)", "loss=1 loss=nan loss=NaN", [1.0]),
        (r"loss=(\S+)", "loss=inf loss=-inf loss=Infinity loss=1e999", []),
        (r"loss=(\S+)", "loss=.5 loss=+5. loss=1E+2", [0.5, 5.0, 100.0]),
        (r"loss=(\S+)", "loss=1_000 loss=٣ loss=0x1 loss=1,5", []),
        (r"loss=(.*?);", "loss= 2 ;loss=;", [2.0]),
        (r"x=(\d+) y=(\d+)", "x=1 y=2", [1.0]),
        (r"no group", "no group", []),
        (r"broken(", "broken(", []),
    ],
)
def test_the_first_group_of_each_match_is_a_value(
    expression: str, line: str, expected: list[float]
) -> None:
    assert values(expression, line) == expected


def test_values_come_in_the_order_of_the_definitions() -> None:
    definitions = from_request(
        [{"Name": "b", "Regex": r"b=(\d)"}, {"Name": "a", "Regex": r"a=(\d)"}]
    )
    assert extract(definitions, "a=1 b=2") == [("b", 2.0), ("a", 1.0)]

"""What is refused is named as the service model names it."""

from typing import Any

import botocore.session
import pytest

from emulator.errors import ValidationException
from emulator.operations import endpoint_configs, endpoints, models, training_job_request
from emulator.operations.refusals import refuse_unemulated

TABLES = {
    "CreateTrainingJob": training_job_request.NOT_EMULATED,
    "CreateModel": models.NOT_EMULATED,
    "CreateEndpointConfig": endpoint_configs.NOT_EMULATED,
    "CreateEndpoint UpdateEndpoint UpdateEndpointWeightsAndCapacities": endpoints.NOT_EMULATED,
}
ENTRIES = [(names.split(), entry) for names, table in TABLES.items() for entry in table]


@pytest.fixture(scope="module")
def service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


@pytest.mark.parametrize("operations, entry", ENTRIES)
def test_every_refused_member_and_value_is_in_the_service_model(
    service: Any, operations: list[str], entry: str
) -> None:
    path, _, value = entry.partition("=")
    inputs = [service.operation_model(name).input_shape for name in operations]
    shape = next(shape for shape in inputs if path.partition(".")[0].strip("[]") in shape.members)
    for step in path.split("."):
        shape = shape.members[step.removesuffix("[]")]
        if step.endswith("[]"):
            shape = shape.member
    if value:
        assert value in shape.enum


TABLE = {
    "Outer.Inner": "Use another.",
    "List[].Deep.Inner=Bad": "",
}


@pytest.mark.parametrize(
    "request_, text",
    [
        ({"Outer": {"Inner": 1}}, "Outer.Inner is not emulated yet. Use another."),
        ({"Outer": {"Inner": {"Any": 0}}}, "Outer.Inner is not emulated yet. Use another."),
        (
            {"List": [{}, {"Deep": {"Inner": "Bad"}}]},
            "List[].Deep.Inner Bad is not emulated yet.",
        ),
    ],
)
def test_a_request_that_uses_an_entry_is_refused(request_: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationException) as refusal:
        refuse_unemulated(request_, TABLE)
    assert refusal.value.message == text


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"Outer": {}},
        {"Outer": {"Inner": False}},
        {"Outer": {"Inner": 0}},
        {"Outer": {"Inner": []}},
        {"List": []},
        {"List": [{"Deep": {"Inner": "Good"}}, {"Deep": {}}]},
    ],
)
def test_a_member_that_is_off_or_empty_is_not_used(request_: dict[str, Any]) -> None:
    refuse_unemulated(request_, TABLE)

"""The service model as it is installed, and what we say beside it."""

from emulator.protocol import model
from emulator.protocol.validate import ALSO_MATCHING, WIDENED, violations


def test_the_model_is_loaded_once() -> None:
    assert model.sagemaker() is model.sagemaker()


def test_the_model_has_the_whole_service() -> None:
    assert len(model.sagemaker().operations) >= 396


def test_every_widened_enum_is_an_enum_of_the_model_and_widened_for_a_reason() -> None:
    shapes = model.sagemaker().shapes
    for name, values in WIDENED.items():
        assert not set(values) & set(shapes[name]["enum"])
        for value in values:
            field = {"type": "structure", "members": {"It": {"shape": name}}}
            service = model.Service(operations={}, shapes={**shapes, "Holder": field})
            assert violations(service, "Holder", {"It": value}) == []


def test_every_pattern_that_is_not_alone_is_one_of_the_model() -> None:
    shapes = model.sagemaker().shapes
    assert all("pattern" in shapes[name] for name in ALSO_MATCHING)


def test_every_input_and_output_shape_can_be_checked() -> None:
    service = model.sagemaker()
    for operation in service.operations:
        shape = service.input_of(operation)
        if shape is not None:
            required = service.shapes[shape].get("required", [])
            assert len(violations(service, shape, {})) == len(required)

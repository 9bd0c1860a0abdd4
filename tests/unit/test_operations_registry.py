"""The table of handlers."""

import pytest

from emulator.operations import registry
from emulator.protocol import model, planes

MODEL = frozenset(model.sagemaker().operations)


def test_native_operations_are_of_the_model() -> None:
    assert set(registry.load()) - MODEL == planes.NATIVE - {"InvokeEndpoint"}


def test_a_second_handler_of_one_operation_is_an_error_at_import() -> None:
    registry.load()
    with pytest.raises(ValueError, match="two handlers answer DescribeModel"):
        registry.operation("DescribeModel")(lambda call, request: {})


def test_loading_twice_gives_the_same_table() -> None:
    assert dict(registry.load()) == dict(registry.load())

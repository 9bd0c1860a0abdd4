"""The table of handlers and the resources that are moto's."""

import pytest
from botocore import xform_name
from moto.sagemaker.responses import SageMakerResponse

from emulator.operations import registry
from emulator.operations.delegated import DELEGATED, RESOURCES, keeps_tags_of
from emulator.protocol import model

MODEL = frozenset(model.sagemaker().operations)


def test_native_operations_are_of_the_model() -> None:
    assert set(registry.load()) - MODEL == set()


def test_native_and_delegated_operations_are_apart() -> None:
    assert set(registry.load()) & DELEGATED == set()


@pytest.mark.parametrize("name", sorted(DELEGATED))
def test_every_delegated_operation_is_of_the_model_and_moto_has_it(name: str) -> None:
    assert name in MODEL
    assert hasattr(SageMakerResponse, xform_name(name))


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_a_delegated_resource_has_no_native_operation(resource: str) -> None:
    verbs = ("Create", "Describe", "Update", "Delete")
    native = set(registry.load())
    assert {f"{verb}{resource}" for verb in verbs} & native == set()
    assert {f"Create{resource}", f"Describe{resource}"} <= RESOURCES[resource].operations


def test_a_second_handler_of_one_operation_is_an_error_at_import() -> None:
    registry.load()
    with pytest.raises(ValueError, match="two handlers answer DescribeModel"):
        registry.operation("DescribeModel")(lambda call, request: {})


def test_loading_twice_gives_the_same_table() -> None:
    assert dict(registry.load()) == dict(registry.load())


@pytest.mark.parametrize(
    "resource, delegated",
    [
        ("experiment/a", True),
        ("experiment-trial-component/a", True),
        ("model-package-group/a", True),
        ("model-package/a/1", False),
        ("model/a", False),
        ("training-job/a", False),
        ("experiment", False),
        ("experiment/a/b", False),
        ("", False),
    ],
)
def test_tags_go_where_the_resource_is(resource: str, delegated: bool) -> None:
    assert keeps_tags_of(f"arn:aws:sagemaker:us-east-1:123456789012:{resource}") is delegated

"""The table of GPU instances covers what the service model knows, and no CPU instance."""

import botocore.session
import pytest

from emulator.launch.contract.gpus import FAMILIES, has_gpus

# The families of the model that have no GPU, by what they have instead.
_CPU = {"c", "m", "r", "t"}
_OTHER_ACCELERATORS = {"dl", "inf", "trn"}


def _families() -> set[str]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    shapes = ("TrainingInstanceType", "ProductionVariantInstanceType")
    return {kind.split(".")[1] for name in shapes for kind in model.shape_for(name).enum}


def test_every_family_of_the_model_is_known() -> None:
    for family in _families():
        letters = family[: next(i for i, character in enumerate(family) if character.isdigit())]
        has_none = letters in _CPU | _OTHER_ACCELERATORS
        assert has_none != (family in FAMILIES), family


@pytest.mark.parametrize(
    "instance_type, expected",
    [
        ("ml.p2.xlarge", True),
        ("ml.p3.2xlarge", True),
        ("ml.g4dn.xlarge", True),
        ("ml.p6-b200.48xlarge", True),
        ("local_gpu", True),
        ("local", False),
        ("ml.m5.large", False),
        ("ml.c6g.large", False),
        ("ml.r6gd.large", False),
        ("", False),
    ],
)
def test_a_type_has_gpus_by_its_family(instance_type: str, expected: bool) -> None:
    assert has_gpus(instance_type) is expected

"""The service model as it is installed, and what we say beside it."""

import tomllib
from pathlib import Path

import pytest

from emulator.errors import PermanentError
from emulator.protocol import botocore_data, model
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


@pytest.fixture
def botocore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a botocore of the test's own says its version."""
    monkeypatch.setattr(botocore_data, "folder", lambda: tmp_path / "data")
    return tmp_path / "__init__.py"


@pytest.mark.parametrize("version", ["1.31.85", "1.40.99", "0.99.0"])
def test_a_botocore_that_is_too_old_is_refused_with_the_mend(version: str, botocore: Path) -> None:
    botocore.write_text(f"import os\n\n__version__ = '{version}'\n")
    with pytest.raises(PermanentError) as refused:
        botocore_data.require()
    assert str(refused.value) == (
        f"The emulator can't work with botocore {version}: it needs 1.41 or newer. "
        "Run: python -m pip install --upgrade boto3"
    )


@pytest.mark.parametrize("line", ["__version__ = '1.41.0'", '__version__ = "2.0.1"', ""])
def test_any_other_botocore_is_not(line: str, botocore: Path) -> None:
    botocore.write_text(f"{line}\n")
    botocore_data.require()


def test_the_installed_botocore_is_new_enough() -> None:
    botocore_data.require()


def test_the_package_asks_for_the_versions_that_it_needs() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    oldest = ".".join(str(part) for part in botocore_data.OLDEST)
    assert {f"boto3>={oldest}", f"botocore>={oldest}"} <= set(project["dependencies"])

"""docs/image-classification.md says what the code of the image does."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from types import ModuleType

import pytest

from emulator.catalogue.recipes import source_directory

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/image-classification.md").read_text("utf-8")
PACKAGE = source_directory() / "image-classification" / "image_classification"


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table with this header."""
    table = PAGE.split(f"{header}\n|---", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[1:]]


@pytest.fixture(scope="module")
def hyperparameters() -> Iterator[ModuleType]:
    """The image's module of that name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PACKAGE.parent))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield importlib.import_module("image_classification.hyperparameters")
    for name in [name for name in sys.modules if name.startswith("image_classification")]:
        del sys.modules[name]


HYPERPARAMETERS = {
    name.strip("`"): (required, valid, default)
    for name, required, valid, default in rows("| name | required | valid | default |")
}


def test_all_hyperparameters_are_listed_with_their_defaults(hyperparameters: ModuleType) -> None:
    configuration = {field.name: field for field in fields(hyperparameters.Configuration)}
    assert sorted(configuration) == sorted(HYPERPARAMETERS)
    for name, (required, _, default) in HYPERPARAMETERS.items():
        assert (configuration[name].default is MISSING) == (required == "yes"), name
        assert default == written(configuration[name].default, name), name


def written(default: object, name: str) -> str:
    """Return a default as the page has it."""
    if default in (MISSING, None, ()):
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool) and name != "early_stopping":
        return str(int(default))
    return str(default)


def bounds(valid: str) -> tuple[list[str], list[str]]:
    """Return values that the page says are valid, and some that it says are not."""
    if choices := re.findall(r"`([^`]+)`", valid):
        return choices, ["another", "-1"]
    if found := re.fullmatch(r"integer from (\d+)", valid):
        return [found[1], "50"], [str(int(found[1]) - 1), "0.5", "a"]
    if valid == "number from 0 to 1":
        return ["0", "1", "0.5", "1e-3"], ["-0.01", "1.01", "a"]
    if valid.startswith("channels"):
        return ["1,28,28", "3,224,300"], ["2,28,28", "28,28", "3,0,28"]
    assert valid == "ascending epochs, such as 10,20"
    return ["10,20", "1"], ["20,10", "0", "a"]


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_what_is_valid_is_what_the_page_says(name: str, hyperparameters: ModuleType) -> None:
    valid, invalid = bounds(HYPERPARAMETERS[name][1])
    for value in valid:
        assert not refused(hyperparameters, name, value), value
    for value in invalid:
        assert refused(hyperparameters, name, value), value


def refused(hyperparameters: ModuleType, name: str, value: str) -> bool:
    """Return whether a value is refused for itself, whatever it does not go with."""
    required = {"num_classes": "100", "num_training_samples": "100"}
    try:
        hyperparameters.parse({**required, name: value})
    except hyperparameters.CustomerError as error:
        return "ValidationError" in str(error) and f"'{name}'" in str(error)
    return False


def sentences() -> list[str]:
    """Return all texts in the package's code; of one with values in it, the parts between them."""
    modules = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.glob("*.py")]
    return [
        node.value
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


ERRORS = [
    error
    for cells in rows("| the reason says | what to do |")
    for error in re.findall(r"`([^`]+)`", cells[0])
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_quoted_reason_is_one_that_the_algorithm_gives(error: str) -> None:
    known = sentences()
    for part in filter(None, (part.strip() for part in error.split("…"))):
        assert any(part in sentence for sentence in known), part

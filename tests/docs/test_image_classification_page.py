"""docs/image-classification.md says what the code of the image does."""

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
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

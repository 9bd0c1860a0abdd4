"""What moto imports only when a function is called is imported before: no request may do it."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from emulator.services import SERVICES
from emulator.storage import Storage

NEVER_CALLED = {
    "awscrt": "an optional package",
    "crc32c": "an optional package",
    "docker.errors": "containers of Lambda, which are not run",
    "flask": "moto's own server",
    "jsonpath_ng.ext": "EventBridge, which is not emulated",
    "moto.awslambda_simple.models": "functions that answer by rote, which are not used",
    "moto.cloudformation.exceptions": "CloudFormation, which is not emulated",
}
"""Modules that functions of moto import, and why no request here calls them."""
ONLY_MOTO_API = "moto.moto_api._internal.models"
"""A service of moto's own, which no request reaches."""


@pytest.fixture(scope="module")
def moto_modules(tmp_path_factory: pytest.TempPathFactory) -> list[ModuleType]:
    """Return those modules of moto that are imported once a storage is loaded."""
    storage = Storage(tmp_path_factory.mktemp("storage"))
    storage.load()
    storage.close()
    packages = ("moto.core", *(f"moto.{service.package}" for service in SERVICES.values()))
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith(packages) and name != ONLY_MOTO_API
    ]


def late_imports(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield each function of a module that imports something, and what it imports."""
    for function in ast.walk(ast.parse(Path(inspect.getfile(module)).read_text())):
        if isinstance(function, ast.FunctionDef):
            for statement in ast.walk(function):
                for name in imported(module, statement):
                    yield f"{module.__name__}.{function.name}", name


def imported(module: ModuleType, statement: ast.AST) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if not isinstance(statement, ast.ImportFrom):
        return []
    if not statement.level:
        return [str(statement.module)]
    package = str(module.__package__).split(".")
    parent = package[: len(package) - statement.level + 1]
    return [".".join([*parent, *([statement.module] if statement.module else [])])]


def test_functions_of_moto_find_imported_what_they_import(moto_modules: list[ModuleType]) -> None:
    assert len(moto_modules) > len(SERVICES)
    late = [found for module in moto_modules for found in late_imports(module)]
    assert late, "moto has no such functions any more: LATE_IMPORTS can go"
    missing = [(where, name) for where, name in late if name not in sys.modules | NEVER_CALLED]
    assert missing == []

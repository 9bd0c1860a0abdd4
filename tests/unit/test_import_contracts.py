"""The import contracts hold, and each of them fails when an import that it forbids is planted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = "0 broken"


def lint(tree: Path) -> str:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(command), "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the package and its contracts."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "emulator", tmp_path / "emulator", ignore=ignored)
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_contracts_hold(tree: Path) -> None:
    assert KEPT in lint(tree)


@pytest.mark.parametrize(
    "where, forbidden, contract",
    [
        ("operations/models.py", "emulator.reconcile.supervisor", "Edges over flow over parts"),
        ("store/documents.py", "emulator.operations.models", "Edges over flow over parts"),
        ("lifecycle/endpoint.py", "emulator.store.documents", "Edges over flow over parts"),
        ("inference/proxy.py", "emulator.reconcile.fleet", "Edges over flow over parts"),
        ("reconcile/endpoint.py", "docker", "Only the Docker launcher and image building"),
        ("operations/models.py", "moto", "Only storage knows moto"),
        ("clients/waiters.py", "emulator.settings", "What clients are shown"),
        ("operations/models.py", "flask", "Only protocol and inference know Flask"),
        ("operations/models.py", "emulator.launch.driver", "Handlers record intent"),
        ("launch/docker/launcher.py", "emulator.store.documents", "Parts below the flow"),
    ],
)
def test_a_planted_import_breaks_its_contract(
    tree: Path, where: str, forbidden: str, contract: str
) -> None:
    planted = tree / "emulator" / where
    planted.write_text(f"import {forbidden}\n{planted.read_text()}")
    report = lint(tree)
    assert KEPT not in report
    broken = [line for line in report.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), report

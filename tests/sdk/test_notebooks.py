"""The project's own notebooks, run from top to bottom on the digits that ship with the emulator."""

import re
from collections.abc import Callable
from pathlib import Path

import notebooks
import pytest
from environments import Shell
from PIL import Image

from tests.system.running_emulator import Emulator, eventually

NOTEBOOKS = sorted(notebooks.EXAMPLES.glob("*/*.ipynb"))
# Right answers among the 360 bundled digits that are held out.
ENOUGH = 0.9

Shells = Callable[[str], Shell]


def told_right(run: notebooks.Run) -> float:
    """Return the share of the test set that a notebook says its endpoint told right."""
    found = re.search(r"^(\S+)% of \d+ digits are told right$", run.printed(), re.MULTILINE)
    assert found, run.printed()[-3000:]
    return float(found[1]) / 100


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(
    path: Path, version: str, shell: Shells, emulator: Emulator
) -> None:
    opened = shell(version)
    folder = notebooks.beside(path.parent.name, opened.home / "notebook")
    run = notebooks.execute(notebooks.read(path), opened, folder)
    assert told_right(run) >= ENOUGH
    assert "This is a " in run.printed()
    assert any('class="draw-a-digit"' in shown for shown in run.shown("text/html"))
    for plot in folder.glob("plots/*.png"):
        with Image.open(plot) as picture:
            picture.load()
            assert min(picture.size) >= 300
    assert len(list(folder.glob("plots/*.png"))) == (2 if path.stem == "chainer_mnist" else 0)
    listed = emulator.client("sagemaker").list_endpoints
    mine = {"mxnet": "mxnet", "chainer": "sagemaker-chainer"}[path.stem.split("_")[0]]
    eventually(
        lambda: not [e for e in listed()["Endpoints"] if e["EndpointName"].startswith(mine)],
        what="the notebook's endpoint is gone",
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in notebooks.code(notebooks.read(path)):
        assert not cell.outputs
        assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_has_its_page(path: Path) -> None:
    page = (path.parent / "README.md").read_text()
    assert f"({path.name})" in page
    for file in path.parent.iterdir():
        if file.suffix in {".py", ".html", ".sh"}:
            assert f"({file.name})" in page

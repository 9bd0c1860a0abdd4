"""Notebooks executed from top to bottom, as somebody would who had just opened them.

The kernel is the Python of one version of the SDK, in the environment that `env` prints and in a
directory with the files that stand beside the notebook. A notebook is never edited here but by
`replaced` and `with_cell`, so that a test shows every difference from what its author wrote.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from environments import ROOT, Shell, interpreter
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

Notebook = nbformat.NotebookNode
EXAMPLES = ROOT / "examples"
_CELL_SECONDS = 500
_DIRECTIVE = ".. code:: ipython3"
# MXNet 1.9.1 reads the name that NumPy took away in 1.24; version 2 of the SDK wants a newer one.
_NUMPY_BOOL = "import numpy\n\nif not hasattr(numpy, 'bool'):\n    numpy.bool = bool\n"


def read(path: Path) -> Notebook:
    """Return the notebook in an .ipynb file, or the code cells of one that is kept as .rst."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        return nbformat.reads(text, as_version=4)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells(text)])


def cells(text: str) -> list[str]:
    """Return the code blocks of a reStructuredText page that are IPython's."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if line == _DIRECTIVE:
            found.append([])
            inside = True
        elif line and not line.startswith("    "):
            inside = False
        elif inside:
            found[-1].append(line[4:])
    return ["\n".join(lines).strip("\n") for lines in found]


def code(notebook: Notebook) -> list[Any]:
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def replaced(notebook: Notebook, changes: Mapping[str, str]) -> Notebook:
    """Replace texts in code cells; each must occur in exactly one cell."""
    for old, new in changes.items():
        holding = [cell for cell in code(notebook) if old in cell.source]
        assert len(holding) == 1, f"{old!r} is in {len(holding)} cells"
        holding[0].source = holding[0].source.replace(old, new)
    return notebook


def with_cell(notebook: Notebook, source: str, *, before: str) -> Notebook:
    """Put a cell before the one cell that holds a text."""
    places = [n for n, cell in enumerate(notebook.cells) if before in cell.source]
    assert len(places) == 1, f"{before!r} is in {len(places)} cells"
    notebook.cells.insert(places[0], nbformat.v4.new_code_cell(source))
    return notebook


@dataclass(frozen=True)
class Run:
    """A notebook that ran to its end.

    Attributes:
        folder: its working directory, as it left it.
        seconds: what it took.
    """

    notebook: Notebook
    folder: Path
    seconds: float

    def printed(self) -> str:
        """Return what all cells wrote to standard output, in order."""
        return "".join(
            output.text
            for cell in code(self.notebook)
            for output in cell.outputs
            if output.output_type == "stream" and output.name == "stdout"
        )

    def shown(self, kind: str) -> list[Any]:
        """Return what the cells displayed of one media type."""
        return [
            output.data[kind]
            for cell in code(self.notebook)
            for output in cell.outputs
            if kind in output.get("data", {})
        ]


def beside(example: str, folder: Path) -> Path:
    """Copy an example's files into a new folder, without its notebooks; returns the folder."""
    ignored = shutil.ignore_patterns("*.ipynb", "__pycache__", ".ipynb_checkpoints")
    return Path(shutil.copytree(EXAMPLES / example, folder, ignore=ignored))


def execute(notebook: Notebook, shell: Shell, folder: Path) -> Run:
    """Run all cells in order; a cell that raises is an error that shows its traceback.

    Args:
        shell: whose interpreter and environment the kernel has.
        folder: where it runs.
    """
    _have_numpy_bool(shell.home)
    environment = dict(shell.environment)
    if "DOCKER_HOST" in os.environ:  # the user's own choice of an engine, for local mode
        environment["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
    kernel = AsyncKernelManager(
        kernel_name="sdk",
        kernel_spec_manager=_kernels(shell),
        connection_file=str(shell.home / "kernel.json"),
    )
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=_CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
    )
    client.owns_km = True  # it stops the kernel also when a cell fails
    begun = time.monotonic()
    client.execute(env=environment)
    return Run(notebook, folder, time.monotonic() - begun)


def _kernels(shell: Shell) -> KernelSpecManager:
    """Return the one kernel that there is."""
    kernels = shell.home / "kernels"
    (kernels / "sdk").mkdir(parents=True, exist_ok=True)
    python = str(interpreter(shell.version))
    described = {
        "argv": [python, "-m", "ipykernel_launcher", "--colors=nocolor", "-f", "{connection_file}"],
        "display_name": f"SageMaker Python SDK {shell.version}",
        "language": "python",
    }
    (kernels / "sdk" / "kernel.json").write_text(json.dumps(described))
    return KernelSpecManager(kernel_dirs=[str(kernels)], ensure_native_kernel=False)


def _have_numpy_bool(home: Path) -> None:
    """Put the missing name into what IPython runs at each start."""
    startup = home / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-numpy.py").write_text(_NUMPY_BOOL)

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
ENOUGH = 0.95

Shells = Callable[[str], Shell]

ON_TWO_HOSTS = """
import re, sys
import sagemaker
from sagemaker.mxnet import MXNet

session = sagemaker.Session()
samples = f"s3://sagemaker-sample-data-{session.boto_region_name}/mxnet/mnist"

def train(epochs):
    estimator = MXNet(
        entry_point="mnist.py",
        role=sagemaker.get_execution_role(),
        framework_version="1.4.1",
        py_version="py3",
        hyperparameters={"epochs": epochs},
        train_instance_count=2,
        train_instance_type="ml.c5.xlarge",
        distributions={"parameter_server": {"enabled": True}},
        checkpoint_s3_uri=f"s3://{session.default_bucket()}/two-hosts",
    )
    estimator.fit({"train": f"{samples}/train", "test": f"{samples}/test"})

train(2)
print("AGAIN")
train(3)
"""


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
    framework, _, _ = path.stem.partition("_")
    eventually(
        lambda: not listed(NameContains=f"{framework}-")["Endpoints"],
        what="the notebook's endpoint is gone",
    )


@pytest.mark.docker
@pytest.mark.slow
def test_the_mxnet_script_trains_on_two_hosts_and_goes_on_from_checkpoints(shell: Shells) -> None:
    opened = shell("v1")
    (opened.home / "mnist.py").write_bytes(
        (notebooks.EXAMPLES / "mxnet_mnist/mnist.py").read_bytes()
    )
    first, again = opened.python(ON_TWO_HOSTS).split("AGAIN\n")
    trained = r"Epoch\[(\d)\] Validation-accuracy"
    assert sorted(re.findall(trained, first)) == ["0", "0", "1", "1"]
    assert again.count("Going on after epoch 2") == 2
    assert re.findall(trained, again) == ["2", "2"]


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

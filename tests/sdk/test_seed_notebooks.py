"""Notebooks that others wrote for AWS, run as they are, on MNIST.

They are in the folder that SAGEMAKER_EMULATOR_TEST_NOTEBOOKS names, MNIST is in `mnist/` of the one
that SAGEMAKER_EMULATOR_TEST_DATA names; where these are not set, the tests in this file do not
exist. All that differs from what the authors wrote is in the tables here, but for: MNIST lies where
the frameworks look first instead of being downloaded, and a digit of the test set takes the place
of the one that somebody would draw. The scripts that the notebooks refer to are ours.
"""

import json
import logging
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import notebooks
import numpy as np
import pytest
from environments import Shell
from notebooks import Run
from PIL import Image

from emulator.catalogue import naming
from examples.digits.dataset import Digits, mnist
from examples.local_mode import leftovers
from tests.system.running_emulator import Emulator, engine, eventually, start

FOLDER = Path(os.environ["SAGEMAKER_EMULATOR_TEST_NOTEBOOKS"])
log = logging.getLogger(__name__)

REGION = "ap-northeast-2"
MNIST = Path(os.environ["SAGEMAKER_EMULATOR_TEST_DATA"], "mnist").resolve()

Open = Callable[[str], Shell]

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

TRAIN_AND_DEPLOY = FOLDER / "000-mxnet-mnist-elastic-inference-notebook.rst"
OWN_MODEL = FOLDER / "001-mxnet-mnist-byom.rst"
CHAINER = FOLDER / "003-chainer-mnist.rst"

# What a user changes to leave local mode; both notebooks are written for it.
REMOTE = {
    TRAIN_AND_DEPLOY: {
        "train_instance_type='local'": "train_instance_type='ml.c4.xlarge'",
        " instance_type='local'": " instance_type='ml.c4.xlarge'",
    },
    CHAINER: {"instance_type = 'local'\n": "instance_type = 'ml.c4.xlarge'\n"},
}
# The notebook itself says to change this on a machine without a GPU.
ON_CPU = {OWN_MODEL: {"num_cpus=0, num_gpus=1": "num_cpus=1, num_gpus=0"}}
# What version 2 of the SDK refuses to run without.
INSISTED_ON = {
    OWN_MODEL: {
        "entry_point = 'mnist.py'": "entry_point = 'mnist.py', "
        "framework_version='1.4.1', py_version='py3'"
    },
    CHAINER: {
        "entry_point='chainer_mnist_single_machine.py'": "entry_point="
        "'chainer_mnist_single_machine.py', framework_version='5.0.0', py_version='py3'"
    },
}
# Asks the endpoint for all digits of the test set. Before the cell that deletes the endpoint.
ACCURACY = """
import numpy
held_out = numpy.load("held_out.npz")
right = 0
for at in range(0, len(held_out["labels"]), 500):
    scores = numpy.array(predictor.predict(held_out["images"][at : at + 500]))
    right += (scores.argmax(axis=1) == held_out["labels"][at : at + 500]).sum()
print("accuracy", right / len(held_out["labels"]))
"""


@pytest.fixture(scope="session")
def digits() -> Digits:
    return mnist(MNIST)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator whose sample data are MNIST; images have the names of its region for local mode.

    The region is no other test's: its names lead to one emulator.
    """
    state = tmp_path_factory.mktemp("emulator")
    running = start(state, "--sample-data", str(MNIST), "--region", REGION)
    running.region = REGION
    named = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/mxnet-training:1.4.1-cpu-py3"
    eventually(lambda: engine().images.list(named), what="local mode has its images")
    yield running
    running.stop()
    naming.take_back(REGION)


@pytest.fixture
def shell(emulator: Emulator, tmp_path: Path) -> Open:
    """Open a shell with one version of the SDK, in the emulator's region."""
    return lambda version: Shell(version, emulator, tmp_path, ("--region", REGION))


@pytest.fixture
def local_mode() -> Iterator[None]:
    """Wait until nobody has the port of local mode, who would answer in its place; tidy up."""
    eventually(lambda: not _answers(8080), within=180, what="port 8080 is free")
    yield
    leftovers.remove(REGION)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def differing(
    path: Path, version: str, *tables: Mapping[Path, Mapping[str, str]]
) -> notebooks.Notebook:
    """Return a notebook with the differences that the tables have for it."""
    notebook = notebooks.read(path)
    for table in (*tables, *([INSISTED_ON] if version == "v2" else [])):
        notebooks.replaced(notebook, table.get(path, {}))
    return notebook


def prepare(example: str, shell: Shell, digits: Digits) -> Path:
    """Return a folder with our scripts, and MNIST where the frameworks look before downloading."""
    folder = notebooks.beside(example, shell.home / "notebook")
    for file in MNIST.glob("*.gz"):
        (folder / file.name).symlink_to(file)
    cache = shell.home / ".chainer/dataset/pfnet/chainer/mnist"
    cache.mkdir(parents=True)
    for name, (images, labels) in (("train", digits.train), ("test", digits.test)):
        np.savez(cache / f"{name}.npz", x=images.reshape(len(images), -1), y=labels)
    images, labels = digits.test
    np.savez(folder / "held_out.npz", images=_scaled(images), labels=labels)
    return folder


def _scaled(images: np.ndarray) -> np.ndarray:
    return images[:, np.newaxis].astype(np.float32) / 255


def drawn(digits: Digits) -> tuple[str, int]:
    """Return a cell that defines `data` as a drawing does, and the digit that it shows."""
    images, labels = digits.test
    return f"data = {json.dumps(_scaled(images[:1])[0].round(3).tolist())}", int(labels[0])


def accuracy(run: Run) -> float:
    """Return the share of the test set that the endpoint told right."""
    found = re.search(r"^accuracy (\S+)$", run.printed(), re.MULTILINE)
    assert found, run.printed()[-3000:]
    return float(found[1])


def measured(run: Run) -> None:
    """Log what a run took and reached."""
    log.info("%s: %.0f s, accuracy %.4f", run.folder, run.seconds, accuracy(run))


def train_and_deploy(
    shell: Shell, digits: Digits, *tables: Mapping[Path, Mapping[str, str]]
) -> Run:
    """Run the notebook that trains with MXNet and deploys what it trained."""
    notebook = differing(TRAIN_AND_DEPLOY, shell.version, *tables)
    drawing, shown = drawn(digits)
    notebooks.with_cell(notebook, drawing, before="response = predictor.predict(data)")
    notebooks.with_cell(notebook, ACCURACY, before="predictor.delete_endpoint()")
    run = notebooks.execute(notebook, shell, prepare("mxnet_mnist", shell, digits))
    assert f"Most likely answer: ({shown}, " in run.printed()
    assert accuracy(run) >= 0.965
    return run


def chainer(shell: Shell, digits: Digits, *tables: Mapping[Path, Mapping[str, str]]) -> Run:
    """Run the notebook that trains with Chainer, fetches its plots and deploys."""
    notebook = differing(CHAINER, shell.version, *tables)
    drawing, shown = drawn(digits)
    notebooks.with_cell(notebook, drawing, before="np.array(data, dtype=np.float32)")
    notebooks.with_cell(notebook, ACCURACY, before="chainer_estimator.delete_endpoint()")
    run = notebooks.execute(notebook, shell, prepare("chainer_mnist", shell, digits))
    assert f"What you wrote is: {shown}\n" in run.printed()
    assert accuracy(run) >= 0.975
    for name in ("accuracy", "loss"):
        with Image.open(run.folder / f"output/single_machine_mnist/{name}.png") as plot:
            plot.load()
            assert min(plot.size) >= 300
    return run


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_mxnet_trains_and_deploys(
    version: str, shell: Open, digits: Digits, emulator: Emulator
) -> None:
    run = train_and_deploy(shell(version), digits, REMOTE)
    measured(run)
    listed = emulator.client("sagemaker").list_endpoints
    eventually(
        lambda: not listed(NameContains="mxnet-training")["Endpoints"],
        what="the notebook's endpoint is gone",
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_model_trained_in_the_notebook_is_deployed(
    version: str, shell: Open, digits: Digits
) -> None:
    opened = shell(version)
    notebook = differing(OWN_MODEL, version, ON_CPU)
    drawing, shown = drawn(digits)
    notebooks.with_cell(notebook, drawing, before="response = predictor.predict(data)")
    notebooks.with_cell(notebook, ACCURACY, before="sagemaker.Session().delete_endpoint")
    folder = prepare("mxnet_bring_your_own_model", opened, digits)
    run = notebooks.execute(notebook, opened, folder)
    measured(run)
    assert f"Most likely answer: ({shown}, " in run.printed()
    assert accuracy(run) >= 0.965


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_chainer_trains_plots_and_deploys(version: str, shell: Open, digits: Digits) -> None:
    measured(chainer(shell(version), digits, REMOTE))


@pytest.mark.usefixtures("local_mode")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_mxnet_trains_and_deploys_in_local_mode(version: str, shell: Open, digits: Digits) -> None:
    measured(train_and_deploy(shell(version), digits))


@pytest.mark.usefixtures("local_mode")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_chainer_trains_plots_and_deploys_in_local_mode(
    version: str, shell: Open, digits: Digits
) -> None:
    measured(chainer(shell(version), digits))

"""Notebooks of Elastic Inference, run by the Jupyter server of a notebook instance that has one.

The notebook is somebody else's, written for AWS, where SAGEMAKER_EMULATOR_TEST_NOTEBOOKS and
SAGEMAKER_EMULATOR_TEST_DATA are set, else the project's own. Then a person's browser does the same.
"""

import copy
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import notebooks
import pytest
import requests
from jupyter_server import JupyterServer, printed
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from emulator import clock, presigned
from emulator.catalogue import naming
from examples.local_mode import leftovers
from tests.system.running_emulator import ROLE, Emulator, engine, eventually, start, unique

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

log = logging.getLogger(__name__)

REGION = "eu-west-3"
ACCELERATOR = "ml.eia1.medium"
KERNEL = "conda_mxnet_p36"  # version 1 of the SDK, for which these notebooks were written
PICTURES = notebooks.ROOT / "build" / "screenshots"

_FOLDER = os.environ.get("SAGEMAKER_EMULATOR_TEST_NOTEBOOKS", "")
_DATA = os.environ.get("SAGEMAKER_EMULATOR_TEST_DATA", "")
THEIRS = Path(_FOLDER, "000-mxnet-mnist-elastic-inference-notebook.rst")
OURS = notebooks.EXAMPLES / "mxnet_mnist" / "mxnet_mnist.ipynb"
MNIST = str(Path(_DATA, "mnist").resolve()) if _DATA else "bundled"

# What makes the project's notebook one of local mode and Elastic Inference.
LOCALLY = {
    'instance_type = "ml.c5.xlarge"': 'instance_type = "local"',
    "instance_type=instance_type)": "instance_type=instance_type,"
    " accelerator_type='local_sagemaker_notebook')",
}
# In place of the canvas: a digit of the test set, as the notebook's own cells know it.
DRAWN = """
import boto3, gzip, numpy
body = boto3.client("s3").get_object(
    Bucket=f"sagemaker-sample-data-{region}", Key="mxnet/mnist/test/images.gz")["Body"].read()
data = (numpy.frombuffer(gzip.decompress(body), dtype=numpy.uint8, offset=16)[:784]
        .reshape(1, 28, 28) / 255).tolist()
body = boto3.client("s3").get_object(
    Bucket=f"sagemaker-sample-data-{region}", Key="mxnet/mnist/test/labels.gz")["Body"].read()
print("drawn", gzip.decompress(body)[8])
"""
# What a person types into a cell: it trains, deploys with an accelerator, asks, and tidies up.
TYPED = """
import boto3, gzip, numpy, sagemaker
from matplotlib import pyplot
from sagemaker.mxnet import MXNet

samples = f"s3://sagemaker-sample-data-{boto3.Session().region_name}/mxnet/mnist"
estimator = MXNet(entry_point="mnist.py", role=sagemaker.get_execution_role(), py_version="py3",
                  framework_version="1.4.1", train_instance_count=1,
                  train_instance_type="ml.c5.xlarge", hyperparameters={"epochs": EPOCHS})
estimator.fit({"train": f"{samples}/train", "test": f"{samples}/test"}, logs=False)
predictor = estimator.deploy(1, "ml.m5.large", accelerator_type="ml.eia1.medium")
bucket, key = samples[5:].split("/", 1)
s3 = boto3.client("s3")
def read(name, header):
    body = s3.get_object(Bucket=bucket, Key=f"{key}/test/{name}.gz")["Body"].read()
    return numpy.frombuffer(gzip.decompress(body), dtype=numpy.uint8, offset=header)
images, labels = read("images", 16).reshape(-1, 1, 28, 28), read("labels", 8)
scores = numpy.array(predictor.predict(images[:50].astype("float32") / 255))
predictor.delete_endpoint()
pyplot.figure(figsize=(2, 2)); pyplot.imshow(images[0, 0], cmap="gray"); pyplot.show()
print("right", (scores.argmax(axis=1) == labels[:50]).sum(), "of 50; the first is", labels[0])
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator whose notebook instances may use the engine, in a region of its own."""
    flags = ("--sample-data", MNIST, "--region", REGION, "--notebook-engine-access")
    running = start(tmp_path_factory.mktemp("emulator"), *flags)
    running.region = REGION
    named = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/mxnet-training:1.4.1-cpu-py3"
    eventually(lambda: engine().images.list(named), what="local mode has its images")
    yield running
    running.stop()
    # First, while containers still show the names of their images.
    leftovers.remove(REGION)
    naming.take_back(REGION)


@pytest.fixture(scope="module")
def instance(emulator: Emulator) -> Iterator[str]:
    """A notebook instance with an accelerator, in service."""
    name = unique("notebook")
    sagemaker = emulator.client("sagemaker")
    begun = time.monotonic()
    sagemaker.create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t2.medium",
        RoleArn=ROLE,
        AcceleratorTypes=[ACCELERATOR],
    )
    _in_status(emulator, name, "InService")
    log.info("a notebook instance is in service after %.1f s", time.monotonic() - begun)
    yield name
    sagemaker.stop_notebook_instance(NotebookInstanceName=name)
    _in_status(emulator, name, "Stopped")
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)


def _in_status(emulator: Emulator, name: str, wanted: str) -> None:
    describe = emulator.client("sagemaker").describe_notebook_instance

    def look() -> bool:
        found = describe(NotebookInstanceName=name)
        status = found["NotebookInstanceStatus"]
        assert wanted == "Failed" or status != "Failed", found["FailureReason"]
        return bool(status == wanted)

    eventually(look, within=120, what=f"{name} is {wanted}")


def _presigned(emulator: Emulator, instance: str) -> str:
    client = emulator.client("sagemaker")
    made = client.create_presigned_notebook_instance_url(NotebookInstanceName=instance)
    return str(made["AuthorizedUrl"])


def _accelerators(emulator: Emulator) -> dict[str, Any]:
    reply = requests.get(f"{emulator.url}/_emulator/accelerators", timeout=60)
    found: dict[str, Any] = reply.json()
    return found


def _notebook() -> notebooks.Notebook:
    """Return the notebook, with a drawn digit."""
    if _FOLDER and _DATA:
        notebook = notebooks.read(THEIRS)
        return notebooks.with_cell(notebook, DRAWN, before="response = predictor.predict(data)")
    notebook = copy.deepcopy(notebooks.replaced(notebooks.read(OURS), LOCALLY))
    return notebooks.with_cell(notebook, DRAWN, before='if "data" not in globals()')


def test_a_notebook_trains_locally_and_predicts_on_the_accelerator_of_its_instance(
    emulator: Emulator, instance: str, tmp_path: Path
) -> None:
    folder = notebooks.beside("mxnet_mnist", tmp_path / "files")
    begun = time.monotonic()
    with JupyterServer(_presigned(emulator, instance)) as jupyter:
        jupyter.put_folder(folder, "elastic")
        notebook = jupyter.execute(_notebook(), "elastic/elastic.ipynb", KERNEL)
        saved = jupyter.get("/api/contents/elastic/elastic.ipynb")["content"]
    log.info("%d cells in %.1f s", len(notebooks.code(notebook)), time.monotonic() - begun)
    text = notebooks.Run(notebook, folder, 0).printed()
    shown = re.search(r"drawn (\d)$", text, re.MULTILINE)
    told = re.search(r"(?:Most likely answer: \(|This is a )(\d)", text)
    assert shown
    assert told
    assert told[1] == shown[1]
    assert [cell["outputs"] for cell in saved["cells"] if cell["cell_type"] == "code"] == [
        json.loads(json.dumps(cell.outputs)) for cell in notebooks.code(notebook)
    ]

    [device] = _accelerators(emulator)["accelerators"]
    log.info("accelerator: %s", device)
    assert device["type"] == ACCELERATOR
    assert instance in device["host"]
    assert device["framework"] == "mxnet"
    assert any("local mode" in user for user in device["users"])


KEY = """
import mxnet
print(mxnet.nd.ones(2, ctx=mxnet.eia()).sum().asscalar())
try:
    open("/opt/ml/notebook-instance/instance.json")
except PermissionError:
    print("the key is kept")
"""


def test_a_kernel_computes_on_the_accelerator_and_can_not_read_the_key_of_the_urls(
    emulator: Emulator, instance: str
) -> None:
    cell = notebooks.nbformat.v4.new_code_cell(KEY)
    notebook = notebooks.nbformat.v4.new_notebook(cells=[cell])
    with JupyterServer(_presigned(emulator, instance)) as jupyter:
        jupyter.execute(notebook, "key.ipynb", KERNEL)
    assert printed(cell).split("\n")[:2] == ["2.0", "the key is kept"]


def test_a_person_opens_the_presigned_url_and_runs_a_cell_that_trains_and_predicts(
    emulator: Emulator, instance: str, tmp_path: Path, browser: webdriver.Chrome
) -> None:
    folder = notebooks.beside("mxnet_mnist", tmp_path / "files")
    epochs = "1" if _DATA else "60"
    cell = notebooks.nbformat.v4.new_code_cell(TYPED.strip().replace("EPOCHS", epochs))
    kernel = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    notebook = notebooks.nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    with JupyterServer(_presigned(emulator, instance)) as jupyter:
        jupyter.put_folder(folder, "typed")
        jupyter.put_notebook(notebook, "typed/typed.ipynb")
        browser.get(f"{_presigned(emulator, instance)}&view=lab")
        WebDriverWait(browser, 60).until(lambda it: it.find_elements(By.ID, "jp-main-dock-panel"))
        assert browser.current_url.startswith(f"{jupyter.url}/lab")
        browser.get(f"{jupyter.url}/lab/tree/typed/typed.ipynb")
        _run_the_cell(browser)
        WebDriverWait(browser, 240).until(lambda it: "of 50; the first is" in _outputs(it))
    shown = browser.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output")[-1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'end'})", shown)
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(PICTURES / "notebook-instance.png"))
    found = re.search(r"right (\d+) of 50", _outputs(browser))
    assert found
    assert int(found[1]) >= 40


def _run_the_cell(browser: webdriver.Chrome) -> None:
    """Click into the one cell and press Shift and Enter, once its kernel and its editor are up."""
    patient = WebDriverWait(
        browser, 90, ignored_exceptions=(NoSuchElementException, WebDriverException)
    )
    patient.until(lambda it: "Idle" in it.find_element(By.ID, "jp-main-statusbar").text)

    def typed(it: webdriver.Chrome) -> bool:
        it.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell .cm-content").click()
        keys = ActionChains(it)
        keys.key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
        return True

    patient.until(typed)


def _outputs(browser: webdriver.Chrome) -> str:
    areas = browser.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output")
    return "\n".join(area.text for area in areas)


@pytest.mark.parametrize("wrong", ["none", "expired", "forged", "of another instance"])
def test_a_browser_without_a_valid_url_sees_nothing(
    wrong: str, emulator: Emulator, instance: str, browser: webdriver.Chrome
) -> None:
    authorized = _presigned(emulator, instance)
    url, _, token = authorized.partition("?authToken=")
    [file] = emulator.state.glob(f"notebook-instances/*/*/{instance}/instance/instance.json")
    key = json.loads(file.read_text())["key"]
    tokens = {
        "none": "",
        "expired": presigned.token(key, now=clock.now() - 301, session=1800),
        "forged": token[:-1] + ("0" if token[-1] != "0" else "1"),
        "of another instance": presigned.token("00" * 32, now=clock.now(), session=1800),
    }
    refused = f"{url}?authToken={tokens[wrong]}" if tokens[wrong] else url
    reply = requests.get(refused, timeout=60)
    assert reply.status_code == 403

    browser.get(refused)
    text = browser.find_element(By.TAG_NAME, "body").text
    assert f"--notebook-instance-name {instance}" in text
    assert not browser.find_elements(By.ID, "jp-main-dock-panel")
    browser.get(f"{url.rstrip('/')}/api/contents")
    assert "mnist.py" not in browser.page_source


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser without a past; its own services in the network are off."""
    options = webdriver.ChromeOptions()
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--window-size=1200,1000", f"--user-data-dir={tmp_path / 'browser'}"),
    ):
        options.add_argument(argument)
    options.binary_location = "/usr/bin/chromium"
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()

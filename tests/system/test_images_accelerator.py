"""Elastic Inference in the images: `mx.eia()`, and what containers of local mode ask for."""

import json
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from image_containers import (
    DEADLINE_SECONDS,
    THIS_MACHINE,
    Server,
    checked,
    serving,
    started,
)

from emulator.accelerators import Accelerators, Device
from emulator.catalogue.table import local_name
from emulator.protocol.pages import create_pages
from emulator.serving import Server as HttpServer

pytestmark = pytest.mark.docker

PRESENT = {"SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT": "true"}
LABEL = "org.sagemaker-emulator.accelerator-framework"
SCRIPT = """
import mxnet as mx

def model_fn(directory):
    return mx.eia()

def transform_fn(context, data, content_type, accept):
    gibibytes = float(data)
    array = mx.nd.ones((int(gibibytes * 1024), 1024, 256), ctx=context)
    array.wait_to_read()
    return repr(array.context) + " " + repr(context), "text/plain"
"""


@pytest.fixture
def attached() -> Accelerators:
    return Accelerators([Device("emulator/0", "ml.eia1.medium")], cpu_allowed=False)


@pytest.fixture
def emulator(attached: Accelerators) -> Iterator[str]:
    """The emulator's pages, as containers reach them."""
    pages = create_pages(health=dict, reset=lambda: None, accelerators=attached)
    server = HttpServer(pages, [("0.0.0.0", 0)])
    server.start()
    yield f"http://{THIS_MACHINE}:{server.addresses[0][1]}"
    server.stop()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose requests say how many GiB of the accelerator they take."""
    (tmp_path / "model/code").mkdir(parents=True)
    (tmp_path / "model/code/inference.py").write_text(SCRIPT)
    return tmp_path


def ask(server: Server, gibibytes: float) -> tuple[int, str]:
    status, _, body = server.invoke(json.dumps(gibibytes).encode(), "text/plain")
    return status, body.decode()


@pytest.mark.parametrize("version", ["1.4.1", "1.9.1"])
def test_the_accelerator_computes_what_the_device_behind_it_does(
    client: docker.DockerClient, tmp_path: Path, version: str
) -> None:
    outcomes = checked(client, f"mxnet-inference-eia:{version}", "accelerator_check.py", tmp_path)
    assert len(outcomes) == 5
    assert outcomes == dict.fromkeys(outcomes, "")


@pytest.mark.parametrize(
    "image, framework",
    [
        ("mxnet-inference-eia:1.4.1", "mxnet"),
        ("mxnet-inference-eia:1.9.1", "mxnet"),
        ("image-classification", "mxnet"),
        ("mxnet-inference", None),
        ("chainer", None),
    ],
)
def test_an_image_says_whether_it_can_use_an_accelerator(
    client: docker.DockerClient, image: str, framework: str | None
) -> None:
    assert client.images.get(local_name(image)).labels.get(LABEL) == framework


@pytest.mark.parametrize("version", ["1.4.1", "1.9.1"])
def test_local_mode_gets_the_attached_accelerator_and_its_memory(
    client: docker.DockerClient, model: Path, emulator: str, attached: Accelerators, version: str
) -> None:
    with serving(
        client,
        f"mxnet-inference-eia:{version}",
        model,
        SAGEMAKER_EMULATOR_URL=emulator,
        **PRESENT,
    ) as server:
        assert ask(server, 0.1) == (200, "cpu(0) eia(0)")
        status, said = ask(server, 1.1)
        assert status == 500
        assert "The accelerator's memory is 1 GiB, and the model needs more." in said
        assert ask(server, 0.1)[0] == 200
        log = server.container.logs().decode()
    assert "ml.eia1.medium attached to emulator" in log
    assert "The accelerator's memory is 1 GiB" in log
    [device] = attached.report()["accelerators"]
    assert device["framework"] == "mxnet"
    assert device["users"] == ["local mode, container algo-1"]


def test_a_model_that_does_not_fit_says_so_when_it_is_loaded(
    client: docker.DockerClient, model: Path, emulator: str
) -> None:
    script = model / "model/code/inference.py"
    large = "mx.nd.ones((2048, 1024, 256), ctx=mx.eia())"
    script.write_text(SCRIPT.replace("return mx.eia()", f"array = {large}; array.wait_to_read()"))
    environment = {"SAGEMAKER_EMULATOR_URL": emulator, **PRESENT}
    with started(
        client, "mxnet-inference-eia:1.9.1", "serve", model, environment=environment
    ) as container:
        assert container.wait(timeout=DEADLINE_SECONDS)["StatusCode"] != 0
        assert "The accelerator's memory is 1 GiB" in container.logs().decode()


def test_an_accelerator_of_another_framework_ends_the_container_with_the_reason(
    client: docker.DockerClient, model: Path, emulator: str, attached: Accelerators
) -> None:
    attached.acquire("ml.eia1.medium", "tensorflow", "another endpoint")
    environment = {"SAGEMAKER_EMULATOR_URL": emulator, **PRESENT}
    with started(
        client, "mxnet-inference-eia:1.9.1", "serve", model, environment=environment
    ) as container:
        assert container.wait(timeout=DEADLINE_SECONDS)["StatusCode"] == 1
        assert "tensorflow" in container.logs().decode()


@pytest.mark.parametrize(
    "variables, said",
    [
        ({}, "WARNING: There is no emulator to ask for the accelerator"),
        (
            {"SAGEMAKER_EMULATOR_URL": f"http://{THIS_MACHINE}:9"},
            f"WARNING: The emulator at http://{THIS_MACHINE}:9 can't be asked",
        ),
        ({"SAGEMAKER_EMULATOR_ACCELERATOR": "cpu"}, ""),
    ],
    ids=["no emulator", "no answer", "told by the emulator"],
)
def test_without_an_answer_the_cpu_computes(
    client: docker.DockerClient, model: Path, variables: dict[str, str], said: str
) -> None:
    with serving(client, "mxnet-inference-eia:1.9.1", model, **PRESENT, **variables) as server:
        assert ask(server, 0.01) == (200, "cpu(0) eia(0)")
        log = server.container.logs().decode()
    assert said in log
    assert ("WARNING" in log) == bool(said)

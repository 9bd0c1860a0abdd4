"""Serving image-classification models: what clients send, what they get, what they are told.

The models have the form of Amazon's artifacts and were made by MXNet alone (contract G4).
"""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
from botocore.exceptions import ClientError
from endpoint_data import archive, upload
from image_containers import DEADLINE_SECONDS, SCRIPTS, Server, serving, started
from PIL import Image
from running_emulator import Emulator

pytestmark = pytest.mark.docker

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
HEIGHT, WIDTH = 24, 32
STEM = "image-classification"
JSON, JSON_LINES = "application/json", "application/jsonlines"


def picture(seed: int) -> Image.Image:
    """Return noise of the networks' size."""
    pixels = np.random.RandomState(seed).randint(0, 256, (HEIGHT, WIDTH, 3))
    return Image.fromarray(pixels.astype("uint8"))


PICTURES = [picture(seed) for seed in range(3)]


def png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    packed = io.BytesIO()
    image.save(packed, form, **options)
    return packed.getvalue()


def halves(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return a picture whose left is dark and whose right is light."""
    image = Image.new("RGB", (width, height), (40, 40, 40))
    image.paste((200, 200, 200), (width // 2, 0, width, height))
    return image.convert(mode)


@pytest.fixture(scope="module")
def models(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and what MXNet predicts with them; see the script."""
    root = tmp_path_factory.mktemp("models")
    pixels = [np.asarray(each, dtype="float32").transpose(2, 0, 1) for each in PICTURES]
    np.save(root / "pictures.npy", np.stack(pixels))
    shutil.copy(SCRIPTS / "image_classification_models.py", root / "make.py")
    command = "python3 /opt/ml/make.py /opt/ml"
    with started(client, STEM, command, root) as container:
        code = container.wait(timeout=DEADLINE_SECONDS)["StatusCode"]
        assert code == 0, container.logs().decode()
    return root


def expected(models: Path, name: str) -> Any:
    return json.loads((models / "expected.json").read_text())[name]


@contextmanager
def served(
    client: docker.DockerClient, model: Path, tmp_path: Path, **environment: str
) -> Iterator[Server]:
    shutil.copytree(model, tmp_path / "model")
    with serving(client, STEM, tmp_path, **environment) as server:
        yield server


@pytest.fixture(scope="module")
def softmax(
    client: docker.DockerClient, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of the model with two checkpoints; the worse is the earlier."""
    root = tmp_path_factory.mktemp("softmax")
    with served(client, models / "softmax", root) as server:
        yield server


def predicted(server: Server, body: bytes) -> Any:
    status, content_type, answer = server.invoke(body, "application/x-image")
    assert (status, content_type) == (200, JSON), answer
    return json.loads(answer)


def test_probabilities_are_those_that_mxnet_computes_from_the_last_checkpoint(
    softmax: Server, models: Path
) -> None:
    answers = [predicted(softmax, png(each)) for each in PICTURES]
    assert answers == [pytest.approx(each, rel=1e-4) for each in expected(models, "softmax")]
    assert [sum(each) for each in answers] == [pytest.approx(1.0, abs=1e-5)] * 3


def test_each_label_of_a_multi_label_model_has_a_probability_of_its_own(
    client: docker.DockerClient, models: Path, tmp_path: Path
) -> None:
    """And in batch transform, the answer is a line."""
    with served(client, models / "sigmoid", tmp_path, SAGEMAKER_BATCH="true") as server:
        lines = [server.invoke(png(each), "image/png") for each in PICTURES]
    assert {each[:2] for each in lines} == {(200, JSON_LINES)}
    answers = [json.loads(line)["prediction"] for _, _, line in lines]
    assert answers == [pytest.approx(each, rel=1e-4) for each in expected(models, "sigmoid")]


@pytest.mark.parametrize("content_type", ["application/x-image", "image/jpeg", "image/png; x=1"])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_what_a_picture_is_shows_in_its_bytes(
    softmax: Server, content_type: str, form: str
) -> None:
    body = encoded(halves(WIDTH, HEIGHT), form)
    status, answered, answer = softmax.invoke(body, content_type)
    assert (status, answered) == (200, JSON), answer


@pytest.mark.parametrize(
    "accept, content_type", [("*/*", JSON), (JSON, JSON), (JSON_LINES, JSON_LINES)]
)
def test_the_answer_has_the_form_that_was_asked_for(
    softmax: Server, models: Path, accept: str, content_type: str
) -> None:
    status, answered, body = softmax.invoke(png(PICTURES[0]), "image/png", accept)
    assert (status, answered) == (200, content_type)
    if accept == JSON_LINES:
        assert body.endswith(b"]}\n")
        assert body.count(b"\n") == 1
        body = json.dumps(json.loads(body)["prediction"]).encode()
    assert json.loads(body) == pytest.approx(expected(models, "softmax")[0], rel=1e-4)


@pytest.mark.parametrize(
    "image, form, options",
    [
        (halves(320, 240), "PNG", {}),
        (halves(1500, 300), "PNG", {}),
        (halves(50, 900), "JPEG", {"quality": 95}),
        (halves(16, 12), "PNG", {}),
        (halves(64, 48, "L"), "PNG", {}),
        (halves(64, 48, "L"), "JPEG", {"quality": 95}),
        (halves(64, 48, "RGBA"), "PNG", {}),
        (halves(64, 48, "P"), "PNG", {}),
        (halves(64, 48, "CMYK"), "JPEG", {"quality": 95}),
    ],
    ids=["larger", "wide", "tall", "smaller", "grey", "grey JPEG", "alpha", "palette", "CMYK"],
)
def test_any_picture_is_stretched_to_the_networks_size(
    softmax: Server, image: Image.Image, form: str, options: dict[str, Any]
) -> None:
    """Nothing is cut off: both halves are as wide as those of a picture of the right size."""
    wanted = predicted(softmax, png(halves(WIDTH, HEIGHT)))
    assert predicted(softmax, encoded(image, form, **options)) == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize(
    "body, content_type, accept, status, said",
    [
        (b"", "image/png", "*/*", 400, "The request has no body"),
        (b"no picture", "image/png", "*/*", 400, "The body is no picture"),
        (png(PICTURES[0])[:60], "image/png", "*/*", 400, "The body is no picture"),
        (b"[1, 2]", JSON, "*/*", 415, "content type application/json is not supported"),
        (b"\x00", "", "*/*", 415, "no content type was given"),
        (png(PICTURES[0]), "image/png", "text/csv", 406, "accept text/csv is not supported"),
        (
            png(Image.new("1", (12_000, 12_000))),
            "image/png",
            "*/*",
            413,
            "The picture has 12000 x 12000 pixels; at most 100000000 are decoded",
        ),
    ],
    ids=["empty", "text", "cut", "JSON", "no type", "accept", "too large"],
)
def test_a_request_that_cannot_be_answered_is_told_why(
    softmax: Server, body: bytes, content_type: str, accept: str, status: int, said: str
) -> None:
    answered, kind, message = softmax.invoke(body, content_type, accept)
    assert (answered, kind) == (status, "text/plain; charset=utf-8")
    assert message.decode().startswith(said)
    assert predicted(softmax, png(PICTURES[0]))


def test_a_photograph_is_turned_upright_as_its_camera_noted(softmax: Server) -> None:
    orientation = Image.Exif()
    orientation[0x0112] = 8  # the camera was turned clockwise
    lying = halves(WIDTH, HEIGHT).transpose(Image.Transpose.ROTATE_270)
    body = encoded(lying, "JPEG", quality=95, exif=orientation)
    wanted = predicted(softmax, png(halves(WIDTH, HEIGHT)))
    assert predicted(softmax, body) == pytest.approx(wanted, abs=0.05)


def test_batch_transform_learns_to_send_one_picture_at_a_time(softmax: Server) -> None:
    status, content_type, body = softmax.request("GET", "/execution-parameters")
    assert (status, content_type) == (200, JSON)
    assert json.loads(body) == {
        "MaxConcurrentTransforms": 1,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_an_endpoint_with_an_accelerator_answers_through_boto3(
    emulator: Emulator, models: Path
) -> None:
    files = {path.name: path.read_bytes() for path in (models / "softmax").iterdir()}
    model = emulator.model(Image=IMAGE, ModelDataUrl=upload(emulator, archive(files)))
    variant = {"InstanceType": "ml.m4.xlarge", "AcceleratorType": "ml.eia1.large"}
    endpoint = emulator.deploy(emulator.config({"ModelName": model, **variant}))
    reply = emulator.invoke(endpoint, png(PICTURES[0]), ContentType="application/x-image")
    assert reply["ContentType"] == JSON
    assert json.loads(reply["Body"].read()) == pytest.approx(
        expected(models, "softmax")[0], rel=1e-4
    )
    with pytest.raises(ClientError) as refused:
        emulator.invoke(endpoint, b"no picture", ContentType="application/x-image")
    response = refused.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["OriginalStatusCode"] == 400
    assert response["OriginalMessage"].startswith("The body is no picture")
    assert "Received client error (400) from primary" in response["Error"]["Message"]
    emulator.delete(endpoint)


def without(*names: str) -> dict[str, bytes | None]:
    return dict.fromkeys(names)


@pytest.mark.parametrize(
    "changes, said",
    [
        (
            without(f"{STEM}-symbol.json"),
            "The model has no image-classification-symbol.json at the top of its archive.",
        ),
        (
            without(f"{STEM}-0009.params", f"{STEM}-0012.params"),
            "The model has no image-classification-NNNN.params at the top of its archive.",
        ),
        (
            without("model-shapes.json"),
            "The size of the model's pictures is unknown: there is neither model-shapes.json nor"
            " hyperparams.json at the top of its archive.",
        ),
        ({f"{STEM}-0012.params": b"cut"}, "image-classification-0012.params can't be read:"),
        ({f"{STEM}-symbol.json": b"{}"}, "image-classification-symbol.json is no network:"),
        (
            {"model-shapes.json": b'[{"name": "data", "shape": [1, 3]}]'},
            "model-shapes.json does not have the shape of the network's input.",
        ),
        (
            {"model-shapes.json": b'[{"name": "data", "shape": [1, 3, 64, 64]}]'},
            "image-classification-0012.params has weights of the shape (5, 140) for fc1_weight;"
            " the network's are (5, 900).",
        ),
    ],
    ids=["symbol", "weights", "shape", "cut weights", "no symbol", "bad shape", "other shape"],
)
def test_a_model_that_cannot_be_served_ends_the_container(
    client: docker.DockerClient,
    models: Path,
    tmp_path: Path,
    changes: dict[str, bytes | None],
    said: str,
) -> None:
    model = tmp_path / "model"
    shutil.copytree(models / "softmax", model)
    for name, content in changes.items():
        (model / name).unlink()
        if content is not None:
            (model / name).write_bytes(content)
    with started(client, STEM, "serve", tmp_path) as container:
        assert container.wait(timeout=DEADLINE_SECONDS)["StatusCode"] != 0
        assert said in container.logs().decode()


def test_an_endpoint_without_a_model_says_so(emulator: Emulator) -> None:
    """The reason is what the container said last."""
    model = emulator.model(
        Image=IMAGE, ModelDataUrl=upload(emulator, archive({"model.onnx": b"something else"}))
    )
    endpoint = emulator.deploy(emulator.config({"ModelName": model}))
    described = emulator.endpoint(endpoint)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].endswith(
        "The model has no image-classification-symbol.json at the top of its archive."
    )
    emulator.delete(endpoint)

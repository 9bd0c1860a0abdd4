"""Where the serving images find a model's code, and what they do without it (contract C2)."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
from image_containers import (
    DEADLINE_SECONDS,
    SCRIPTS,
    archive_of,
    model_of,
    npy,
    object_storage,
    serving,
    started,
    train,
    wait_for,
    write_job,
)

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def linear(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained Module, of the older MXNet: the newer one reads it as well."""
    root = write_job(tmp_path_factory.mktemp("linear"), "mxnet_linear.py")
    code, log = train(client, "sagemaker-mxnet", root)
    assert code == 0, log
    return root


def script(name: str) -> str:
    return (SCRIPTS / name).read_text()


def decoded(content_type: str, body: bytes) -> Any:
    if content_type == "application/x-npy":
        return np.load(io.BytesIO(body)).tolist()
    if content_type == "text/csv":
        return [[float(cell) for cell in line.split(",")] for line in body.decode().split()]
    return json.loads(body)


def test_default_handlers_take_and_give_json_csv_and_npy(
    client: docker.DockerClient, linear: Path, tmp_path: Path
) -> None:
    asked = {
        "application/json": b"[[1, 2], [3, 4]]",
        "text/csv": b"1,2\n3,4\n",
        "application/x-npy": npy(np.array([[1, 2], [3, 4]], dtype="float32")),
    }
    with serving(client, "mxnet-inference", model_of(linear, tmp_path)) as server:
        answers = [
            (accept, server.invoke(body, content_type, accept))
            for content_type, body in asked.items()
            for accept in asked
        ]
    for accept, (status, content_type, body) in answers:
        assert (status, content_type) == (200, accept), body
        assert decoded(accept, body) == [
            [pytest.approx(5.0, abs=0.05)],
            [pytest.approx(12.0, abs=0.05)],
        ]


def test_a_model_that_somebody_brings_needs_no_functions(
    client: docker.DockerClient, linear: Path, tmp_path: Path
) -> None:
    """As the SDK's local mode has it: a script in S3, and an emulator that is not `localhost`."""
    root = model_of(linear, tmp_path / "ml")
    # The SDK leaves the archive beside what was in it; the notebook has an empty folder in that.
    (root / "model/model.tar.gz").write_bytes(b"the archive itself")
    (root / "model/model").mkdir()
    with object_storage(tmp_path / "state") as (port, storage):
        storage.create_bucket(Bucket="code")
        storage.put_object(Bucket="code", Key="byom/sourcedir.tar.gz", Body=archive_of("byom.py"))
        with serving(
            client,
            "sagemaker-mxnet",
            root,
            SAGEMAKER_PROGRAM="byom.py",
            SAGEMAKER_SUBMIT_DIRECTORY="s3://code/byom/sourcedir.tar.gz",
            SAGEMAKER_REGION="us-west-2",
            AWS_ENDPOINT_URL_S3=f"http://localhost:{port}",
        ) as server:
            status, _, body = server.invoke(b"[[1, 2]]", "application/json", "application/json")
    assert (status, json.loads(body)) == (200, [[pytest.approx(5.0, abs=0.05)]])


def test_the_users_own_functions_are_called_from_a_repacked_model(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "model/code").mkdir(parents=True)
    shutil.copy(SCRIPTS / "functions.py", tmp_path / "model/code")
    with serving(
        client,
        "mxnet-inference:1.4.1",
        tmp_path,
        SAGEMAKER_PROGRAM="functions.py",
        SAGEMAKER_SUBMIT_DIRECTORY="s3://anywhere/model.tar.gz",
    ) as server:
        answer = server.invoke(b"1;2.5", "text/x-semicolons", "anything/else")
    assert answer == (200, "text/x-semicolons", b"2;5")


@pytest.mark.parametrize(
    "image, files, program, said",
    [
        pytest.param(
            "mxnet-inference:1.4.1",
            {"byom.py": script("byom.py")},
            "byom.py",
            "Failed to load model with default model_fn: missing file model-symbol.json",
            id="MXNet, no model",
        ),
        pytest.param(
            "mxnet-inference:1.9.1",
            {},
            "absent.py",
            "ValueError: import_module exception: No module named 'absent'",
            id="MXNet, no script",
        ),
        pytest.param(
            "chainer",
            {},
            "absent.py",
            "ModuleNotFoundError: No module named 'absent'",
            id="Chainer, no script",
        ),
        pytest.param(
            "chainer",
            {"serve_me.py": "def train():\n    pass\n"},
            "serve_me.py",
            "Please provide a model_fn implementation.",
            id="Chainer, no model_fn",
        ),
        pytest.param(
            "chainer",
            {"chainer_linear.py": script("chainer_linear.py")},
            "chainer_linear.py",
            "FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/line.npz'",
            id="Chainer, no model",
        ),
    ],
)
def test_a_model_that_cannot_be_served_says_why_and_ends_the_container(
    client: docker.DockerClient,
    tmp_path: Path,
    image: str,
    files: dict[str, str],
    program: str,
    said: str,
) -> None:
    (tmp_path / "model/code").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "model/code" / name).write_text(text)
    environment = {"SAGEMAKER_PROGRAM": program}
    with started(client, image, "serve", tmp_path, environment=environment) as container:
        assert container.wait(timeout=DEADLINE_SECONDS)["StatusCode"] != 0
        assert said in container.logs().decode()


def test_serving_can_be_ended_while_the_model_is_still_being_loaded(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    """On a terminal, as docker-compose has it."""
    (tmp_path / "model/code").mkdir(parents=True)
    slow = "import time\ndef model_fn(directory):\n    print('loading', flush=True)\n"
    (tmp_path / "model/code/inference.py").write_text(slow + "    time.sleep(600)\n")
    with started(client, "chainer", "serve", tmp_path, tty=True) as container:
        wait_for(lambda: b"loading" in container.logs())
        container.stop(timeout=60)
        container.reload()
        state = container.attrs["State"]
    assert state["ExitCode"] == 0, state

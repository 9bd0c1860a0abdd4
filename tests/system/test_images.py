"""The framework images keep the contract of a SageMaker container (contract B6-B9)."""

import io
import json
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
from image_containers import (
    DEADLINE_SECONDS,
    SCOPE,
    THIS_MACHINE,
    archive_of,
    model_of,
    npy,
    object_storage,
    serving,
    started,
    train,
    wait_for,
    wheel_of,
    write_job,
)

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def module_job(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_job(
        tmp_path_factory.mktemp("module"),
        "mxnet_module.py",
        {"epochs": 2, "learning-rate": 0.1},
    )
    code, log = train(client, "mxnet-training", root)
    assert code == 0, log
    return root


@pytest.fixture(scope="module")
def gluon_job(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_job(tmp_path_factory.mktemp("gluon"), "mxnet_gluon.py")
    code, log = train(client, "mxnet-training", root)
    assert code == 0, log
    return root


@pytest.fixture(scope="module")
def chainer_job(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_job(tmp_path_factory.mktemp("chainer"), "chainer_mlp.py")
    code, log = train(client, "chainer", root)
    assert code == 0, log
    return root


def on_network(client: docker.DockerClient, network: Any, host: str) -> dict[str, Any]:
    """Return the options by which a container is `host` to the others of a network."""
    endpoint = client.api.create_endpoint_config(aliases=[host])
    return {
        "hostname": host,
        "network": network.name,
        "networking_config": {network.name: endpoint},
    }


def test_a_finished_job_leaves_a_model_and_the_success_file(module_job: Path) -> None:
    assert sorted(file.name for file in (module_job / "model").iterdir()) == [
        "model-0000.params",
        "model-shapes.json",
        "model-symbol.json",
    ]
    assert (module_job / "output/success").read_text() == ""


@pytest.mark.parametrize(
    "content_type, accept, body",
    [
        ("application/json", "application/json", b"[[1, 2, 3, 4]]"),
        ("text/csv", "application/json", b"1,2,3,4\n"),
        ("application/x-npy", "application/json", npy(np.array([[1, 2, 3, 4]], dtype="float32"))),
    ],
)
def test_a_module_is_served_without_any_script(
    client: docker.DockerClient,
    module_job: Path,
    tmp_path: Path,
    content_type: str,
    accept: str,
    body: bytes,
) -> None:
    with serving(client, "mxnet-inference", model_of(module_job, tmp_path)) as server:
        status, answered, prediction = server.invoke(body, content_type, accept)
    assert (status, answered) == (200, accept), prediction
    [row] = json.loads(prediction)
    assert sum(row) == pytest.approx(1.0)


def test_what_cannot_be_decoded_is_a_500_that_says_so_and_is_logged(
    client: docker.DockerClient, module_job: Path, tmp_path: Path
) -> None:
    with serving(client, "mxnet-inference", model_of(module_job, tmp_path)) as server:
        status, _, body = server.invoke(b"...", "image/png")
        assert status == 500
        assert body.startswith(b"Content type image/png is not supported by this framework.")
        assert server.invoke(b"[[1,", "application/json")[0] == 500
        assert server.invoke(b"[[1, 2, 3, 4]]", "application/json")[0] == 200
        assert b"UnsupportedFormatError" in server.container.logs()


def test_an_accelerator_that_is_announced_is_the_cpu(
    client: docker.DockerClient, module_job: Path, tmp_path: Path
) -> None:
    accelerated = {"SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT": "true"}
    root = model_of(module_job, tmp_path)
    with serving(client, "mxnet-inference", root, **accelerated) as server:
        assert server.invoke(b"[[1, 2, 3, 4]]", "application/json")[0] == 200


def test_a_gluon_script_serves_by_its_own_functions(
    client: docker.DockerClient, gluon_job: Path, tmp_path: Path
) -> None:
    root = model_of(gluon_job, tmp_path, "mxnet_gluon.py")
    with serving(client, "mxnet-inference", root, SAGEMAKER_PROGRAM="mxnet_gluon.py") as server:
        status, answered, body = server.invoke(
            b"[[1, 2, 3, 4], [0, 0, 0, 0]]", "application/json", "application/json"
        )
    assert (status, answered) == (200, "application/json")
    assert len(json.loads(body)) == 2


def test_chainer_reports_and_plots_its_training(chainer_job: Path) -> None:
    assert {"log", "loss.png"} <= {file.name for file in (chainer_job / "output/data").iterdir()}


def test_chainer_answers_npy_in_its_own_precision(
    client: docker.DockerClient, chainer_job: Path, tmp_path: Path
) -> None:
    root = model_of(chainer_job, tmp_path, "chainer_mlp.py")
    rows = np.random.rand(5, 4).astype("float32")
    with serving(client, "chainer", root, SAGEMAKER_PROGRAM="chainer_mlp.py") as server:
        status, answered, body = server.invoke(npy(rows), "application/x-npy", "application/x-npy")
        as_json = server.invoke(json.dumps(rows.tolist()).encode(), "application/json")
    assert (status, answered) == (200, "application/x-npy")
    prediction = np.load(io.BytesIO(body))
    assert (prediction.shape, prediction.dtype) == ((5, 2), np.float32)
    assert np.allclose(json.loads(as_json[2]), prediction, atol=1e-5)


def test_code_is_fetched_from_s3_when_the_model_has_none(
    client: docker.DockerClient, chainer_job: Path, tmp_path: Path
) -> None:
    with object_storage(tmp_path / "state") as (port, storage):
        storage.create_bucket(Bucket="code")
        code = archive_of("chainer_mlp.py")
        storage.put_object(Bucket="code", Key="a/sourcedir.tar.gz", Body=code)
        with serving(
            client,
            "chainer",
            model_of(chainer_job, tmp_path),
            SAGEMAKER_PROGRAM="chainer_mlp.py",
            SAGEMAKER_SUBMIT_DIRECTORY="s3://code/a/sourcedir.tar.gz",
            AWS_ENDPOINT_URL=f"http://{THIS_MACHINE}:{port}",
            AWS_ACCESS_KEY_ID=SCOPE.account,
            AWS_SECRET_ACCESS_KEY="secret",
            AWS_REGION=SCOPE.region,
        ) as server:
            assert server.invoke(b"[[1, 2, 3, 4]]", "application/json")[0] == 200


def test_packages_that_the_code_asks_for_are_installed(
    client: docker.DockerClient, gluon_job: Path, tmp_path: Path
) -> None:
    root = model_of(gluon_job, tmp_path, "mxnet_gluon.py")
    wheel = "answer-1.0-py3-none-any.whl"
    (root / "model/code" / wheel).write_bytes(wheel_of("answer", "VALUE = 42\n"))
    (root / "model/code/requirements.txt").write_text(f"/opt/ml/model/code/{wheel}\n")
    script = root / "model/code/mxnet_gluon.py"
    script.write_text("import answer\nassert answer.VALUE == 42\n" + script.read_text())
    with serving(client, "mxnet-inference", root, SAGEMAKER_PROGRAM="mxnet_gluon.py") as server:
        assert server.invoke(b"[[1, 2, 3, 4]]", "application/json")[0] == 200


@pytest.mark.parametrize("image", ["mxnet-inference", "chainer"])
def test_a_model_that_cannot_be_loaded_ends_the_container(
    client: docker.DockerClient, tmp_path: Path, image: str
) -> None:
    (tmp_path / "model").mkdir()
    with started(client, image, "serve", tmp_path) as container:
        assert container.wait(timeout=DEADLINE_SECONDS)["StatusCode"] != 0
        assert b"model_fn" in container.logs()


def test_serving_ends_on_sigterm_although_a_client_is_connected(
    client: docker.DockerClient, module_job: Path, tmp_path: Path
) -> None:
    with serving(client, "mxnet-inference", model_of(module_job, tmp_path)) as server:
        server.invoke(b"[[1, 2, 3, 4]]", "application/json")
        server.container.stop(timeout=60)
        server.container.reload()
        # It ended by itself, although the client is still there; else it would have been killed.
        assert server.container.attrs["State"]["ExitCode"] == 0


@pytest.mark.parametrize("image", ["mxnet-training", "chainer"])
def test_a_script_that_fails_leaves_the_failure_file(
    client: docker.DockerClient, tmp_path: Path, image: str
) -> None:
    root = write_job(tmp_path / "ml", "failing.py")
    code, log = train(client, image, root)
    assert code == 1, log
    failure = (root / "output/failure").read_text()
    assert failure.startswith("ExecuteUserScriptError:\nExitCode 42\n")
    assert not (root / "output/success").exists()


@pytest.mark.parametrize("image", ["mxnet-training", "chainer"])
def test_a_script_learns_that_its_job_is_being_stopped(
    client: docker.DockerClient, tmp_path: Path, image: str
) -> None:
    root = write_job(tmp_path / "ml", "stoppable.py")
    with started(client, image, "train", root) as container:
        wait_for(lambda: b"working" in container.logs())
        container.stop(timeout=30)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, container.logs().decode()
    assert (root / "model/saved").read_text() == "on SIGTERM"


@pytest.mark.slow
@pytest.mark.parametrize(
    "image, script, hyperparameters",
    [
        (
            "mxnet-training:1.4.1",
            "mxnet_module.py",
            {"epochs": 1, "learning-rate": 0.1, "sagemaker_parameter_server_enabled": True},
        ),
        ("chainer", "chainer_mlp.py", {}),
    ],
)
def test_two_hosts_train_one_model(
    client: docker.DockerClient,
    tmp_path: Path,
    image: str,
    script: str,
    hyperparameters: dict[str, object],
) -> None:
    hosts = ("algo-1", "algo-2")
    network = client.networks.create(f"images-test-{tmp_path.name}")
    try:
        roots = [write_job(tmp_path / host, script, hyperparameters, hosts, host) for host in hosts]
        with (
            started(client, image, "train", roots[1], **on_network(client, network, "algo-2")) as b,
            started(client, image, "train", roots[0], **on_network(client, network, "algo-1")) as a,
        ):
            codes = [host.wait(timeout=DEADLINE_SECONDS)["StatusCode"] for host in (a, b)]
            logs = a.logs().decode() + b.logs().decode()
        assert codes == [0, 0], logs
        assert list((roots[0] / "model").iterdir())
    finally:
        network.remove()


@pytest.mark.parametrize(
    "image, commands",
    [
        ("mxnet-training:1.4.1", ["train"]),
        ("mxnet-training:1.9.1", ["train"]),
        ("mxnet-inference:1.4.1", ["serve"]),
        ("mxnet-inference:1.9.1", ["serve"]),
        ("sagemaker-mxnet:1.4.1", ["train", "serve"]),
        ("chainer:7.8.1", ["train", "serve"]),
    ],
)
def test_an_image_has_its_version_and_the_commands_of_its_purpose(
    client: docker.DockerClient, image: str, commands: list[str]
) -> None:
    reference = f"sagemaker-emulator/{image}"
    assert client.images.get(reference).labels["org.sagemaker-emulator.image"] == image
    framework = "chainer" if "chainer" in image else "mxnet"
    look = f"pip list --format freeze | grep ^{framework}==; for name in train serve; do "
    look += "command -v $name; done; pip check"
    said = client.containers.run(reference, ["sh", "-c", look], remove=True).decode()
    assert said.splitlines() == [
        f"{framework}=={image.partition(':')[2]}",
        *(f"/opt/venv/bin/{command}" for command in commands),
        "No broken requirements found.",
    ]

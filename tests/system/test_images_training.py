"""What a script meets in the training images, and how its failures end (contract B7, B8)."""

import json
from pathlib import Path
from typing import Any

import docker
import pytest
from image_containers import (
    DEADLINE_SECONDS,
    archive_of,
    object_storage,
    started,
    train,
    wheel_of,
    write_job,
)

pytestmark = pytest.mark.docker
HYPERPARAMETERS = {
    "batch-size": 10,
    "flag": "two words",
    "learning-rate": 0.1,
    "layers": {"a": 1, "b": "x"},
    "n": 3,
    "opt": "",
    "units": [64, 10],
    "yes": True,
}
# Of what Amazon's Dockerfiles install; docs/images.md says what is left out.
BOTH = ["boto3", "cv2", "matplotlib.pyplot", "mpi4py.MPI", "numpy", "PIL.Image", "requests"]
BOTH += ["retrying", "scipy.stats", "sagemaker_containers.beta.framework"]
MXNET = ["h5py", "imageio", "mxnet", "pandas", "seaborn", "sklearn.ensemble", "tqdm", "yaml"]


@pytest.fixture(scope="module", params=["mxnet-training:1.4.1", "mxnet-training:1.9.1", "chainer"])
def seen(
    request: pytest.FixtureRequest,
    client: docker.DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What a script was given, as it wrote it down; the job has succeeded."""
    wheel = "answer-1.0-py3-none-any.whl"
    others = {
        "requirements.txt": f"./{wheel}\n".encode(),
        wheel: wheel_of("answer", "VALUE = 42\n"),
        "package/__init__.py": b"",
    }
    source = archive_of("contract.py", others)
    root = write_job(tmp_path_factory.mktemp("ml"), "contract.py", HYPERPARAMETERS, source=source)
    (root / "checkpoints").mkdir()
    code, log = train(client, request.param, root)
    assert code == 0, log
    assert (root / "output/success").read_bytes() == b""
    assert not (root / "output/failure").exists()
    assert (root / "checkpoints/state").read_text() == "saved"
    document: dict[str, Any] = json.loads((root / "output/data/seen.json").read_text())
    return document


def test_hyperparameters_are_arguments(seen: dict[str, Any]) -> None:
    assert seen["arguments"] == [
        *("--batch-size", "10"),
        *("--flag", "two words"),
        *("--layers", "a=1,b=x"),
        *("--learning-rate", "0.1"),
        *("-n", "3"),
        *("--opt", ""),
        *("--units", "[64, 10]"),
        *("--yes", "True"),
    ]


def test_hyperparameters_are_variables_too(seen: dict[str, Any]) -> None:
    environment = seen["environment"]
    assert json.loads(environment["SM_HPS"]) == HYPERPARAMETERS
    assert environment["SM_HP_BATCH-SIZE"] == "10"
    assert environment["SM_HP_FLAG"] == "two words"
    assert json.loads(environment["SM_USER_ARGS"]) == seen["arguments"]


@pytest.mark.parametrize(
    "name, value",
    [
        ("SM_CHANNELS", '["code"]'),
        ("SM_CHANNEL_CODE", "/opt/ml/input/data/code"),
        ("SM_CURRENT_HOST", "algo-1"),
        ("SM_HOSTS", '["algo-1"]'),
        ("SM_INPUT_CONFIG_DIR", "/opt/ml/input/config"),
        ("SM_INPUT_DIR", "/opt/ml/input"),
        ("SM_LOG_LEVEL", "20"),
        ("SM_MODEL_DIR", "/opt/ml/model"),
        ("SM_MODULE_DIR", "/opt/ml/input/data/code/sourcedir.tar.gz"),
        ("SM_MODULE_NAME", "contract"),
        ("SM_NETWORK_INTERFACE_NAME", "eth0"),
        ("SM_NUM_GPUS", "0"),
        ("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"),
        ("SM_OUTPUT_DIR", "/opt/ml/output"),
        ("SM_USER_ENTRY_POINT", "contract.py"),
    ],
)
def test_a_script_finds_its_surroundings_in_variables(
    seen: dict[str, Any], name: str, value: str
) -> None:
    assert seen["environment"][name] == value


def test_the_whole_environment_is_one_document_too(seen: dict[str, Any]) -> None:
    environment = json.loads(seen["environment"]["SM_TRAINING_ENV"])
    assert environment["hyperparameters"] == HYPERPARAMETERS
    assert environment["num_gpus"] == 0
    assert environment["hosts"] == ["algo-1"]


def test_a_script_runs_among_its_own_files_with_the_packages_it_asks_for(
    seen: dict[str, Any],
) -> None:
    assert seen["directory"] == "/opt/ml/code"
    assert {"contract.py", "package", "requirements.txt"} <= set(seen["files"])
    assert seen["answer"] == 42


def test_a_script_of_the_time_of_sagemaker_containers_asks_that_for_its_surroundings(
    seen: dict[str, Any],
) -> None:
    assert seen["job"] == {
        "hyperparameters": HYPERPARAMETERS,
        "channels": {"code": "/opt/ml/input/data/code"},
        "hosts": ["algo-1", ["algo-1"]],
        "model_dir": "/opt/ml/model",
        "output_data_dir": "/opt/ml/output/data",
        "num_gpus": 0,
    }


@pytest.mark.parametrize(
    "image, others",
    [
        ("mxnet-training:1.4.1", MXNET),
        ("mxnet-training:1.9.1", [*MXNET, "gluoncv.model_zoo"]),
        ("chainer", ["chainer", "chainermn"]),
    ],
)
def test_what_scripts_import_from_amazons_images_is_there(
    client: docker.DockerClient, tmp_path: Path, image: str, others: list[str]
) -> None:
    """In one process, as a script does, where one package may break another."""
    command = ["python", "-c", f"import {', '.join(BOTH + others)}"]
    with started(client, image, command, tmp_path) as container:
        code = container.wait(timeout=DEADLINE_SECONDS)["StatusCode"]
        assert code == 0, container.logs().decode()


@pytest.mark.parametrize(
    "source, hyperparameters, failure, said",
    [
        pytest.param(
            archive_of("strict.py", {"strict.py": b"import os\nif os:\n"}),
            {},
            "ExecuteUserScriptError:\nExitCode 1\n",
            "IndentationError: expected an indented block after 'if' statement on line 2",
            id="a syntax error",
        ),
        pytest.param(
            archive_of("strict.py"),
            {"epochs": 1},
            "ExecuteUserScriptError:\nExitCode 1\n",
            "RuntimeError: the labels do not fit the images",
            id="an exception",
        ),
        pytest.param(
            archive_of("strict.py"),
            {"epoch-count": 1},
            "ExecuteUserScriptError:\nExitCode 2\n",
            "strict.py: error: unrecognized arguments: --epoch-count 1",
            id="a hyperparameter that the script rejects",
        ),
        pytest.param(
            archive_of("strict.py"),
            {"sagemaker_program": None},
            "The training entry point name is empty. Set the 'sagemaker_program' hyperparameter",
            "The training entry point name is empty.",
            id="no sagemaker_program",
        ),
        pytest.param(
            archive_of("strict.py"),
            {"sagemaker_program": "absent.py"},
            "ExecuteUserScriptError:\nExitCode 2\n",
            "can't open file '/opt/ml/code/absent.py'",
            id="a script that is not in the archive",
        ),
        pytest.param(
            archive_of("strict.py", {"requirements.txt": b"./absent-1.0-py3-none-any.whl\n"}),
            {},
            "InstallRequirementsError:\nExitCode 1\n",
            "No such file or directory: '/opt/ml/code/absent-1.0-py3-none-any.whl'",
            id="a requirement that is not there",
        ),
    ],
)
def test_a_job_that_cannot_be_done_says_why(
    client: docker.DockerClient,
    tmp_path: Path,
    source: bytes,
    hyperparameters: dict[str, Any],
    failure: str,
    said: str,
) -> None:
    root = write_job(tmp_path / "ml", "strict.py", hyperparameters, source=source)
    code, log = train(client, "mxnet-training:1.4.1", root)
    assert code == 1, log
    assert not (root / "output/success").exists()
    assert (root / "output/failure").read_text().startswith(failure)
    assert said in log


@pytest.mark.parametrize(
    "archive, failure",
    [
        pytest.param(archive_of("failing.py"), "ExecuteUserScriptError:\nExitCode 42\n", id="runs"),
        pytest.param(b"no archive", "tarfile.ReadError: not a gzip file\n", id="no gzip"),
    ],
)
def test_code_is_fetched_from_the_emulator_by_a_container_that_compose_started(
    client: docker.DockerClient, tmp_path: Path, archive: bytes, failure: str
) -> None:
    with object_storage(tmp_path / "state") as (port, storage):
        storage.create_bucket(Bucket="code")
        storage.put_object(Bucket="code", Key="sourcedir.tar.gz", Body=archive)
        root = write_job(
            tmp_path / "ml",
            "failing.py",
            {"sagemaker_submit_directory": "s3://code/sourcedir.tar.gz"},
        )
        # What SDK 2 gives: the emulator as the notebook sees it.
        given = {"AWS_ENDPOINT_URL_S3": f"http://localhost:{port}", "AWS_REGION": "us-east-1"}
        code, log = train(client, "mxnet-training", root, environment=given, tty=True)
    assert code == 1, log
    assert failure in (root / "output/failure").read_text()

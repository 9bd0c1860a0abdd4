"""What users get wrong: every mistake ends in a reason that names it, and leaves nothing behind."""

from typing import Any

import pytest
from endpoint_data import left_of, upload
from framework_jobs import CHAINER, MXNET, MXNET_SERVING, packed, run_script
from running_emulator import Emulator, eventually, unique
from training_data import assert_gone, path_of

pytestmark = pytest.mark.docker

PYTHON = "/opt/venv/bin/python3"
FRAMEWORK = "Framework Error: \nTraceback (most recent call last):\n"
PING = (
    "The primary container for production variant V1 did not pass the ping health check. Please"
    " check CloudWatch logs for this endpoint. The container exited with code "
)


def told(words: str, command: str = f"{PYTHON} -- train.py", code: int = 1) -> tuple[str, str]:
    """Return beginning and end of the toolkit's text about a script."""
    return f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "', (
        f'{words}"\nCommand "{command}"'
    )


TRAINING: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "a syntax error": (
        {"source": {"train.py": b"def train(:\n"}},
        told("SyntaxError: invalid syntax"),
    ),
    "a script that raises": (
        {"source": {"train.py": b"raise ValueError('no images')"}},
        told("ValueError: no images"),
    ),
    "a Chainer script that raises": (
        {"source": {"train.py": b"raise ValueError('no images')"}, "image": CHAINER},
        told("ValueError: no images"),
    ),
    "a script that exits and says nothing": (
        {"source": {"train.py": b"raise SystemExit(42)"}},
        told("", code=42),
    ),
    "a hyperparameter that the script rejects": (
        {
            "program": "mxnet_module.py",
            "hyperparameters": {"epochs": "many", "learning-rate": 0.1},
        },
        told(
            "mxnet_module.py: error: argument --epochs: invalid int value: 'many'",
            f"{PYTHON} -- mxnet_module.py --epochs many --learning-rate 0.1",
            code=2,
        ),
    ),
    "a program that is not in the archive": (
        {"source": {"other.py": b""}},
        told(
            f"{PYTHON}: can't open file '/opt/ml/code/train.py':"
            " [Errno 2] No such file or directory",
            code=2,
        ),
    ),
    "no program": (
        {"source": {"train.py": b""}, "hyperparameters": {"sagemaker_program": None}},
        ("The training entry point name is empty. Set the 'sagemaker_program' hyperparameter", ""),
    ),
    "an archive that is not gzip": (
        {"source": b"no archive"},
        (FRAMEWORK, ""),
    ),
    "an archive that is not in S3": (
        {
            "source": b"",
            "hyperparameters": {"sagemaker_submit_directory": "s3://no-such-bucket-here/a.tar.gz"},
        },
        (FRAMEWORK, ""),
    ),
    "requirements that can't be had": (
        {
            "source": {"train.py": b"", "requirements.txt": b"no-such-package-anywhere"},
            "environment": {"PIP_NO_INDEX": "1"},
        },
        (
            'InstallRequirementsError:\nExitCode 1\nErrorMessage "ERROR: No matching distribution'
            ' found for no-such-package-anywhere"\n',
            f'Command "{PYTHON} -m pip install -r requirements.txt"',
        ),
    ),
}
LAST_OF_A_LONG_TRACEBACK = {
    "an archive that is not gzip": "not a gzip file",
    "an archive that is not in S3": (
        "An error occurred (404) when calling the HeadObject operation: Not Found"
    ),
}
"""What is behind the 1,024 characters of the reason is in the job's log."""
SERVING: dict[str, tuple[str, dict[str, bytes], str]] = {
    "a Chainer script without model_fn": (
        CHAINER,
        {"weights": b"", "code/inference.py": b""},
        "NotImplementedError: Please provide a model_fn implementation.",
    ),
    "a Chainer script with a syntax error": (
        CHAINER,
        {"weights": b"", "code/inference.py": b"def (:\n"},
        "SyntaxError: invalid syntax",
    ),
    "a Chainer script that can't find its model": (
        CHAINER,
        {"code/inference.py": b"def model_fn(where): return open(where + '/weights')"},
        "FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/weights'",
    ),
    "an archive without an MXNet model": (
        MXNET_SERVING,
        {"code/inference.py": b""},
        "ValueError: Failed to load model with default model_fn: missing file model-symbol.json.",
    ),
}


@pytest.mark.parametrize("mistake", TRAINING)
def test_a_mistake_in_a_training_job_is_named_in_its_reason(
    emulator: Emulator, mistake: str
) -> None:
    name, (asked, (begins, ends)) = unique("bad"), TRAINING[mistake]
    source = asked.get("source")
    if isinstance(source, dict):
        asked = {**asked, "source": packed(source)}
    run_script(emulator, name, **{"program": "train.py", "image": MXNET, **asked})
    ended = emulator.ended(name)
    assert path_of(ended) == ["Starting", "Training", "Uploading", "Failed"]
    reason = ended["FailureReason"]
    assert reason.startswith(f"AlgorithmError: {begins}"), reason
    assert reason.endswith(f"{ends}, exit code: 1"), reason
    if words := LAST_OF_A_LONG_TRACEBACK.get(mistake):
        assert any(words in line for line in emulator.output(name)[-10:])
    assert_gone(emulator, name)


@pytest.mark.parametrize("mistake", SERVING)
def test_a_mistake_in_an_endpoint_is_named_in_its_reason(emulator: Emulator, mistake: str) -> None:
    image, files, words = SERVING[mistake]
    variables = {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    model = emulator.model(
        Image=image, ModelDataUrl=upload(emulator, packed(files)), Environment=variables
    )
    name = emulator.deploy(emulator.config({"ModelName": model}))
    endpoint = emulator.endpoint(name)
    assert endpoint["EndpointStatus"] == "Failed"
    assert endpoint["FailureReason"].startswith(f"{PING}3. Its last words: {words}")
    eventually(lambda: not left_of(emulator, name), what=f"nothing is left of {name}")
    emulator.delete(name)

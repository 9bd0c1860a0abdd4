"""The `serve` command: fetch the user's code, install what it asks for, run gunicorn.

SIGTERM ends it at any moment. gunicorn loads the model before it answers; a model that cannot be
loaded ends the container with an exit code other than 0.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from emulator_toolkit import claim, endpoint

MODEL_CODE = Path("/opt/ml/model/code")
FETCHED_CODE = Path("/opt/ml/code")


def defaults(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the image sets for serving and the container does not."""
    pairs = (pair.partition("=") for pair in environment.get("EMULATOR_SERVE_DEFAULTS", "").split())
    return {name: value for name, _, value in pairs if name not in environment}


def server_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return gunicorn's arguments.

    Threads let /ping answer while the model works; the application itself runs one prediction at
    a time per worker. The timeout is off unless asked for, since it would also limit how long a
    model may take to load.
    """
    port = environment.get("SAGEMAKER_BIND_TO_PORT", "8080")
    return [
        "emulator_toolkit.application:create()",
        *("--bind", f"0.0.0.0:{port}"),
        *("--workers", environment.get("SAGEMAKER_MODEL_SERVER_WORKERS") or "1"),
        *("--timeout", environment.get("SAGEMAKER_MODEL_SERVER_TIMEOUT") or "0"),
        *("--worker-class", "emulator_toolkit.worker.Worker", "--threads", "4"),
        *("--keep-alive", "75", "--graceful-timeout", "30"),
        *("--worker-tmp-dir", "/dev/shm", "--log-level", "warning"),
    ]


def must_fetch(submitted: str, program: str, code: Path) -> bool:
    """Tell whether the user's code is still in S3.

    SDK 1.x leaves Chainer's code, and that of MXNet before 1.4, in `s3://…/sourcedir.tar.gz`. Newer
    models carry their code, and then the same variable may name the model archive: code that is
    there already wins.

    Args:
        submitted: SAGEMAKER_SUBMIT_DIRECTORY.
        program: SAGEMAKER_PROGRAM.
        code: where the model archive has its code, if it has any.
    """
    if not submitted.startswith("s3://"):
        return False
    return not (code / program).exists() if program else not code.exists()


def fetch(submitted: str, code: Path) -> None:
    """Download and unpack the user's code as the training toolkit does."""
    from sagemaker_training import files

    print(f"Fetching {submitted}", flush=True)
    files.download_and_extract(submitted, str(code))


def install_requirements(code: Path) -> None:
    """Install the packages that code/requirements.txt names; exits if one cannot be had."""
    requirements = code / "requirements.txt"
    if not requirements.exists():
        return
    print(f"Installing the packages of {requirements}", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--requirement", str(requirements)]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"Cannot install the packages of {requirements}; see pip's message above.")


def main() -> None:
    """Prepare and run the model server."""
    # Until gunicorn has its own handlers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    endpoint.apply()
    os.environ.update(defaults(os.environ))
    if os.environ.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true":
        sys.exit("This image does not serve multi-model endpoints (SAGEMAKER_MULTI_MODEL).")
    code = MODEL_CODE
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    program = os.environ.get("SAGEMAKER_PROGRAM", "")
    if must_fetch(submitted, program, code):
        code = FETCHED_CODE
        fetch(submitted, code)
    install_requirements(code)
    claim.apply()
    sys.path.insert(0, str(code))
    os.environ["PYTHONPATH"] = os.pathsep.join(
        entry for entry in (str(code), os.environ.get("PYTHONPATH", "")) if entry
    )
    from gunicorn.app.wsgiapp import run

    sys.argv = ["serve", *server_arguments(os.environ)]
    run()

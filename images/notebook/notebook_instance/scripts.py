"""Lifecycle scripts: run as root before Jupyter starts, each within its time (contract E)."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from notebook_instance.failures import SCRIPT_FAILED, SCRIPT_TOO_SLOW, StartFailed
from notebook_instance.instance import Script
from notebook_instance.output import relay

PATH = "/sbin:/bin:/usr/sbin:/usr/bin"
_LAST_LINES_SECONDS = 2.0


def run(script: Script, seconds: int) -> None:
    """Run a script to its end, passing its output on.

    What it left running in the background goes on, and speaks on.

    Raises:
        StartFailed: it exits with another code than 0, or takes too long; then it is killed with
            what it started.
    """
    with tempfile.TemporaryDirectory(prefix="lifecycle-") as folder:
        process = subprocess.Popen(
            command(script.file, Path(folder)),
            cwd="/",
            env={**os.environ, "PATH": PATH, "HOME": "/root"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout
        speaking = threading.Thread(target=relay, args=(script.stream, process.stdout), daemon=True)
        speaking.start()
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            speaking.join(_LAST_LINES_SECONDS)
            raise StartFailed(
                SCRIPT_TOO_SLOW, f"The script {script.stream} took longer than {seconds} seconds"
            ) from None
        speaking.join(_LAST_LINES_SECONDS)
    if code:
        raise StartFailed(SCRIPT_FAILED, f"The script {script.stream} failed with exit code {code}")


def command(file: Path, folder: Path) -> list[str]:
    """Return how a script is run: by what its first line names, else by bash.

    Args:
        folder: where a copy of it is made executable.
    """
    if file.read_bytes()[:2] != b"#!":
        return ["/bin/bash", str(file)]
    copy = Path(shutil.copy(file, folder))
    copy.chmod(0o700)
    return [str(copy)]

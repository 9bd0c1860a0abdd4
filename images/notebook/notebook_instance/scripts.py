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
from notebook_instance.output import relay, say

PATH = "/sbin:/bin:/usr/sbin:/usr/bin"
_LAST_LINES_SECONDS = 2.0
_CANNOT_EXECUTE = 126
"""The exit code that shells have for it."""


def run(script: Script, seconds: int) -> None:
    """Run a script to its end, passing its output on.

    What it left running in the background goes on, and speaks on.

    Raises:
        StartFailed: it exits with another code than 0, or takes too long; then it is killed with
            what it started.
    """
    with tempfile.TemporaryDirectory(prefix="lifecycle-") as folder:
        try:
            process = _begin(command(script.file, Path(folder)))
        except OSError as error:
            say(script.stream, bad_interpreter(script.file, error))
            raise _failed(script, _CANNOT_EXECUTE) from None
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
        raise _failed(script, code)


def _failed(script: Script, code: int) -> StartFailed:
    return StartFailed(SCRIPT_FAILED, f"The script {script.stream} failed with exit code {code}")


def _begin(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd="/",
        env={**os.environ, "PATH": PATH, "HOME": "/root"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def bad_interpreter(file: Path, error: OSError) -> str:
    """Return what a shell says of a script whose first line names what cannot run it.

    Most often that line ends in CR LF, and the CR belongs to the name.
    """
    shown = interpreter(file).decode("utf-8", "replace").replace("\r", "^M")
    return f"/bin/bash: {file.name}: {shown}: bad interpreter: {error.strerror}"


def interpreter(file: Path) -> bytes:
    """Return the program that a script's first line names, empty if it names none."""
    mark, _, named = file.read_bytes().partition(b"\n")[0].partition(b"#!")
    return b"" if mark else named.strip(b" \t").partition(b" ")[0]


def command(file: Path, folder: Path) -> list[str]:
    """Return how a script is run: by what its first line names, without a name by bash.

    Args:
        folder: where a copy of it is made executable.
    """
    if not interpreter(file):
        return ["/bin/bash", str(file)]
    copy = Path(shutil.copy(file, folder))
    copy.chmod(0o700)
    return [str(copy)]

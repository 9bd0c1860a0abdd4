"""An emulator of one's own: started on a free port, stopped when it is not needed any more."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 60


class EmulatorFailed(Exception):
    """The emulator ended before it served, or did not stop cleanly; the message has its log."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    url: str
    log: Path
    process: "subprocess.Popen[str]"

    def reset(self) -> None:
        """Remove all resources, objects and containers of it."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"{self.url}/_emulator/reset", data=b"", timeout=_STOP_SECONDS).close()

    def stop(self) -> None:
        """Stop it; raises EmulatorFailed if that takes too long or goes wrong."""
        code = _end(self.process)
        if code != 0:
            raise EmulatorFailed(_told(f"The emulator's exit code is {code}", self.log))


def start(state: Path, log: Path) -> Emulator:
    """Run `sagemaker-emulator up` and return when it serves; its log goes to the file `log`.

    Raises:
        EmulatorFailed: it ended at once.
    """
    command = [sys.executable, "-m", "emulator.cli", "up", "--port", "0", "--state", str(state)]
    with log.open("w") as errors:
        # A session of its own: Ctrl-C in the terminal is ours to handle, and stops it once.
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
    except BaseException:
        _end(process)
        raise
    if not line.startswith("ready "):
        _end(process)
        raise EmulatorFailed(_told("The emulator did not start", log))
    return Emulator(line.removeprefix("ready ").strip(), log, process)


def _end(process: "subprocess.Popen[str]") -> int:
    """Stop the process if it still runs, and return its exit code."""
    with process:
        process.terminate()
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _told(what: str, log: Path) -> str:
    return "\n  ".join((f"{what}. The end of {log}:", *last_lines(log)))


def point_at(variables: Mapping[str, str | None]) -> None:
    """Set and unset variables of this process, as `eval "$(sagemaker-emulator env)"` would."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def last_lines(log: Path, count: int = 15) -> list[str]:
    """Return the end of a log file."""
    return log.read_text(errors="replace").splitlines()[-count:]

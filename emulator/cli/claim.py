"""One emulator per state directory: a lock that ends with the process that holds it.

The lock is the kernel's (flock), so a killed emulator leaves none behind; the file's text only
tells others who holds it. It never deletes anything of the state.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from emulator.errors import PermanentError

FILE = "emulator.lock"
_TRIES = 5
_TRY_SECONDS = 0.02


class StateInUse(PermanentError):
    """Another emulator works on the state directory."""


class StateUnusable(PermanentError):
    """The state directory can't be made or written."""


@dataclass(frozen=True)
class Holder:
    """Who holds a state directory; the URL is empty until it serves."""

    pid: int
    url: str = ""


class Claim:
    """The held lock; `announce` tells others the URL."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.announce("")

    def announce(self, url: str) -> None:
        text = json.dumps(asdict(Holder(os.getpid(), url))).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)


@contextlib.contextmanager
def claimed(state: Path) -> Iterator[Claim]:
    """Hold the state directory, which is made if need be.

    Raises:
        StateInUse: another process holds it; the message names its pid.
        StateUnusable: it can't be made or written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        _hide_from_git(state)
        descriptor = os.open(state / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise StateUnusable(
            f"The state directory {state} can't be used: {problem.strerror}. "
            "Choose another one with --state DIR."
        ) from None
    try:
        if not _locked(descriptor):
            raise StateInUse(_refusal(state))
        yield Claim(descriptor)
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _hide_from_git(state: Path) -> None:
    """Keep a project's repository from taking the state in, where the directory is all ours."""
    if not any(state.iterdir()):
        (state / ".gitignore").write_text("# made by sagemaker-emulator\n*\n")


def holder(state: Path) -> Holder | None:
    """Return who holds the state directory, or None; never blocks and changes nothing."""
    try:
        descriptor = os.open(state / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(state)
    finally:
        os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool:
    """Take the lock; tries for an instant, because `holder` takes it for one when it looks."""
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_TRY_SECONDS)
    return False


def _read(state: Path) -> Holder:
    """Return the holder by the file's text, with pid 0 in the instant before it is written."""
    try:
        return Holder(**json.loads((state / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return Holder(0)


def _refusal(state: Path) -> str:
    who = _read(state)
    at = f" at {who.url}" if who.url else ""
    return (
        f"The state directory {state} is in use by another emulator (pid {who.pid}){at}. "
        "Use that one, stop it, or choose another directory with --state DIR."
    )

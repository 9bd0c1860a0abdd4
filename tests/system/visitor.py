"""A new user of this machine: not root, with a checkout and its environment, and shells to type in.

What `make install` does once a minute is done here in a second: the environment is Python's own
`venv`, with the packages of the environment that runs the tests.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from emulator.sockets import engine_sockets, is_socket
from tests.source_tree import copy_to

_PATIENCE = 30.0
_PATH = "/usr/local/bin:/usr/bin:/bin"
_PACKAGES = [path for path in map(Path, sys.path) if path.name == "site-packages"]


@dataclass
class Visitor:
    """A user, and the folder of their checkout.

    Attributes:
        prefix: what runs a command as the user.
    """

    name: str
    home: Path
    prefix: tuple[str, ...] = ()
    shells: "list[Shell]" = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        return self.home / "sagemaker-emulator"

    def run(self, *command: str, **options: bool) -> "subprocess.CompletedProcess[str]":
        """Run a command as the user, with next to no variables."""
        return subprocess.run(
            [*self.prefix, *command],
            env=self.variables(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=options.get("check", True),
            timeout=120,
        )

    def variables(self) -> dict[str, str]:
        """Return what a fresh login has, and the engine if it is at no usual place."""
        found = {"PATH": _PATH, "HOME": str(self.home), "USER": self.name, "LANG": "C.UTF-8"}
        host = os.environ.get("DOCKER_HOST", "")
        usual = {f"unix://{path}" for path in engine_sockets({})}
        return found | ({"DOCKER_HOST": host} if host and host not in usual else {})

    def shell(self) -> "Shell":
        """Open a shell in the checkout."""
        opened = Shell(self)
        self.shells.append(opened)
        return opened


class Shell:
    """A shell of the user, into which one command after the other is typed."""

    _MARK = "--- end of the command:"

    def __init__(self, visitor: Visitor) -> None:
        self._process = subprocess.Popen(
            [*visitor.prefix, "bash", "--noprofile", "--norc"],
            env=visitor.variables(),
            cwd=visitor.checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a signal reaches what it starts, too
            text=True,
        )
        self._stopping: signal.Signals | None = None
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.put(line)

    def type(self, command: str) -> None:
        """Type a command; what it prints is for `until` or `finish` to see."""
        assert self._process.stdin is not None
        self._process.stdin.write(f'{command}\necho "{self._MARK} $?"\n')
        self._process.stdin.flush()

    def until(self, line: str, *, within: float) -> None:
        """Return when the command that runs has printed a line; fails when it did not in time."""
        seen = ""
        deadline = time.monotonic() + within
        while line not in seen.splitlines():
            seen += self._line(deadline, seen)

    def finish(self, *, within: float) -> tuple[int, str]:
        """Return the exit code of the command that was typed, and what it printed."""
        seen, deadline = "", time.monotonic() + within
        while True:
            line = self._line(deadline, seen)
            text, mark, code = line.partition(self._MARK)
            seen += text
            if mark:
                return int(code), seen

    def _line(self, deadline: float, seen: str) -> str:
        try:
            return self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            raise AssertionError(f"not in time; so far it printed:\n{seen}") from None

    def close(self) -> None:
        """End the shell and what runs in it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        deadline = time.monotonic() + _PATIENCE
        while self._send(signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL):
            self._process.poll()
            time.sleep(0.05)
        self._process.wait(_PATIENCE)

    def _send(self, number: signal.Signals) -> bool:
        """Send a signal to the shell and what it started; returns whether any of it is left."""
        try:
            os.killpg(self._process.pid, number if self._stopping is not number else 0)
        except ProcessLookupError:
            return False
        self._stopping = number
        return True


@contextmanager
def visiting(folder: Path) -> Iterator[Visitor]:
    """Let a new user in, who may speak to the engine; whoever is not root is their own visitor.

    Args:
        folder: the home of a user who is not new.
    """
    if os.geteuid() != 0:
        visitor = Visitor(pwd.getpwuid(os.getuid()).pw_name, folder)
        visitor.home.mkdir(exist_ok=True)
    else:
        name = f"visitor-{os.getpid()}"
        group = _engines_group()
        joined = ("--groups", group) if group else ()
        subprocess.run([_tool("useradd"), "--create-home", *joined, name], check=True)
        home = Path(pwd.getpwnam(name).pw_dir)
        visitor = Visitor(name, home, (_tool("runuser"), "--user", name, "--"))
    try:
        yield visitor
    finally:
        for shell in visitor.shells:
            shell.close()
        if visitor.prefix:
            subprocess.run(
                [_tool("userdel"), "--remove", visitor.name], check=True, capture_output=True
            )


def _tool(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert found, f"{name} is needed to become another user"
    return found


def _engines_group() -> str:
    """Return the group of the engine's socket, empty if the engine has none here."""
    scheme, _, path = os.environ.get("DOCKER_HOST", "").partition("://")
    if scheme and scheme != "unix":
        return ""
    found = [Path(path)] if scheme else [each for each in engine_sockets({}) if is_socket(each)]
    assert found, "no engine's socket is there: make engine"
    assert found[0].stat().st_gid != 0, f"{found[0]} is open to root alone"
    return found[0].group()


def check_out(visitor: Visitor) -> None:
    """Give the visitor a copy of the source tree as it is now, and its environment."""
    copy_to(visitor.checkout)
    if visitor.prefix:
        owner = f"{visitor.name}:"
        subprocess.run(["chown", "--recursive", owner, str(visitor.home)], check=True)
    # Afterwards: links to the packages of others must not change hands.
    _make_environment(visitor)


def _make_environment(visitor: Visitor) -> None:
    """Make `.venv` as `make install` does, but for the download of packages."""
    venv = visitor.checkout / ".venv"
    python = _python(visitor)
    subprocess.run([python, "-m", "venv", "--without-pip", str(venv)], check=True)
    [packages] = (venv / "lib").glob("python3*/site-packages")
    found = [str(visitor.checkout)]
    if visitor.run("ls", *map(str, _PACKAGES), check=False).returncode == 0:
        found += map(str, _PACKAGES)
    else:
        # They are where this user may not look, such as below /root.
        for each in _PACKAGES:
            shutil.copytree(each, packages, dirs_exist_ok=True, copy_function=_link)
        for hook in packages.glob("__editable__*"):
            hook.unlink()
    (packages / "tests.pth").write_text("\n".join(found))
    for script in Path(sys.prefix, "bin").iterdir():
        _copy_script(script, venv / "bin" / script.name)
    (venv / ".installed").touch()


def _python(visitor: Visitor) -> str:
    """Return an interpreter of our version that the visitor may run."""
    name = f"python3.{sys.version_info.minor}"
    for python in (os.path.realpath(sys.executable), f"/usr/local/bin/{name}", f"/usr/bin/{name}"):
        if os.path.exists(python) and not visitor.run(python, "-c", "", check=False).returncode:
            return python
    raise AssertionError(f"{visitor.name} can run no {name}: install it in /usr/bin")


def _link(source: str, target: str) -> str:
    if os.path.exists(target):
        return target  # what comes first on the path is imported
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _copy_script(script: Path, target: Path) -> None:
    """Copy a command of the environment that runs the tests, for the interpreter of another one."""
    if target.exists() or not script.is_file() or not script.stat().st_mode & stat.S_IXUSR:
        return
    first, _, rest = script.read_bytes().partition(b"\n")
    if first.startswith(b"#!") and b"python" in first:
        target.write_bytes(b"#!" + bytes(target.parent / "python") + b"\n" + rest)
        target.chmod(0o755)

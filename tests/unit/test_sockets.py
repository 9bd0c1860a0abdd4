"""Who may use an engine's socket, and what is said to who may not."""

import grp
import os
import pickle
import pwd
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripts_of_tree import load

from emulator import sockets
from emulator.catalogue.engine import engine
from emulator.cli import doctor
from emulator.errors import PermanentError
from emulator.settings import Settings

USER = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(1)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def socket_file(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The socket of an engine that only root and a group may use; DOCKER_HOST is not set."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with (
        tempfile.TemporaryDirectory(prefix="engine-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        path = Path(folder) / "engine.sock"
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o660)
        if os.geteuid() == 0:
            os.chown(path, 0, GROUP.gr_gid)
        Path(folder).chmod(0o755)
        monkeypatch.setattr(sockets, "engine_sockets", lambda environment: iter([path]))
        yield path


def as_nobody(call: Callable[[], Any]) -> Any:
    """Return what a call returns in a process of the user `nobody`, who is in no other group."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(USER.pw_gid)
            os.setuid(USER.pw_uid)
            os.write(writable, pickle.dumps(call()))
        except BaseException as error:
            os.write(writable, pickle.dumps(error))
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        answer = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    if isinstance(answer, BaseException):
        raise answer
    return answer


@needs_root
def test_a_user_outside_the_engines_group_is_told_that_group(socket_file: Path) -> None:
    # The other user may not be able to read the modules of this project.
    import docker.utils  # noqa: F401

    import emulator.launch.docker.engine  # noqa: F401

    found = as_nobody(lambda: doctor.check_engine(Settings()))
    assert not found.ok
    assert str(socket_file) in found.text
    assert found.mend == (
        f"sudo usermod --append --groups {GROUP.gr_name} {USER.pw_name}, then log in again"
    )


@needs_root
def test_building_and_making_an_engine_say_the_same(socket_file: Path) -> None:
    def build() -> None:
        with engine():
            pass

    with pytest.raises(PermanentError, match=f"--groups {GROUP.gr_name} {USER.pw_name}, then log"):
        as_nobody(build)

    script = load("engine")

    def provide(script: ModuleType = script) -> str:
        script.usual_sockets = lambda environment: [socket_file]
        with pytest.raises(script.Refused) as refused:
            script.refuse_to_install()
        return str(refused.value)

    assert f"usermod --append --groups {GROUP.gr_name} {USER.pw_name}" in as_nobody(provide)


@needs_root
def test_a_session_that_is_older_than_the_membership_is_told_to_begin_anew(
    socket_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getgrouplist", lambda user, group: [group, GROUP.gr_gid])
    said = as_nobody(lambda: sockets.way_in(socket_file))
    assert said == (
        f"log in again: this session began before {USER.pw_name} was in the group {GROUP.gr_name}"
    )


@needs_root
def test_a_socket_of_its_owner_alone_is_no_matter_of_groups(socket_file: Path) -> None:
    os.chown(socket_file, 0, 0)
    assert "use it as root" in as_nobody(lambda: sockets.way_in(socket_file))


@needs_root
def test_a_directory_of_another_user_has_no_engine_for_this_one(tmp_path: Path) -> None:
    hidden = tmp_path / "runtime"
    hidden.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(hidden), "HOME": "/nonexistent"}
    assert as_nobody(lambda: sockets.is_socket(hidden / "docker.sock")) is False
    assert as_nobody(lambda: load("engine").is_socket(hidden / "docker.sock")) is False
    assert hidden / "docker.sock" in list(sockets.engine_sockets(environment))


def test_a_socket_that_may_be_used_is_not_closed(socket_file: Path) -> None:
    assert sockets.closed_socket({}) is None
    assert sockets.closed_socket({"DOCKER_HOST": f"unix://{socket_file}"}) is None
    assert sockets.closed_socket({"DOCKER_HOST": "tcp://127.0.0.1:1"}) is None

"""The order of a start: scripts, repositories, then Jupyter until the instance is stopped."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from notebook_instance import account, repositories, scripts
from notebook_instance.failures import StartFailed
from notebook_instance.instance import FOLDER, Instance, read
from notebook_instance.output import FAILURE, JUPYTER, relay, say

_PYTHON = "/opt/jupyter/bin/python3"
# What lifecycle scripts leave in /etc/profile.d, notebooks have, too.
_PROFILED = 'for file in /etc/profile.d/*.sh; do . "$file" </dev/null; done; exec "$0" "$@"'
_PID = Path("/run/notebook-instance.pid")
_STOP_SECONDS = 4.0


def main() -> int:
    """Start the instance and serve it; returns the container's exit code."""
    # Until Jupyter is there to be told.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    # A handler and not SIG_IGN, which scripts would inherit.
    signal.signal(signal.SIGHUP, lambda *_: None)
    _PID.write_text(f"{os.getpid()}\n")
    instance = read()
    try:
        prepare(instance)
    except StartFailed as failure:
        say(FAILURE, str(failure))
        return failure.code
    return serve(instance)


def prepare(instance: Instance) -> None:
    """Do what must be done before Jupyter starts; raises StartFailed."""
    account.allow_engine()
    if instance.root_access:
        account.allow_root()
    user = account.account()
    account.configure_aws(user, os.environ)
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chown(FOLDER, user.user, user.group)
    if scratch := os.environ.get("TMPDIR"):
        Path(scratch).chmod(0o1777)
    for port, to in instance.forward.items():
        _forward(port, to)
    for script in instance.scripts:
        scripts.run(script, instance.script_seconds)
    for repository in instance.repositories:
        repositories.provide(repository, FOLDER, user)


def _forward(port: int, to: str) -> None:
    """Lead a port of the loopback to another machine, where local mode's endpoint listens."""
    listening = f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"
    subprocess.Popen(
        ["socat", listening, f"TCP:{to}"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def serve(instance: Instance) -> int:
    """Run Jupyter until it ends or is told to; SIGHUP has it end and begin again."""
    server = _server(instance)
    again = False

    def stop(signum: int, frame: FrameType | None) -> None:
        server.terminate()
        # Kernels end with the container, whatever they do.
        last = threading.Timer(_STOP_SECONDS, os._exit, [0])
        last.daemon = True
        last.start()

    def restart(signum: int, frame: FrameType | None) -> None:
        nonlocal again
        again = True
        server.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, restart)
    while True:
        assert server.stdout
        relay(JUPYTER, server.stdout)
        code = server.wait()
        if not again:
            return code
        again = False
        server = _server(instance)


def _server(instance: Instance) -> subprocess.Popen[bytes]:
    """Start Jupyter as the instance's user."""
    user = account.account()
    process = subprocess.Popen(
        ["/bin/bash", "-c", _PROFILED, _PYTHON, "-m", "notebook_instance.server"],
        cwd=FOLDER,
        env=user.environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **user.as_user(),
    )
    assert process.stdin
    # The configuration is root's alone: its key would let whoever reads it sign URLs.
    with process.stdin as told:
        told.write(_told(instance))
    return process


def _told(instance: Instance) -> bytes:
    """Return what the server is told of the instance, in lines."""
    default = next((each.directory for each in instance.repositories if each.default), "")
    return f"{instance.name}\n{instance.key.hex()}\n{default}\n".encode()


if __name__ == "__main__":
    sys.exit(main())

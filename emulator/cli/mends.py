"""Commands that mend something, for the way in which this emulator was installed.

In a checkout there is a Makefile; from a wheel there is none, and the system's own tools must do.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

from emulator import sources

COMMAND = "sagemaker-emulator"


def command() -> str:
    """Return how a shell calls this command: by its name, where PATH leads to this installation."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m emulator.cli"
    found = shutil.which(COMMAND)
    if called.name != COMMAND or (found and called.exists() and os.path.samefile(found, called)):
        return COMMAND
    return shlex.quote(str(called))


def engine() -> str:
    """Return what provides a container engine."""
    if host := os.environ.get("DOCKER_HOST"):
        return f"start the engine at {host}, or unset DOCKER_HOST to use one on this machine"
    if target := _make("engine"):
        return target
    if sys.platform == "darwin":
        return "start Docker Desktop, colima or Rancher Desktop"
    if shutil.which("dockerd", path=_system_path()):
        systemd = Path("/run/systemd/system").is_dir()
        return "sudo systemctl start docker" if systemd else "sudo dockerd"
    if shutil.which("apt-get"):
        return "sudo apt-get install docker.io"
    return "install Docker or Podman with the system's package manager, and start it"


def compose() -> str:
    """Return what provides docker-compose and the `docker` command."""
    if target := _make("compose"):
        return target
    if shutil.which("apt-get"):
        return "sudo apt-get install docker.io docker-compose"
    return "install Docker's command line and docker-compose"


def images(*names: str) -> str:
    """Return what builds images."""
    if sources.folder("images") is None:
        return "build them on the machine itself: an installation that has their sources can"
    return " ".join((command(), "images", "build", *names))


def _make(target: str) -> str:
    root = sources.checkout()
    if root is None:
        return ""
    here = Path.cwd() == root
    return f"make {target}" if here else f"make -C {shlex.quote(str(root))} {target}"


def _system_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

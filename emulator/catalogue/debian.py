"""Root file systems made of Debian packages, for a machine without a container registry.

mmdebstrap downloads and unpacks signed packages; nothing of this machine's own file system gets
into an image.
"""

import os
import platform
import shutil
import subprocess
import threading
from pathlib import Path

from emulator.errors import PermanentError

SUITE = "bookworm"
_PYTHON = ("python3",)
# Without maintainer scripts, in a few seconds: for what no container is started from as it is.
# The programs that their extraction, or a build on top of them, runs.
_PROGRAMS = {
    "builder": (
        *("python3", "python3-dev", "python3-venv", "libgomp1", "libquadmath0"),
        *("bash", "coreutils", "dash", "grep", "gzip", "sed", "tar"),
    ),
    "notebook-tools": (),
}
# What the packages' own scripts would have done, and what is of no use in an image.
_HOOKS = {
    "builder": (
        'ln -sf dash "$1/bin/sh"',
        'echo "root:x:0:0:root:/root:/bin/sh" > "$1/etc/passwd"',
        'echo "root:x:0:" > "$1/etc/group"',
        'ldconfig -r "$1"',
    ),
    "notebook-tools": (
        # The engine is another machine's part: only its command line is wanted.
        'cd "$1/usr/bin" && rm -f containerd* ctr runc docker-init docker-proxy ../sbin/runc',
        'rm -f "$1/usr/sbin/dockerd" "$1/usr/sbin/docker-init" "$1/usr/sbin/docker-proxy"',
        'cd "$1" && rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info',
    ),
}
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")

_installing = threading.Lock()

MISSING = (
    "mmdebstrap is needed to make the base image out of Debian packages. On Debian or Ubuntu: "
    "sudo apt-get install mmdebstrap debian-archive-keyring. On another system, or to start from "
    "a registry's official Python image instead: sagemaker-emulator images build --images-pull"
)
OTHER_PROCESSOR = (
    "MXNet has wheels for x86-64 only, so the images are made for that. An engine that emulates it "
    "can build them from a registry's image: sagemaker-emulator images build --images-pull"
)


def read_packages(file: Path) -> list[str]:
    """Return the package names of a list with one name per line and `#` comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def make_tree(name: str, packages: list[str], tarball: Path) -> None:
    """Write the root file system of an image that is a `tree` to `tarball`.

    Raises:
        PermanentError: mmdebstrap is absent and cannot be installed, or it failed.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        raise PermanentError(OTHER_PROCESSOR)
    provide_mmdebstrap()
    if name == "base":
        options = ["--variant=minbase", f"--include={','.join((*_PYTHON, *packages))}"]
        options += [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
    else:
        options = ["--variant=extract", f"--include={','.join((*_PROGRAMS[name], *packages))}"]
        options += [f"--extract-hook={hook}" for hook in _HOOKS[name]]
    command = ["mmdebstrap", *options, '--aptopt=Acquire::Languages "none"', SUITE, str(tarball)]
    # ldconfig is not on an ordinary user's PATH.
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise PermanentError(f"mmdebstrap cannot make '{name}':\n{tail}")


def provide_mmdebstrap() -> None:
    """Install mmdebstrap if it is absent and this is root on Debian or Ubuntu.

    Images are made side by side, and the package manager serves one at a time: the first one
    installs, the others wait for it.

    Raises:
        PermanentError: it is absent and stays so; the message says what to do.
    """
    with _installing:
        if shutil.which("mmdebstrap"):
            return
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise PermanentError(MISSING)
        apt = ["apt-get", "--yes", "-o", "DPkg::Lock::Timeout=120"]
        packages = ["mmdebstrap", "debian-archive-keyring"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        said = ""
        for action in (["update"], ["install", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [*apt, *action], env=environment, capture_output=True, text=True, check=False
            )
            said = done.stderr.strip()
        if not shutil.which("mmdebstrap"):
            raise PermanentError(f"{MISSING}\napt-get said: {said[-500:]}")

"""The Python packages of an image, downloaded on this machine; never inside a build.

pip runs here, with this machine's own configuration: a proxy, a private index or a certificate
that works for the user works for the images too. Every file is checked against the lock's hashes.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from emulator.errors import PermanentError

# The images' Python and C library; MXNet has no wheel for any other processor.
_PYTHON = ("--python-version", "3.11", "--implementation", "cp")
_ABIS = ("--abi", "cp311", "--abi", "abi3", "--abi", "none")
_NEWEST_GLIBC_MINOR = 36
_PLATFORMS = [
    *(f"manylinux_2_{minor}_x86_64" for minor in range(_NEWEST_GLIBC_MINOR, 4, -1)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"),
]


def cache_directory() -> Path:
    """Return where downloads are kept between builds."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "sagemaker-emulator"


def download(image: str, lock: Path) -> Path:
    """Return a directory with every file that `lock` names, downloading it if need be.

    Raises:
        PermanentError: pip could not get or would not accept a file; has the end of pip's output.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    image = image.replace(":", "-")
    directory = cache_directory() / "wheels" / f"{image}-{digest}"
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    for outdated in directory.parent.glob(f"{image}-{'?' * len(digest)}"):
        shutil.rmtree(outdated, ignore_errors=True)
    # Renamed when complete, so that an interrupted download is never taken for a whole one.
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        partial = Path(scratch) / "files"
        _pip_download(lock, partial)
        partial.rename(directory)
    return directory


def _pip_download(lock: Path, into: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise PermanentError(
            f"{sys.executable} has no pip, which downloads the packages of images. Install it with:"
            f" {sys.executable} -m ensurepip (or: uv pip install pip)"
        )
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--requirement", str(lock), "--dest", str(into)),
        *_PYTHON,
        *_ABIS,
    ]
    for platform in _PLATFORMS:
        command += ["--platform", platform]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraint:
        # To read the name of a package published as source, pip runs its setup.py; old ones
        # import pkg_resources, which later releases of setuptools no longer have.
        constraint.write("setuptools<81\n")
        constraint.flush()
        environment = {
            **os.environ,
            "PIP_CONSTRAINT": constraint.name,
            "PIP_BUILD_CONSTRAINT": constraint.name,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise PermanentError(f"pip cannot download {lock}:\n" + "\n".join(lines[-15:]))

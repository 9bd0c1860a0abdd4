"""The directory of one training host: what becomes /opt/ml in its container."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from emulator import trees
from emulator.launch.contract import write

FAILURE_BYTES = 64 * 1024
"""What is read of /opt/ml/output/failure; far more than a FailureReason may have (contract B4)."""


class Workspace:
    """The files of one host.

    Attributes:
        root: a directory of this job and host alone; `root/x` is `/opt/ml/x` in the container.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    def manifest(self, name: str) -> Path:
        return self.root / "input" / "data" / f"{name}-manifest"

    def prepare(self, files: Mapping[str, bytes]) -> None:
        """Make the directories and write the configuration files; twice does no harm.

        Args:
            files: contents by path relative to the root.
        """
        for directory in (self.model, self.output / "data", self.root / "input" / "data"):
            directory.mkdir(parents=True, exist_ok=True)
        write(self.root, files)

    def fresh_channel(self, name: str) -> Path:
        """Return the channel's directory, empty."""
        directory = self.channel(name)
        trees.remove(directory)
        directory.mkdir(parents=True)
        return directory

    def failure_text(self) -> str:
        """Return what the container wrote to /opt/ml/output/failure, as far as anybody reads it."""
        try:
            with open_regular(self.output / "failure") as file:
                raw = file.read(FAILURE_BYTES)
        except OSError:
            return ""
        return raw.decode("utf-8", "replace")


def open_regular(path: Path) -> BinaryIO:
    """Open a file that a container wrote; raises OSError for a link, a pipe or a directory.

    A link of that name could lead anywhere on this machine, and a pipe would block.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path.name} is not a regular file")
    return file

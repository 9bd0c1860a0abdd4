"""Directories that others have filled: removed whole, however deep they are."""

import logging
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


def remove(directory: Path) -> None:
    """Remove a directory and all that is in it; absent is fine, and what has to stay is logged.

    A container may leave a tree of thousands of levels. Python's own removal recurses, and holds a
    file descriptor for each of them; where it gives up, ``rm`` goes on, which does neither.
    """
    with suppress(RecursionError):
        shutil.rmtree(directory, ignore_errors=True)
    if directory.is_symlink() or directory.exists():
        command = ["rm", "-rf", "--", str(directory)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            log.warning("%s stays: %s", directory, done.stderr.partition("\n")[0])

"""Leaves of a tree of unpacked packages what the image has not got; run while it is built.

Whatever both have is of the same Debian release, and there it is configured.
"""

import shutil
import sys
from pathlib import Path


def prune(tree: Path, image: Path) -> None:
    """Remove from `tree` what is not to be copied over `image`."""
    # As in the image, where these lead to /usr.
    for name in ("bin", "sbin", "lib", "lib64"):
        aside = tree / name
        if aside.is_dir() and not aside.is_symlink():
            shutil.copytree(aside, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(aside)
    for name in ("boot", "dev", "proc", "sys", "run", "tmp", "root", "home", "var"):
        shutil.rmtree(tree / name, ignore_errors=True)
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_symlink() or not path.is_dir():
            there = image / path.relative_to(tree)
            if there.exists() or there.is_symlink():
                path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()


if __name__ == "__main__":
    prune(Path(sys.argv[1]), Path(sys.argv[2]))

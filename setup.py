"""Puts the sources of images and the compose file into a wheel; pyproject.toml has all the rest.

They stay at the top of the source tree, where people look for them: emulator/sources.py finds both.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

COPY = Path("emulator") / "source_tree"
FOLDERS = ("images", "compose")


class WithSourceTree(build_py):
    """Copies the folders beside the package into it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / COPY
        # What an earlier build left there may have been removed from the tree since.
        shutil.rmtree(target, ignore_errors=True)
        for name in FOLDERS:
            left_behind = shutil.ignore_patterns(".*", "__pycache__", "*.pyc")
            shutil.copytree(name, target / name, ignore=left_behind)


setup(cmdclass={"build_py": WithSourceTree})

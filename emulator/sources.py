"""Where the parts are that are no Python package: the sources of images, and the compose file.

In a checkout they lie beside this package. A wheel has a copy inside it, which setup.py makes.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
COPY = "source_tree"
"""Folder of this package that a wheel has them in."""


def checkout() -> Path | None:
    """Return the root of the source tree that this package is a part of, None when installed."""
    root = _PACKAGE.parent
    return root if (root / "Makefile").is_file() and (root / "scripts").is_dir() else None


def folder(name: str) -> Path | None:
    """Return `images` or `compose`; None where neither a checkout nor a wheel has brought it."""
    for parent in (_PACKAGE.parent, _PACKAGE / COPY):
        if (parent / name / "README.md").is_file():
            return parent / name
    return None


def package_of(images: Path) -> Path:
    """Return this package as the image of the emulator gets it: what lies beside its sources."""
    beside = images.parent / _PACKAGE.name
    return beside if beside.is_dir() else _PACKAGE

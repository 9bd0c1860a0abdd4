"""The images that this project builds, in which order and from which files; pure but for reading.

An image's *fingerprint* is a digest of all that goes into it. It is kept as a label, so that an
image that is up to date is not built again.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emulator.errors import PermanentError
from emulator.names import LABEL_PREFIX

IMAGE_LABEL = LABEL_PREFIX + "image"
FINGERPRINT_LABEL = LABEL_PREFIX + "fingerprint"
STAGE_LABEL = LABEL_PREFIX + "stage"


@dataclass(frozen=True)
class Recipe:
    """How one image is made.

    Attributes:
        parents: images that must exist first.
        version: a second tag besides ``latest``.
        toolkit: the build sees images/toolkit.
        wheels: the build sees the packages of the image's requirements.lock.
        tree: made of Debian packages unless a registry may be asked.
        source: the build sees the emulator's own package, the one that this file is part of.
    """

    name: str
    parents: tuple[str, ...] = ()
    version: str | None = None
    toolkit: bool = False
    wheels: bool = False
    tree: bool = False
    source: bool = False


_BOTH = ("base", "builder")
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("base", tree=True),
        Recipe("builder", tree=True),
        Recipe("mxnet-environment", _BOTH, wheels=True),
        Recipe("chainer-environment", _BOTH, wheels=True),
        Recipe("mxnet-training", ("mxnet-environment",), "1.9.1", toolkit=True),
        Recipe("mxnet-inference", ("mxnet-environment",), "1.9.1", toolkit=True),
        Recipe("chainer", ("chainer-environment",), "7.8.1", toolkit=True),
        Recipe("emulator-environment", _BOTH, wheels=True),
        Recipe("emulator", ("emulator-environment",), source=True),
    )
}
# What jobs and endpoints are started from.
FINAL = tuple(name for name, recipe in RECIPES.items() if recipe.version)
# What is built unless told otherwise; all others are only steps on the way.
WANTED = (*FINAL, "emulator")


def source_directory() -> Path:
    """Return images/ of the source tree; raises PermanentError when installed without it."""
    directory = Path(__file__).resolve().parents[2] / "images"
    if not (directory / "base" / "packages").is_file():
        raise PermanentError(
            f"There are no image sources at {directory}: images are built from a checkout of the "
            "source tree. Run this there; the emulator itself needs only the built images."
        )
    return directory


def recipe(name: str) -> Recipe:
    """Return the recipe of an image; raises PermanentError for an unknown name."""
    try:
        return RECIPES[name]
    except KeyError:
        raise PermanentError(f"No image '{name}'. There are: {', '.join(WANTED)}.") from None


def files_of(name: str, source: Path) -> Iterator[tuple[str, Path]]:
    """Yield `(path in the build context, file)` for all that an image is made of, sorted."""
    folders = [(source / name, "")]
    if recipe(name).toolkit:
        folders.append((source / "toolkit", "toolkit/"))
    if recipe(name).source:
        folders.append((source.parent / "emulator", "source/emulator/"))
    for folder, prefix in folders:
        for file in sorted(folder.rglob("*")):
            path = file.relative_to(folder)
            # What tools leave behind is hidden or a cache, and no part of an image.
            left_behind = any(part.startswith((".", "__pycache__")) for part in path.parts)
            if file.is_file() and not left_behind and path.name != "README.md":
                yield prefix + path.as_posix(), file


def is_command(file: Path) -> bool:
    """Tell whether a file is executable in the image; the rest of its mode is not kept."""
    return bool(file.stat().st_mode & 0o100)


def fingerprint(name: str, source: Path) -> str:
    """Return a digest of an image's files and of its parents' fingerprints."""
    digest = hashlib.sha256()
    for parent in recipe(name).parents:
        digest.update(fingerprint(parent, source).encode())
    for path, file in files_of(name, source):
        digest.update(f"\0{path}\0{is_command(file)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]

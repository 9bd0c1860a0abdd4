"""The images that this project builds, in which order and from which files; pure but for reading.

An image's *fingerprint* is a digest of all that goes into it. It is kept as a label, so that an
image that is up to date is not built again.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emulator import sources
from emulator.errors import PermanentError
from emulator.names import LABEL_PREFIX

IMAGE_LABEL = LABEL_PREFIX + "image"
FINGERPRINT_LABEL = LABEL_PREFIX + "fingerprint"
STAGE_LABEL = LABEL_PREFIX + "stage"


@dataclass(frozen=True)
class Recipe:
    """How one image is made.

    Attributes:
        name: the folder of its sources; ``folder:version`` when there is one image per version.
        parents: images that must exist first.
        toolkit: the build sees images/toolkit.
        wheels: the build sees the packages of the image's requirements.lock.
        tree: made of Debian packages unless a registry may be asked.
        source: the build sees the emulator's own package, the one that this file is part of.
        clients: the build sees the part of it that the programs of clients load.
        started: containers are started from it, for jobs, endpoints and notebook instances.
    """

    name: str
    parents: tuple[str, ...] = ()
    toolkit: bool = False
    wheels: bool = False
    tree: bool = False
    source: bool = False
    clients: bool = False
    started: bool = False

    @property
    def folder(self) -> str:
        """The folder of images/ that has its Dockerfile."""
        return self.name.partition(":")[0]

    @property
    def version(self) -> str:
        """The framework's or algorithm's version, the build argument VERSION; empty without one."""
        return self.name.partition(":")[2]


def _started(name: str, *parents: str, clients: bool = False) -> Recipe:
    return Recipe(name, parents, toolkit=True, clients=clients, started=True)


_BOTH = ("base", "builder")
# The versions of one folder from the oldest to the newest.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("base", tree=True),
        Recipe("builder", tree=True),
        Recipe("mxnet-environment", _BOTH, wheels=True),
        Recipe("chainer-environment", _BOTH, wheels=True),
        Recipe("mxnet:1.4.1", ("mxnet-environment",), wheels=True),
        Recipe("mxnet:1.9.1", ("mxnet-environment",), wheels=True),
        _started("mxnet-training:1.4.1", "mxnet:1.4.1"),
        _started("mxnet-training:1.9.1", "mxnet:1.9.1"),
        _started("mxnet-inference:1.4.1", "mxnet:1.4.1"),
        _started("mxnet-inference:1.9.1", "mxnet:1.9.1"),
        Recipe("mxnet-inference-eia:1.4.1", ("mxnet-inference:1.4.1",), started=True),
        Recipe("mxnet-inference-eia:1.9.1", ("mxnet-inference:1.9.1",), started=True),
        _started("sagemaker-mxnet:1.4.1", "mxnet:1.4.1"),
        _started("image-classification:1", "mxnet:1.9.1"),
        _started("chainer:7.8.1", "chainer-environment"),
        Recipe("notebook-tools", ("base",), tree=True),
        Recipe("jupyter", ("builder",), wheels=True),
        Recipe("sagemaker-sdk:1.72.1", ("builder",), wheels=True),
        Recipe("sagemaker-sdk:2.257.7", ("builder",), wheels=True),
        Recipe(
            "notebook-environment",
            ("base", "notebook-tools", "jupyter", "sagemaker-sdk:1.72.1", "sagemaker-sdk:2.257.7"),
        ),
        _started("notebook", "notebook-environment", clients=True),
        Recipe("emulator-environment", _BOTH, wheels=True),
        Recipe("emulator", ("emulator-environment",), source=True),
    )
}
# What containers are started from.
FINAL = tuple(name for name, recipe in RECIPES.items() if recipe.started)
# What is built unless told otherwise; all others are only steps on the way.
WANTED = (*FINAL, "emulator")


def source_directory() -> Path:
    """Return images/ of the source tree or of the wheel; raises PermanentError without either."""
    directory = sources.folder("images")
    if directory is None:
        raise PermanentError(
            "This installation has no sources of images: they are in a checkout of the source tree"
            " and in a wheel. Build images there; the emulator itself needs only the built images."
        )
    return directory


def named(name: str) -> tuple[str, ...]:
    """Return the images that a name means: itself, or without a version every version.

    Raises PermanentError for an unknown name.
    """
    found = tuple(each for each in RECIPES if name in (each, RECIPES[each].folder))
    if not found:
        raise PermanentError(f"No image '{name}'. There are: {', '.join(WANTED)}.")
    return found


def is_newest(name: str) -> bool:
    """Tell whether an image is its folder's newest version, which is tagged ``latest`` too."""
    return named(RECIPES[name].folder)[-1] == name


def lock_of(name: str, source: Path) -> Path:
    """Return the requirements.lock of an image that has `wheels`."""
    return source / RECIPES[name].folder / RECIPES[name].version / "requirements.lock"


def files_of(name: str, source: Path) -> Iterator[tuple[str, Path]]:
    """Yield `(path in the build context, file)` for all that an image is made of, sorted.

    Of an image with several versions, the folder named after the version is a part, the others
    are not.
    """
    recipe = RECIPES[name]
    folders = [(source / recipe.folder, "")]
    if recipe.toolkit:
        folders.append((source / "toolkit", "toolkit/"))
    if recipe.source:
        folders.append((sources.package_of(source), "source/emulator/"))
    if recipe.clients:
        folders.append((sources.package_of(source) / "clients", "clients/"))
    for folder, prefix in folders:
        for file in sorted(folder.rglob("*")):
            path = file.relative_to(folder)
            # What tools leave behind is hidden or a cache, and no part of an image.
            left_behind = any(part.startswith((".", "__pycache__")) for part in path.parts)
            copied = path.parts[0] == sources.COPY  # of these very files, in a wheel
            others = path.parts[0][:1].isdigit() and path.parts[0] != recipe.version
            if (
                file.is_file()
                and not (left_behind or others or copied)
                and path.name != "README.md"
            ):
                yield prefix + path.as_posix(), file


def is_command(file: Path) -> bool:
    """Tell whether a file is executable in the image; the rest of its mode is not kept."""
    return bool(file.stat().st_mode & 0o100)


def fingerprint(name: str, source: Path) -> str:
    """Return a digest of an image's version and files and of its parents' fingerprints."""
    digest = hashlib.sha256(RECIPES[name].version.encode())
    for parent in RECIPES[name].parents:
        digest.update(fingerprint(parent, source).encode())
    for path, file in files_of(name, source):
        digest.update(f"\0{path}\0{is_command(file)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]

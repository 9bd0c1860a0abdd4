"""Building and listing the images.

Runs on its own too: `python -m emulator.catalogue.build [NAME…]`. Nothing is pulled from a
registry unless `pull` says so.
"""

import argparse
import logging
import os
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import IO, Any

from docker.errors import APIError, ImageNotFound

from emulator.catalogue import debian, table, wheels
from emulator.catalogue.engine import engine
from emulator.catalogue.recipes import (
    FINAL,
    FINGERPRINT_LABEL,
    IMAGE_LABEL,
    RECIPES,
    STAGE_LABEL,
    WANTED,
    Recipe,
    files_of,
    fingerprint,
    is_command,
    is_newest,
    lock_of,
    named,
    source_directory,
)
from emulator.errors import PermanentError

log = logging.getLogger(__name__)

Progress = Callable[[str], None]
# MXNet has no wheel for any other.
PLATFORM = "linux/amd64"
_PARALLEL = 3


@dataclass(frozen=True)
class ImageState:
    """One of our images as the engine has it.

    Attributes:
        image_id: content id, None when it is not built.
        size: bytes, 0 when it is not built.
        current: built from exactly the present sources; without sources, whatever is built is.
    """

    name: str
    reference: str
    image_id: str | None
    size: int
    current: bool


def build(
    names: Iterable[str] = (), *, on_progress: Progress, pull: bool = False, fresh: bool = False
) -> list[str]:
    """Build images and what they are built on; what is up to date is left alone.

    Args:
        names: images by name, with or without a version; none means all.
        on_progress: called with one line per step, from several threads.
        pull: the base may come from a registry.
        fresh: build anew what is up to date, for newer Debian packages.

    Returns:
        The names of the images that were built now.

    Raises:
        PermanentError: the engine does not answer, or a step failed; says which and why.
    """
    source = source_directory()
    wanted = tuple(image for name in names for image in named(name)) or WANTED
    with engine() as client:
        graph = _graph(wanted, lambda name: fresh or not _state(client, name, source).current)
        for name in wanted:
            if name not in graph:
                on_progress(f"{name}: up to date")
        replaced = {name: _inspect(client, name) for name in graph if name in RECIPES}
        done = _run(graph, _Work(client, source, on_progress, pull).make)
        # The last first: an image with others on top of it cannot be removed.
        for name in reversed(done):
            _remove_nameless(client, replaced[name])
        if done:
            client.images.prune(filters={"dangling": True, "label": f"{STAGE_LABEL}=environment"})
    return done


def listing() -> list[ImageState]:
    """Return the state of every image that containers are started from.

    Raises:
        PermanentError: the engine does not answer.
    """
    source: Path | None
    try:
        source = source_directory()
    except PermanentError:
        source = None
    with engine() as client:
        return [_state(client, name, source) for name in FINAL]


def _state(client: Any, name: str, source: Path | None) -> ImageState:
    found = _inspect(client, name)
    reference = table.local_name(name)
    if found is None:
        return ImageState(name, reference, None, 0, current=False)
    built_from = found.labels.get(FINGERPRINT_LABEL)
    current = source is None or built_from == fingerprint(name, source)
    return ImageState(name, reference, found.id, int(found.attrs["Size"]), current)


def _inspect(client: Any, name: str) -> Any | None:
    try:
        return client.images.get(table.local_name(name))
    except ImageNotFound:
        return None


def _remove_nameless(client: Any, image: Any | None) -> None:
    """Remove an image that a newer one has replaced, unless it has a name or a container."""
    if image is None:
        return
    # An image that still has a name would lose it: removing by id takes the last name away.
    with suppress(ImageNotFound, APIError):
        image.reload()
        if not image.tags:
            client.images.remove(image.id)


def _graph(names: Iterable[str], outdated: Callable[[str], bool]) -> dict[str, tuple[str, ...]]:
    """Return what must be built, each with what must be built before it."""
    graph: dict[str, tuple[str, ...]] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in graph and outdated(name):
            graph[name] = RECIPES[name].parents
            pending.extend(RECIPES[name].parents)
            if RECIPES[name].wheels:
                graph[name] += (f"{name} packages",)
                graph[f"{name} packages"] = ()
    return {name: tuple(p for p in parents if p in graph) for name, parents in graph.items()}


def _awaited(graph: dict[str, tuple[str, ...]]) -> Counter[str]:
    """Return how many others wait for each node, directly or not."""
    needed: dict[str, set[str]] = {}
    for node in TopologicalSorter(graph).static_order():
        needed[node] = set(graph[node]).union(*(needed[parent] for parent in graph[node]))
    return Counter(parent for parents in needed.values() for parent in parents)


def _run(graph: dict[str, tuple[str, ...]], make: Callable[[str], None]) -> list[str]:
    """Call `make` for every node after those it needs, several at a time; stops at a failure.

    What most others wait for comes first.
    """
    awaited = _awaited(graph)
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    running: dict[Future[None], str] = {}
    done: list[str] = []
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="images") as pool:
        try:
            while sorter.is_active():
                ready = sorted(sorter.get_ready(), key=awaited.__getitem__, reverse=True)
                running.update({pool.submit(make, node): node for node in ready})
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    node = running.pop(finished)
                    finished.result()
                    sorter.done(node)
                    done.append(node)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [node for node in done if node in RECIPES]


class _Work:
    """One run of `build`: makes a node of the graph, reporting its start and end."""

    def __init__(self, client: Any, source: Path, progress: Progress, pull: bool) -> None:
        self._client = client
        self._source = source
        self._progress = progress
        self._pull = pull
        self._speaking = threading.Lock()

    def make(self, node: str) -> None:
        began = time.monotonic()
        image = node.removesuffix(" packages")
        if node != image:
            self._say(f"{node}: downloading")
            wheels.download(image, lock_of(image, self._source))
        elif RECIPES[node].tree and not self._pull:
            self._import_tree(RECIPES[node])
        else:
            self._build(RECIPES[node])
        self._say(f"{node}: done in {time.monotonic() - began:.0f} s")

    def _say(self, line: str) -> None:
        with self._speaking:
            self._progress(line)

    def _labels(self, name: str) -> dict[str, str]:
        return {IMAGE_LABEL: name, FINGERPRINT_LABEL: fingerprint(name, self._source)}

    def _import_tree(self, recipe: Recipe) -> None:
        self._say(f"{recipe.name}: unpacking Debian packages")
        packages = debian.read_packages(self._source / recipe.name / "packages")
        with tempfile.TemporaryDirectory(prefix="sagemaker-emulator-") as scratch:
            tarball = Path(scratch) / "root.tar"
            debian.make_tree(recipe.name, packages, tarball)
            labels = [f"LABEL {key}={value}" for key, value in self._labels(recipe.name).items()]
            repository, _, tag = table.local_name(recipe.name).partition(":")
            self._client.api.import_image_from_file(
                str(tarball), repository, tag, changes=["ENV LANG=C.UTF-8", *labels]
            )

    def _build(self, recipe: Recipe) -> None:
        self._say(f"{recipe.name}: building")
        with tempfile.TemporaryFile() as context:
            self._write_context(recipe, context)
            context.seek(0)
            lines = self._client.api.build(
                fileobj=context,
                custom_context=True,
                encoding=None,
                tag=table.local_name(recipe.name),
                labels=self._labels(recipe.name),
                buildargs={"VERSION": recipe.version} if recipe.version else {},
                platform=PLATFORM,
                pull=self._pull and recipe.name == "base",
                rm=True,
                forcerm=True,
                decode=True,
            )
            self._follow(recipe.name, lines)
        if recipe.version and is_newest(recipe.name):
            repository, _, newest = table.local_name(recipe.folder).partition(":")
            self._client.api.tag(table.local_name(recipe.name), repository, newest)

    def _write_context(self, recipe: Recipe, context: IO[bytes]) -> None:
        with tarfile.open(fileobj=context, mode="w") as archive:
            for path, file in files_of(recipe.name, self._source):
                entry = archive.gettarinfo(file, path)
                entry.mode = 0o755 if is_command(file) else 0o644
                with file.open("rb") as content:
                    archive.addfile(entry, content)
            if recipe.wheels:
                lock = lock_of(recipe.name, self._source)
                archive.add(wheels.download(recipe.name, lock), "wheels")

    def _follow(self, name: str, lines: Iterable[dict[str, Any]]) -> None:
        """Consume the engine's output; raises PermanentError with its end if the build failed."""
        tail: list[str] = []
        error = ""
        # To the end, also after an error: only then is the connection given back.
        for line in lines:
            text = str(line.get("stream", "")).strip()
            if text:
                tail = [*tail[-19:], text]
                log.debug("%s: %s", name, text)
            error = str(line.get("error", error)).strip()
        if error:
            ending = "\n".join([*tail, error])
            raise PermanentError(f"Building the image '{name}' failed:\n{ending}")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> int:
    """Build the images named on the command line, or all; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m emulator.catalogue.build", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(WANTED))
    parser.add_argument("--pull", action="store_true", help="the base may come from a registry")
    parser.add_argument("--fresh", action="store_true", help="build what is up to date, too")
    options = parser.parse_args()
    pull = options.pull or os.environ.get("EMULATOR_IMAGES_PULL") == "1"
    try:
        build(
            options.names,
            on_progress=_say,
            pull=pull,
            fresh=options.fresh,
        )
    except PermanentError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

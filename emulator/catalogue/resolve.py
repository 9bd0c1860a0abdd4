"""From the image a client names to the image that runs; never touches the engine itself.

An image that the engine has under exactly this name always wins, as it is. Otherwise the table
says which of our images stands in, with a warning for every difference that could be noticed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emulator.catalogue.table import contents_of, image_for, local_name, repositories
from emulator.catalogue.uris import (
    FrameworkTag,
    by_preference,
    is_same,
    parse_framework_tag,
    parse_image_uri,
)
from emulator.errors import PermanentError

Present = Callable[[str], str | None]


@dataclass(frozen=True)
class Resolved:
    """The image that runs.

    Attributes:
        reference: what the client named.
        image: the engine's name of the image.
        image_id: content id, ``sha256:…``.
        warnings: sentences for a log, one per difference between `reference` and `image`.
        cpu_warning: the one of them that says a GPU image was asked for; empty without it.
    """

    reference: str
    image: str
    image_id: str
    warnings: tuple[str, ...] = ()
    cpu_warning: str = ""


def resolve(reference: str, *, present: Present) -> Resolved:
    """Return the local image for `reference`.

    Args:
        reference: an ECR URI, or any image name the engine may have.
        present: the content id of a local image by its name, None if the engine has none.

    Raises:
        PermanentError: nothing local stands for it; the message says how to provide it.
    """
    image_id = present(reference)
    if image_id is not None:
        return Resolved(reference, reference, image_id)
    uri = parse_image_uri(reference)
    if uri is None:
        raise PermanentError(
            f"No image '{reference}' on this machine, and images are never pulled. Build it, or "
            f"pull it yourself, and check with: docker image inspect {reference}"
        )
    name = image_for(uri.repository)
    if name is None:
        raise PermanentError(
            f"No image '{reference}' on this machine and none that stands in for the repository "
            f"'{uri.repository}' (those are: {', '.join(repositories())}). "
            f"Provide one with: docker tag YOUR-IMAGE {reference}"
        )
    asked = parse_framework_tag(uri.tag)
    versions = contents_of(name).versions
    wanted = by_preference(versions, asked.version) if asked else [versions[-1]]
    for version, image in _candidates(name, wanted, asked):
        image_id = present(image)
        if image_id is not None:
            warnings = tuple(_differences(reference, name, version, asked)) if asked else ()
            on_cpu = _on_cpu(reference) if asked and asked.processor == "gpu" else ""
            return Resolved(reference, image, image_id, warnings, on_cpu)
    best = f"{name}:{wanted[0]}"
    raise PermanentError(
        f"No image '{reference}' on this machine, and the one that stands in for it, "
        f"'{local_name(best)}', is not built. Build it with: sagemaker-emulator images build "
        f"{best}. Or provide your own: docker tag YOUR-IMAGE {reference}"
    )


def _candidates(
    name: str, wanted: list[str], asked: FrameworkTag | None
) -> Iterator[tuple[str, str]]:
    """Yield ``(version, image)``, the best first; an image of somebody's own may be of any."""
    if asked is None:
        yield wanted[0], local_name(name)
        return
    for version in dict.fromkeys([asked.version, *wanted]):
        yield version, local_name(f"{name}:{version}")


def _differences(name: str, image: str, version: str, asked: FrameworkTag) -> Iterator[str]:
    if not is_same(version, asked.version):
        yield (
            f"'{name}' runs on {contents_of(image).framework} {version}, the nearest version that"
            f" there is here, not {asked.version}."
        )
    if asked.processor == "gpu":
        yield _on_cpu(name)
    if asked.python == "py2":
        yield f"'{name}' runs on Python 3: Python 2 is not provided."


def _on_cpu(name: str) -> str:
    return f"'{name}' runs on the CPU: there is no GPU variant of the local image."

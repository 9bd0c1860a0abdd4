"""From the image a client names to the image that runs; never touches the engine itself.

An image that the engine has under exactly this name always wins, as it is. Otherwise the table
says which of our images stands in, with a warning for every difference that could be noticed. For a
repository that is not Amazon's, an image of the same repository and tag runs: one of another region
or account first, else one that is named without a registry. A warning says which.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from emulator.catalogue.table import contents_of, image_for, local_name, repositories
from emulator.catalogue.uris import (
    FrameworkTag,
    ImageUri,
    by_preference,
    is_same,
    parse_framework_tag,
    parse_image_uri,
)
from emulator.errors import PermanentError

Present = Callable[[str], str | None]
Held = Callable[[], Iterable[str]]


def _nothing() -> Iterable[str]:
    return ()


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


def resolve(reference: str, *, present: Present, held: Held = _nothing) -> Resolved:
    """Return the local image for `reference`.

    Args:
        reference: an ECR URI, or any image name the engine may have.
        present: the content id of a local image by its name, None if the engine has none.
        held: every name that the engine's images have; asked for only if nothing else is found.

    Raises:
        PermanentError: nothing local stands for it; the message says how to provide it.
    """
    image_id = present(reference)
    if image_id is not None:
        return Resolved(reference, reference, image_id)
    # ECR here tells the engine's id of an image as its digest: content, whatever its name.
    _, _, digest = reference.partition("@")
    if digest and (image_id := present(digest)):
        return Resolved(reference, digest, image_id)
    # Like the engine, ECR takes a name without a tag for the latest.
    uri = parse_image_uri(reference) or parse_image_uri(f"{reference}:latest")
    if uri is None:
        raise PermanentError(
            f"No image '{reference}' on this machine, and images are never pulled. Build it, or "
            f"pull it yourself, and check with: docker image inspect {reference}"
        )
    name = image_for(uri.repository)
    stand_in = _stand_in(name, reference, uri, present) if name else None
    found = stand_in or _namesake(reference, uri, present, held)
    if found is not None:
        return found
    if name is None:
        raise PermanentError(
            f"No image '{reference}' on this machine and none that stands in for the repository "
            f"'{uri.repository}' (those are: {', '.join(repositories())}). "
            f"Provide one with: docker tag YOUR-IMAGE {reference}"
        )
    best = f"{name}:{_wanted(name, parse_framework_tag(uri.tag))[0]}"
    raise PermanentError(
        f"No image '{reference}' on this machine, and the one that stands in for it, "
        f"'{local_name(best)}', is not built. Build it with: sagemaker-emulator images build "
        f"{best}. Or provide your own: docker tag YOUR-IMAGE {reference}"
    )


def _stand_in(name: str, reference: str, uri: ImageUri, present: Present) -> Resolved | None:
    """Return our image of this name in the version that fits best; None if none is built."""
    asked = parse_framework_tag(uri.tag)
    for version, image in _candidates(name, _wanted(name, asked), asked):
        image_id = present(image)
        if image_id is not None:
            warnings = tuple(_differences(reference, name, version, asked)) if asked else ()
            on_cpu = _on_cpu(reference) if asked and asked.processor == "gpu" else ""
            return Resolved(reference, image, image_id, warnings, on_cpu)
    return None


def _namesake(reference: str, uri: ImageUri, present: Present, held: Held) -> Resolved | None:
    """Return an image of the same repository and tag, wherever it is named for."""
    parsed = (parse_image_uri(name) for name in held())
    same = (
        other
        for other in parsed
        if other is not None and (other.repository, other.tag) == (uri.repository, uri.tag)
    )
    # The same account comes first, then the same region.
    elsewhere = sorted(
        same,
        key=lambda each: (each.account != uri.account, each.region != uri.region, str(each)),
    )
    for image in (*map(str, elsewhere), f"{uri.repository}:{uri.tag}"):
        image_id = present(image)
        if image_id is not None:
            warning = f"There is no image '{reference}' on this machine: '{image}' runs instead."
            return Resolved(reference, image, image_id, (warning,))
    return None


def _wanted(name: str, asked: FrameworkTag | None) -> list[str]:
    versions = contents_of(name).versions
    return by_preference(versions, asked.version) if asked else [versions[-1]]


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

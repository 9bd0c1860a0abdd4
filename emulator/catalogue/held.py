"""The images that the engine has, by the names that clients use for them; never asks by itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.catalogue.resolve import Resolved, resolve
from emulator.catalogue.seal import is_given
from emulator.catalogue.table import names_in
from emulator.catalogue.uris import ImageUri, parse_image_uri

Described = Mapping[str, Any]
"""An image as the engine describes it."""


@dataclass(frozen=True)
class EcrImage:
    """An image under one of its names on ECR.

    Attributes:
        digest: the engine's content id, ``sha256:…``.
        created: epoch seconds.
    """

    uri: ImageUri
    digest: str
    size: int
    created: float


class HeldImages:
    """Answers by what the engine says at the moment.

    Args:
        find: one image by a name, None if there is none.
        listed: all images.
    """

    def __init__(
        self, find: Callable[[str], Described | None], listed: Callable[[], Iterable[Described]]
    ) -> None:
        self._find = find
        self._listed = listed

    def resolve(self, reference: str) -> Resolved:
        """Return the image that runs for a reference; raises PermanentError if none does."""
        return resolve(reference, present=self._present, held=self._names)

    def on_ecr(self) -> list[EcrImage]:
        """Return every image that has a name on ECR, once for each of these names."""
        return [
            EcrImage(uri, str(image["Id"]), int(image["Size"]), float(image["Created"]))
            for image in self._listed()
            for name in image.get("RepoTags") or ()
            if (uri := parse_image_uri(name)) is not None
        ]

    def _present(self, name: str) -> str | None:
        """Return the id of an image, None for a name that the emulator itself gave to a copy."""
        found, uri = self._find(name), parse_image_uri(name)
        if found is None or (uri and uri in names_in(uri.region) and is_given(found)):
            return None
        return str(found["Id"])

    def _names(self) -> Iterator[str]:
        return (name for image in self._listed() for name in image.get("RepoTags") or ())

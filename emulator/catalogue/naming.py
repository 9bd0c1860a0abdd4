"""Our images under the exact names of Amazon's, for the SDKs' local mode, which starts them itself.

A name is given to a copy of an image of ours that adds the emulator's URL and nothing else, since a
container that the SDK starts knows of no endpoint but AWS's. A copy carries a seal over what it
consists of, so that an image that somebody made from it, and that has its labels, is not taken for
one. A name that somebody's own image has stays with that image.
"""

import fcntl
import http.client
import io
import logging
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docker.errors import APIError

from emulator.catalogue.engine import engine
from emulator.catalogue.resolve import resolve
from emulator.catalogue.seal import SEAL_LABEL, is_given, seal_of
from emulator.catalogue.table import REPOSITORY_PREFIX, names_in
from emulator.catalogue.uris import ImageUri, parse_image_uri
from emulator.errors import PermanentError
from emulator.names import LABEL_PREFIX

log = logging.getLogger(__name__)

URL_VARIABLE = "SAGEMAKER_EMULATOR_URL"
"""Where containers of a copy find the emulator; the images' toolkit reads it."""
ORIGINAL_LABEL = LABEL_PREFIX + "copy-of"
"""On a copy: the id of the image of ours that it is made from."""
URL_LABEL = LABEL_PREFIX + "url"
"""On a copy: the URL in it, empty for none."""
_ANSWER_SECONDS = 1.0


@dataclass(frozen=True)
class Named:
    """The names of one region.

    Attributes:
        given: image of ours by the name that stands for it.
        kept: names that images of somebody's own have.
        elsewhere: URL of another emulator that runs and that the names lead to; then none is given.
    """

    given: Mapping[str, str]
    kept: tuple[str, ...] = ()
    elsewhere: str = ""


@dataclass(frozen=True)
class Standing:
    """How the names of one region stand.

    Attributes:
        named: how many names lead to an image of ours.
        missing: names that an image of ours should have and none has.
        outdated: names of copies of images that were built anew since.
        urls: where the copies take the emulator to be.
    """

    named: int
    missing: tuple[str, ...]
    outdated: tuple[str, ...]
    urls: frozenset[str]


def give(region: str, url: str, *, take_over: bool = False) -> Named:
    """Give the built images the exact names that they have on ECR in a region; idempotent.

    Args:
        url: where containers of any network reach the emulator; empty if that is not known.
        take_over: take the names also from another emulator that runs.

    Raises:
        PermanentError: none of the images is built, or the engine does not answer.
    """
    with _in_turn(), engine() as client:
        names = _Names(client)
        wanted = names.wanted(region)
        if not wanted:
            raise PermanentError(
                "No image is built. Build them with: sagemaker-emulator images build"
            )
        held = {uri: names.held[uri] for uri in wanted if uri in names.held}
        kept = {uri for uri, holder in held.items() if not names.is_ours(holder)}
        if not take_over and (other := _other_emulator(names.urls(set(held) - kept), url)):
            return Named({}, elsewhere=other)
        given = {uri: image for uri, image in wanted.items() if uri not in kept}
        copies: dict[str, str] = {}
        for uri, image in given.items():
            if image not in copies:
                copies[image] = names.copy(image, url, uri)
            if held.get(uri) != copies[image]:
                repository, _, tag = uri.rpartition(":")
                client.api.tag(copies[image], repository, tag, force=True)
        _remove_nameless(client)
    return Named(given, tuple(sorted(kept)))


def take_back(region: str) -> list[str]:
    """Remove the names that `give` gave in a region, and copies without a name; returns the names.

    Raises:
        PermanentError: the engine does not answer.
    """
    with _in_turn(), engine() as client:
        names = _Names(client)
        every = [str(uri) for uri in names_in(region)]
        taken = names.copies(every)
        for uri in taken:
            # The last name goes with its image, unless a container uses that.
            with suppress(APIError):
                client.api.remove_image(uri)
    return taken


def renew() -> None:
    """Lead all names that were given to the images as they are now; raises PermanentError.

    Otherwise copies of images that were built anew would keep those of before, and their size.
    """
    with engine() as client:
        names = _Names(client)
        copies = {uri: names.labels(names.held[uri]) for uri in names.copies(names.held)}
    found = {(parse_image_uri(uri), marks[URL_LABEL]) for uri, marks in copies.items()}
    for region, url in sorted({(uri.region, url) for uri, url in found if uri}):
        give(region, url, take_over=True)


def standing(region: str) -> Standing:
    """Return how the names of a region stand; raises PermanentError without an engine."""
    with engine() as client:
        names = _Names(client)
        wanted = names.wanted(region)
        copies = {uri: names.held[uri] for uri in names.copies(wanted)}
        outdated = (
            uri
            for uri, copy in copies.items()
            if names.labels(copy)[ORIGINAL_LABEL] != names.local(wanted[uri])
        )
        return Standing(
            len(copies),
            tuple(uri for uri in wanted if uri not in names.held),
            tuple(outdated),
            frozenset(names.urls(copies)),
        )


@contextmanager
def _in_turn() -> Iterator[None]:
    """Let one process of this machine at a time give names: two would give half of them each."""
    path = Path(tempfile.gettempdir()) / f"sagemaker-emulator-{os.getuid()}.names"
    with path.open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # ends with the file, or with the process
        yield


class _Names:
    """The engine's images by name, as they were when this was made.

    Attributes:
        held: image id by each name of ECR's form.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        # The plain list: one request for all, where the SDK's would make one per image.
        self.held: dict[str, str] = {}
        self._local: dict[str, str] = {}
        for image in client.api.images():
            for name in image.get("RepoTags") or ():
                ours = name.startswith(REPOSITORY_PREFIX)
                (self._local if ours else self.held)[name] = str(image["Id"])
        self._inspect = cache(client.api.inspect_image)

    def local(self, image: str) -> str | None:
        """Return the id of an image by our own name for it."""
        return self._local.get(image)

    def wanted(self, region: str) -> dict[str, str]:
        """Return the image of ours for each name of a region; names without a built one are out."""
        chosen = {str(uri): self._choice(uri) for uri in names_in(region)}
        return {uri: image for uri, image in chosen.items() if image}

    def _choice(self, uri: ImageUri) -> str | None:
        """Return the image that stands for a name; None if none that is built does."""
        try:
            return resolve(str(uri), present=self._local.get).image
        except PermanentError:
            return None

    def is_ours(self, holder: str) -> bool:
        """Tell whether an image is one of ours or a copy of one."""
        return holder in self._local.values() or self.is_copy(holder)

    def is_copy(self, holder: str) -> bool:
        return is_given(self._inspect(holder))

    def copies(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that copies have."""
        return [name for name in names if name in self.held and self.is_copy(self.held[name])]

    def labels(self, image: str) -> Mapping[str, str]:
        return self._inspect(image)["Config"].get("Labels") or {}

    def urls(self, names: Iterable[str]) -> set[str]:
        """Return where the copies with these names take the emulator to be."""
        found = {self.labels(self.held[name]).get(URL_LABEL, "") for name in names}
        return found - {""}

    def copy(self, image: str, url: str, name: str) -> str:
        """Return the id of the copy of an image with a URL in it, made earlier or with a name."""
        original = self._local[image]
        marks = {ORIGINAL_LABEL: original, URL_LABEL: url}
        filters = {"label": [f"{key}={value}" for key, value in marks.items()]}
        for found in self._client.api.images(filters=filters):
            if self.is_copy(found["Id"]):
                return str(found["Id"])
        return self._make(original, marks, name)

    def _make(self, original: str, marks: dict[str, str], name: str) -> str:
        added = [f"{URL_VARIABLE}={marks[URL_LABEL]}"] if marks[URL_LABEL] else []
        described = self._inspect(original)
        seal = seal_of(described, added)
        lines = [f"FROM {original}", *(f"ENV {variable}" for variable in added)]
        stream = self._client.api.build(
            fileobj=_context("\n".join(lines)),
            custom_context=True,
            tag=name,  # from its beginning: one without a name is anybody's to remove
            labels={**marks, SEAL_LABEL: seal},
            rm=True,
            forcerm=True,
            decode=True,
        )
        answers = list(stream)  # to the end: only then is the connection given back
        for answer in answers:
            if "error" in answer:
                raise PermanentError(f"An image can't be given a name: {answer['error']}")
        return str(next(answer["aux"]["ID"] for answer in answers if "aux" in answer))


def _context(dockerfile: str) -> io.BytesIO:
    content = dockerfile.encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    context.seek(0)
    return context


def _remove_nameless(client: Any) -> None:
    """Remove copies that others have replaced; one that a container uses stays until later."""
    filters = {"dangling": True, "label": SEAL_LABEL}
    for image in client.api.images(filters=filters):
        with suppress(APIError):
            if is_given(client.api.inspect_image(image["Id"])):
                client.api.remove_image(image["Id"])


def _other_emulator(urls: Iterable[str], own: str) -> str:
    """Return the first URL at which another emulator answers, empty if none does."""
    return next((url for url in urls if url != own and answers(url)), "")


def answers(url: str) -> bool:
    """Tell whether an emulator answers at the URL that containers are given."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(
        where.hostname or "", where.port, timeout=_ANSWER_SECONDS
    )
    with closing(connection):
        try:
            connection.request("GET", "/_emulator/health")
            answered = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
    # The second is that of one that does not work for now.
    return answered in (http.HTTPStatus.OK, http.HTTPStatus.SERVICE_UNAVAILABLE)

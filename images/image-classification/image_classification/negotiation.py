"""What a request may bring and what it is answered with (contract G4); standard library only."""

from collections.abc import Iterator
from http import HTTPStatus

CONTENT_TYPES = ("application/x-image", "image/jpeg", "image/png")
JSON, JSON_LINES = "application/json", "application/jsonlines"


class Refused(Exception):
    """A request that can't be answered; the client sees status and message in a ModelError."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_content_type(content_type: str) -> None:
    """Raise ``Refused`` for what is not said to be a picture."""
    bare = content_type.partition(";")[0].strip().lower()
    if bare not in CONTENT_TYPES:
        named = f"content type {bare} is not supported" if bare else "no content type was given"
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{named}; use one of {', '.join(CONTENT_TYPES)}"
        )


def chosen(accept: str, offered: tuple[str, ...]) -> str:
    """Return the content type to answer with.

    The highest quality wins, then what is named over what a wildcard covers, then what stands
    first in the header.

    Args:
        accept: the header; without one, anything will do.
        offered: what can be given, the one that a wildcard means first.

    Raises:
        Refused: nothing of that is accepted.
    """
    ranges = list(_ranges(accept or "*/*"))
    best: tuple[tuple[float, int, int, int], str] | None = None
    for place, content_type in enumerate(offered):
        names = ("*/*", f"{content_type.partition('/')[0]}/*", content_type)
        matching = [
            (names.index(name), -position, quality)
            for position, (name, quality) in enumerate(ranges)
            if name in names
        ]
        if not matching:
            continue
        exactness, position, quality = max(matching)
        rank = (quality, exactness, position, -place)
        if quality and (best is None or rank > best[0]):
            best = rank, content_type
    if best is None:
        raise Refused(
            HTTPStatus.NOT_ACCEPTABLE,
            f"accept {accept} is not supported; use one of {', '.join(sorted(offered))}",
        )
    return best[1]


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Yield the media ranges of an Accept header and their qualities."""
    for element in accept.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        qualities = [each[2:] for each in parameters if each.startswith("q=")]
        try:
            quality = float(qualities[0]) if qualities else 1.0
        except ValueError:
            quality = 1.0
        if name:
            yield name, quality

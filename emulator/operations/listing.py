"""Pages of resources: the filters, order and tokens that all List operations share (contract A5).

A token holds the place of the last resource that was given out, not its number, so that resources
which come or go between two pages never make another one appear twice or not at all.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from emulator.call import Call, Document, Kind
from emulator.errors import ValidationException

DEFAULT_PAGE = 10

Place = tuple[float | str, str]
"""A resource's place in an order: the value it is sorted by, then its name."""


Matches = Callable[[Document, Document], bool]
"""Tells whether a document is what a request asks for."""


@dataclass(frozen=True)
class Listing:
    """How one kind is listed.

    Attributes:
        result: the reply's member that holds the summaries.
        name, status: the documents' members that are filtered and sorted by.
        order, by: the default SortOrder and SortBy.
        matches: says whether a document passes the filters that only this kind has.
        cuts_first: with MaxResults, filters are applied to that many resources of any kind, so that
            a page may have fewer that pass, or none, and a token nevertheless.
        key: the member that tells two documents apart; empty if the name does.
    """

    kind: Kind
    result: str
    name: str
    status: str = ""
    order: str = "Descending"
    by: str = "CreationTime"
    matches: Matches = lambda document, request: True
    cuts_first: bool = False
    key: str = ""

    def page(
        self, call: Call, request: Document, documents: Iterable[Document] | None = None
    ) -> Document:
        """Return the page that a List request asks for.

        Args:
            documents: what is listed; every document of the kind if it is None.

        Raises:
            ValidationException: the NextToken is not of this listing in this order.
        """
        order = (request.get("SortBy", self.by), request.get("SortOrder", self.order))
        if documents is None:
            documents = (record.document for record in call.store.select(self.kind, call.scope))
        late = self.cuts_first and "MaxResults" in request
        placed = [
            (self._place(document, order[0]), document)
            for document in documents
            if late or self._passes(document, request)
        ]
        placed.sort(key=lambda pair: pair[0], reverse=order[1] == "Descending")
        if token := request.get("NextToken"):
            placed = list(_after(_place_in(token, order), placed, order))
        size = request.get("MaxResults", DEFAULT_PAGE)
        page = [document for _, document in placed[:size]]
        reply: Document = {self.result: [one for one in page if self._passes(one, request)]}
        if len(placed) > size:
            reply["NextToken"] = _token(placed[size - 1][0], order)
        return reply

    def _place(self, document: Document, sort_by: str) -> Place:
        member = {"Name": self.name, "Status": self.status}.get(sort_by, sort_by)
        return document.get(member, ""), document[self.key or self.name]

    def _passes(self, document: Document, request: Document) -> bool:
        return (
            request.get("NameContains", "") in document.get(self.name, "")
            and request.get("StatusEquals") in (None, document.get(self.status))
            and _within(document, request, "CreationTime")
            and _within(document, request, "CreationTime", "Created")
            and _within(document, request, "LastModifiedTime")
            and self.matches(document, request)
        )


def _within(document: Document, request: Document, member: str, asked: str = "") -> bool:
    """Tell whether a time lies between ``…After``, inclusive, and ``…Before``, exclusive.

    Args:
        asked: what the request calls the time; empty if as the document does.
    """
    asked = asked or member
    after, before = request.get(f"{asked}After"), request.get(f"{asked}Before")
    return (after is None or document[member] >= after) and (
        before is None or document[member] < before
    )


def _after(
    last: Place, placed: Iterable[tuple[Place, Document]], order: tuple[str, str]
) -> Iterator[tuple[Place, Document]]:
    for place, document in placed:
        if place < last if order[1] == "Descending" else place > last:
            yield place, document


def _token(place: Place, order: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([*order, *place])).decode()


def _place_in(token: str, order: tuple[str, str]) -> Place:
    try:
        told: Any = orjson.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        sort_by, direction, value, name = told
    except (binascii.Error, ValueError, TypeError):
        raise _bad_token() from None
    kind_of_value = (int, float) if order[0].endswith(("Time", "Version")) else str
    if (
        (sort_by, direction) != order
        or not isinstance(value, kind_of_value)
        or not isinstance(name, str)
    ):
        raise _bad_token()
    return value, name


def _bad_token() -> ValidationException:
    return ValidationException("The pagination token is invalid.")

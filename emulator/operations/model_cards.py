"""Model cards: documentation of a model in versions; kept, never exported.

New content is a new version. A new status is written into the version that is there.
"""

import json

from emulator.call import Call, Document
from emulator.errors import ResourceNotFound, ValidationException
from emulator.operations.listing import Listing
from emulator.operations.record_kinds import MODEL_CARDS
from emulator.operations.records import answer
from emulator.operations.registry import operation

_VERSIONS = "Versions"
"""The member of a card's document that holds its earlier versions, oldest first."""

_OF_VERSIONS = Listing(
    MODEL_CARDS.kind,
    result="ModelCardVersionSummaryList",
    name="ModelCardName",
    by="Version",
    key="Key",
    matches=MODEL_CARDS.listing.matches,
)

answer(MODEL_CARDS, "List", "Delete")


@operation("CreateModelCard")
def create(call: Call, request: Document) -> Document:
    _check_content(request)
    return MODEL_CARDS.keep(call, request, {"ModelCardVersion": 1, _VERSIONS: []})


@operation("DescribeModelCard")
def describe(call: Call, request: Document) -> Document:
    card = MODEL_CARDS.find(call, request["ModelCardName"]).document
    wanted = request.get("ModelCardVersion", card["ModelCardVersion"])
    for version in _versions(card):
        if version["ModelCardVersion"] == wanted:
            # Only the content is more than metadata, and the reply must have some.
            bare = request.get("IncludedData") == "MetadataOnly"
            return version | {"Content": ""} if bare else version
    raise ResourceNotFound(f"ModelCard {card['ModelCardArn']} has no version {wanted}.")


@operation("UpdateModelCard")
def update(call: Call, request: Document) -> Document:
    if "Content" in request and "ModelCardStatus" in request:
        raise ValidationException(
            "Model card content and model card status cannot be updated in a single call."
        )
    _check_content(request)

    def change(card: Document) -> Document:
        if "Content" not in request:
            return card | request
        return {
            **card,
            "Content": request["Content"],
            "ModelCardVersion": card["ModelCardVersion"] + 1,
            _VERSIONS: _versions(card),
        }

    return MODEL_CARDS.change(call, request["ModelCardName"], change)


@operation("ListModelCardVersions")
def list_versions(call: Call, request: Document) -> Document:
    card = MODEL_CARDS.find(call, request["ModelCardName"]).document
    versions = [
        version | {"Version": number, "Key": f"{number:09d}"}
        for version in _versions(card)
        for number in [version["ModelCardVersion"]]
    ]
    return _OF_VERSIONS.page(call, request, versions)


def _versions(card: Document) -> list[Document]:
    """Return all versions of a card, oldest first."""
    latest = {key: value for key, value in card.items() if key != _VERSIONS}
    return [*card[_VERSIONS], latest]


def _check_content(request: Document) -> None:
    try:
        content = json.loads(request.get("Content", "{}"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ValidationException("The content of a model card must be a JSON object.")

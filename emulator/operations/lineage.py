"""Lineage: artifacts, actions and contexts, and how one led to another; kept, never derived.

On AWS jobs leave lineage of their own. Here there is only what a client wrote down.
"""

import hashlib

from emulator.call import Call, Document, Record
from emulator.errors import ValidationException
from emulator.kinds import ASSOCIATION
from emulator.operations.record_kinds import (
    ACTIONS,
    ARTIFACTS,
    ASSOCIATIONS,
    CONTEXTS,
    EXPERIMENTS,
    TRIAL_COMPONENTS,
)
from emulator.operations.records import Records, answer
from emulator.operations.registry import operation

_ENTITIES = {
    records.kind.arn_segment: records
    for records in (ACTIONS, ARTIFACTS, CONTEXTS, EXPERIMENTS, TRIAL_COMPONENTS)
}
"""What an association may lead from and to, by the segment of its ARN."""

_ENDS = ("Source", "Destination")

for _records in (ACTIONS, CONTEXTS):
    answer(_records, "Create", "Describe", "Update", "List")
answer(ARTIFACTS, "Describe", "Update", "List")


@operation("CreateArtifact")
def create_artifact(call: Call, request: Document) -> Document:
    """Keep an artifact; its source is its identity, its name is for people."""
    return ARTIFACTS.keep(call, request, name=_name_of(request["Source"]))


@operation("DeleteArtifact")
def delete_artifact(call: Call, request: Document) -> Document:
    if ("ArtifactArn" in request) == ("Source" in request):
        raise ValidationException("Specify either ArtifactArn or Source.")
    identifier = request.get("ArtifactArn") or _name_of(request["Source"])
    return _delete(call, ARTIFACTS, identifier)


@operation("DeleteAction")
def delete_action(call: Call, request: Document) -> Document:
    return _delete(call, ACTIONS, request["ActionName"])


@operation("DeleteContext")
def delete_context(call: Call, request: Document) -> Document:
    return _delete(call, CONTEXTS, request["ContextName"])


@operation("AddAssociation")
def add_association(call: Call, request: Document) -> Document:
    with call.store.transaction():
        source, destination = (_entity(call, request[f"{end}Arn"]) for end in _ENDS)
        return ASSOCIATIONS.keep(
            call,
            request,
            {"SourceArn": source.arn, "DestinationArn": destination.arn},
            name=_between(source.arn, destination.arn),
        )


@operation("ListAssociations")
def list_associations(call: Call, request: Document) -> Document:
    asked = ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "AssociationType")
    records = call.store.select(ASSOCIATION, call.scope)
    found = (_described(call, record.document) for record in records)
    matching = [
        one for one in found if all(request.get(key) in (None, one.get(key)) for key in asked)
    ]
    return ASSOCIATIONS.listing.page(call, request, matching)


@operation("DeleteAssociation")
def delete_association(call: Call, request: Document) -> Document:
    source, destination = (_entity(call, request[f"{end}Arn"]) for end in _ENDS)
    call.store.remove(ASSOCIATION, call.scope, _between(source.arn, destination.arn))
    return request


def forget_associations(call: Call, arn: str) -> None:
    """Forget every association that leads from or to an entity, which goes away."""
    for record in _associations_of(call, arn):
        call.store.remove(ASSOCIATION, call.scope, record.name)


def _delete(call: Call, records: Records, identifier: str) -> Document:
    """Forget an entity; raises ValidationException while it has associations."""
    with call.store.transaction():
        record = records.find(call, identifier)
        if _associations_of(call, record.arn):
            raise ValidationException(
                f"{records.kind.name} '{record.arn}' has associations and cannot be deleted."
            )
        call.store.remove(records.kind, call.scope, record.name)
    return record.document


def _associations_of(call: Call, arn: str) -> list[Record]:
    records = call.store.select(ASSOCIATION, call.scope)
    return [one for one in records if arn in (one.document[f"{end}Arn"] for end in _ENDS)]


def _entity(call: Call, arn: str) -> Record:
    """Return what an end of an association names; raises ResourceNotFound if nothing does."""
    segment = arn.split(":", 5)[5].partition("/")[0]
    return _ENTITIES[segment].find(call, arn)


def _described(call: Call, association: Document) -> Document:
    """Return an association with the names and types of its ends."""
    described = dict(association)
    for end in _ENDS:
        record = call.store.find_arn(association[f"{end}Arn"])
        if record is not None:
            # An artifact's type is its ArtifactType; experiments and components have none.
            name, type_ = (record.document.get(f"{record.kind}{what}") for what in ("Name", "Type"))
            described |= {f"{end}Name": name, f"{end}Type": type_}
    return described


def _name_of(source: Document) -> str:
    """Return the name that an artifact has in its ARN, which is one for each source."""
    types = sorted((one["SourceIdType"], one["Value"]) for one in source.get("SourceTypes", []))
    return _digest(source["SourceUri"], *map(":".join, types))


def _between(source: str, destination: str) -> str:
    return _digest(source, destination)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]

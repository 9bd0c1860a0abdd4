"""Records: resources behind which nothing runs, created, described, changed and listed alike.

A kind of record says how it differs: what names it, what its list replies hold. Members come from
the request and leave by the reply's shape, so that no field is named here which is only kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

from emulator import arn as arns
from emulator.call import Call, Document, Kind, Record
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.operations import tags
from emulator.operations.listing import Listing
from emulator.operations.registry import operation

KEPT = "Created"
"""The one phase of a record."""


@dataclass(frozen=True)
class Records:
    """How records of one kind are kept.

    Attributes:
        name, arn: the members that hold a record's name and its ARN.
        shown: the member with a name for people, which is the record's own if none is given.
        maps: the members that an update adds to, key by key; all others it replaces.
    """

    kind: Kind
    listing: Listing
    name: str
    arn: str
    shown: str = ""
    maps: tuple[str, ...] = ()

    def keep(
        self, call: Call, request: Document, members: Document | None = None, *, name: str = ""
    ) -> Document:
        """Keep what a request creates; return the document.

        Args:
            members: what the document holds besides, or instead of, the request's members.
            name: by which the record is found; empty if the request says it.

        Raises:
            ServiceError: the kind's ``taken_error``, or ValidationException for its tags.
        """
        name, at = name or request[self.name], now()
        labels = tags.given(request)
        document = {
            # AWS tells here who made it, if that was a user of Studio; here nobody is.
            "CreatedBy": {},
            **({self.shown: name} if self.shown else {}),
            **{key: value for key, value in request.items() if key != "Tags"},
            self.arn: arns.of(call.scope, self.kind.arn_segment, name),
            "CreationTime": at,
            "LastModifiedTime": at,
            **(members or {}),
        }
        call.store.create(self.kind, call.scope, name, KEPT, document, labels)
        return document

    def find(self, call: Call, identifier: str) -> Record:
        """Return the caller's record by its name, in any case, or by its ARN.

        Raises:
            ServiceError: the kind's ``absent_error``, or ValidationException for an ARN of
                another region.
        """
        name, ours = identifier, True
        parts = identifier.split(":", 5)
        if len(parts) == 6:
            *_, region, account, resource = parts
            segment, _, name = resource.partition("/")
            if region != call.scope.region:
                raise ValidationException(
                    f"ARN should be scoped to correct region: {call.scope.region}"
                )
            ours = account == call.scope.account and segment == self.kind.arn_segment
        arn = arns.of(call.scope, self.kind.arn_segment, name)
        record = call.store.find_arn(arn) if ours else None
        if record is None:
            raise self.kind.missing(arn if ours else identifier, name)
        return record

    def change(
        self, call: Call, identifier: str, change: Callable[[Document], Document]
    ) -> Document:
        """Replace a record's document by ``change(document)``; return the new one."""
        with call.store.transaction():
            record = self.find(call, identifier)

            def changed(record: Record) -> tuple[str, Document]:
                return KEPT, change(record.document) | {"LastModifiedTime": now()}

            written = call.store.change(
                self.kind, call.scope, record.name, changed, event="Updated"
            )
        return written.document

    def update(self, call: Call, request: Document) -> Document:
        """Write the members of an Update request into the record that it names."""
        identifier = request[self.name if self.name in request else self.arn]
        given = {key: item for key, item in request.items() if key not in (self.name, self.arn)}

        def change(document: Document) -> Document:
            return updated(document, given, self.maps)

        return self.change(call, identifier, change)


def updated(document: Document, given: Document, maps: tuple[str, ...]) -> Document:
    """Return a document with what an update gives.

    ``…ToAdd`` puts items at the end of a list; at last ``…ToRemove`` takes keys from a map.
    """
    result = dict(document)
    removed = {key for key in given if key.endswith("ToRemove")}
    for key in given.keys() - removed:
        if key.endswith("ToAdd"):
            name = key.removesuffix("ToAdd")
            result[name] = [*document.get(name, []), *given[key]]
        elif key in maps:
            result[key] = {**document.get(key, {}), **given[key]}
        else:
            result[key] = given[key]
    for key in removed:
        name = key.removesuffix("ToRemove")
        kept: Document = result.get(name) or {}
        result[name] = {one: item for one, item in kept.items() if one not in given[key]}
    return result


def answer(records: Records, *verbs: str, plural: str = "") -> None:
    """Answer ``verbs`` for a kind that does nothing special at them.

    Args:
        plural: what a List operation calls the kind; empty if with an ``s``.
    """
    kind = records.kind
    for verb in verbs:
        name = f"List{plural or kind.name + 's'}" if verb == "List" else f"{verb}{kind.name}"
        operation(name)(_VERBS[verb](records))


def _create(records: Records) -> Callable[[Call, Document], Document]:
    return lambda call, request: records.keep(call, request)


def _describe(records: Records) -> Callable[[Call, Document], Document]:
    return lambda call, request: records.find(call, _named_by(records, request)).document


def _update(records: Records) -> Callable[[Call, Document], Document]:
    return lambda call, request: records.update(call, request)


def _list(records: Records) -> Callable[[Call, Document], Document]:
    return lambda call, request: records.listing.page(call, request)


def _delete(records: Records) -> Callable[[Call, Document], Document]:
    def delete(call: Call, request: Document) -> Document:
        with call.store.transaction():
            record = records.find(call, _named_by(records, request))
            call.store.remove(records.kind, call.scope, record.name)
        return record.document

    return delete


_VERBS = {
    "Create": _create,
    "Describe": _describe,
    "Update": _update,
    "List": _list,
    "Delete": _delete,
}


def _named_by(records: Records, request: Document) -> str:
    identifier: str = request[records.name if records.name in request else records.arn]
    return identifier

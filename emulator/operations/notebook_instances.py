"""Notebook instances: create, describe, list, start, stop, update, delete and open one.

What the emulator itself knows of an instance is in its document, under "Emulator":

    starts  how many times it was started
    served  whether it has ever been in service; then OnCreate has run for good
    start   the start under way or in service: its number, the key of its URLs, when it began, and
            the scripts as they were then; written and removed by the reconciler
"""

from collections.abc import Callable

from emulator import arn as arns
from emulator import presigned
from emulator.call import Call, Document, Record
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.kinds import LIFECYCLE_CONFIG, NOTEBOOK_INSTANCE
from emulator.lifecycle import notebook_instance as life
from emulator.lifecycle.notebook_instance import MOVES, Event, Phase
from emulator.operations import quotas, tags
from emulator.operations.listing import Listing
from emulator.operations.registry import operation

DEFAULTS: Document = {
    "DirectInternetAccess": "Enabled",
    "VolumeSizeInGB": 5,
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2023-v1",
    "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "1"},
}
SESSION_SECONDS = 43200
"""How long who opens an instance may stay if the request does not say (contract E)."""

_RENAMED = {
    "LifecycleConfigName": "NotebookInstanceLifecycleConfigName",
    "SecurityGroupIds": "SecurityGroups",
}
_DISASSOCIATED = {
    "DisassociateLifecycleConfig": "LifecycleConfigName",
    "DisassociateAcceleratorTypes": "AcceleratorTypes",
    "DisassociateDefaultCodeRepository": "DefaultCodeRepository",
    "DisassociateAdditionalCodeRepositories": "AdditionalCodeRepositories",
}


def _matches(document: Document, request: Document) -> bool:
    """Apply the filters that only notebook instances have."""
    config = document.get("NotebookInstanceLifecycleConfigName", "")
    repository = document.get("DefaultCodeRepository", "")
    additional = request.get("AdditionalCodeRepositoryEquals")
    return (
        request.get("NotebookInstanceLifecycleConfigNameContains", "") in config
        and request.get("DefaultCodeRepositoryContains", "") in repository
        and (additional is None or additional in document.get("AdditionalCodeRepositories", []))
    )


LISTING = Listing(
    NOTEBOOK_INSTANCE,
    result="NotebookInstances",
    name="NotebookInstanceName",
    status="NotebookInstanceStatus",
    order="Ascending",
    by="Name",
    matches=_matches,
)


@operation("CreateNotebookInstance")
def create(call: Call, request: Document) -> Document:
    name = request["NotebookInstanceName"]
    labels = tags.given(request)
    if request.get("DirectInternetAccess") == "Disabled" and "SubnetId" not in request:
        raise ValidationException(
            "DirectInternetAccess can be set to Disabled only if SubnetId is specified."
        )
    _check_references(call, request)
    document = {
        **DEFAULTS,
        **_members(request),
        "NotebookInstanceArn": arns.of(call.scope, NOTEBOOK_INSTANCE.arn_segment, name),
        "Emulator": {"starts": 0, "served": False},
    }
    born = life.born(document, now())
    record = call.store.create(
        *(NOTEBOOK_INSTANCE, call.scope, name, *born, labels),
        admit=lambda: quotas.admit(call, quotas.NOTEBOOKS, request["InstanceType"], 1),
    )
    call.wake(NOTEBOOK_INSTANCE, call.scope, name)
    return record.document


@operation("DescribeNotebookInstance")
def describe(call: Call, request: Document) -> Document:
    return _fetch(call, request).document


@operation("ListNotebookInstances")
def list_(call: Call, request: Document) -> Document:
    return LISTING.page(call, request)


@operation("StartNotebookInstance")
def start(call: Call, request: Document) -> Document:
    def started(document: Document) -> Document:
        quotas.admit(call, quotas.NOTEBOOKS, document["InstanceType"], 1)
        return _forgiven(document)

    return _request(call, request, Event.START_REQUESTED, started)


@operation("StopNotebookInstance")
def stop(call: Call, request: Document) -> Document:
    return _request(call, request, Event.STOP_REQUESTED, lambda document: _without(document, "Url"))


@operation("UpdateNotebookInstance")
def update(call: Call, request: Document) -> Document:
    """Change the instance; the changes mean something at its next start."""
    for flag, member in _DISASSOCIATED.items():
        if request.get(flag) and member in request:
            raise ValidationException(f"Specify only one of {member} and {flag}.")
    _check_possible(_fetch(call, request), Event.UPDATE_REQUESTED)
    _check_references(call, request)
    dropped = {
        _RENAMED.get(member, member) for flag, member in _DISASSOCIATED.items() if request.get(flag)
    }

    def changed(document: Document) -> Document:
        before, after = document["VolumeSizeInGB"], request.get("VolumeSizeInGB")
        if after is not None and after < before:
            raise ValidationException(
                f"VolumeSizeInGB can't be decreased: it is {before} and {after} was requested."
            )
        return _forgiven({**_without(document, *dropped), **_members(request)})

    return _request(call, request, Event.UPDATE_REQUESTED, changed)


@operation("DeleteNotebookInstance")
def delete(call: Call, request: Document) -> Document:
    """Ask for the end of the instance; the reconciler forgets it when nothing of it is left."""
    return _request(call, request, Event.DELETE_REQUESTED, lambda document: document)


@operation("CreatePresignedNotebookInstanceUrl")
def create_presigned_url(call: Call, request: Document) -> Document:
    record = _fetch(call, request)
    if record.phase != Phase.IN_SERVICE:
        raise ValidationException(
            f"Status ({record.phase}) not in ([{Phase.IN_SERVICE}]). Unable to create an"
            f" authorized URL for Notebook Instance ({record.arn})."
        )
    key = record.document["Emulator"]["start"]["key"]
    session = request.get("SessionExpirationDurationInSeconds", SESSION_SECONDS)
    url = presigned.url(record.document["Url"], key, now=now(), session=session)
    return {"AuthorizedUrl": url}


def _fetch(call: Call, request: Document) -> Record:
    return call.store.fetch(NOTEBOOK_INSTANCE, call.scope, request["NotebookInstanceName"])


def _request(
    call: Call, request: Document, event: Event, change: Callable[[Document], Document]
) -> Document:
    name = request["NotebookInstanceName"]

    def move(record: Record) -> tuple[str, Document]:
        _check_possible(record, event)
        return life.advance(change(record.document), record.phase, event, now())

    call.store.change(NOTEBOOK_INSTANCE, call.scope, name, move, event=event)
    call.wake(NOTEBOOK_INSTANCE, call.scope, name)
    return {}


def _check_possible(record: Record, event: Event) -> None:
    """Raise ValidationException, in SageMaker's words, in a phase that the table has no row for."""
    allowed = life.sources(event)
    if record.phase not in allowed:
        target = MOVES[allowed[0], event]
        raise ValidationException(
            f"Status ({record.phase}) not in ([{', '.join(allowed)}]). Unable to transition to"
            f" ({target}) for Notebook Instance ({record.arn})."
        )


def _forgiven(document: Document) -> Document:
    """Return the document without the reason of an earlier failure, which is history now."""
    return _without(document, "FailureReason")


def _without(document: Document, *members: str) -> Document:
    return {key: value for key, value in document.items() if key not in members}


def _members(request: Document) -> Document:
    """Return the request's members by the names that Describe has for them."""
    return {
        _RENAMED.get(member, member): value
        for member, value in request.items()
        if member not in ("Tags", *_DISASSOCIATED)
    }


def _check_references(call: Call, request: Document) -> None:
    """Raise ValidationException for a configuration or repository that can't be found."""
    if "LifecycleConfigName" in request:
        call.store.fetch(LIFECYCLE_CONFIG, call.scope, request["LifecycleConfigName"])
    given = [request.get("DefaultCodeRepository"), *request.get("AdditionalCodeRepositories", [])]
    for repository in filter(None, given):
        if "/" not in repository:
            raise ValidationException(
                f"The code repository '{repository}' is a name, and repositories with names are"
                " not emulated. Give a URL (https://… or http://…) or the absolute path of a"
                " directory on this machine."
            )

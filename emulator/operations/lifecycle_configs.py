"""Lifecycle configurations of notebook instances: create, describe, list, update and delete.

A configuration is two scripts. An instance copies them when it starts, so that changing or deleting
a configuration is always possible and means something at the next start.
"""

import base64
import binascii

from emulator import arn as arns
from emulator.call import Call, Document, Record
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.kinds import LIFECYCLE_CONFIG
from emulator.operations import tags
from emulator.operations.listing import Listing
from emulator.operations.registry import operation

_NAME = "NotebookInstanceLifecycleConfigName"
HOOKS = ("OnCreate", "OnStart")

LISTING = Listing(LIFECYCLE_CONFIG, result="NotebookInstanceLifecycleConfigs", name=_NAME)


@operation("CreateNotebookInstanceLifecycleConfig")
def create(call: Call, request: Document) -> Document:
    name, at = request[_NAME], now()
    labels = tags.given(request)
    _check_scripts(call, request, "create")
    document = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "NotebookInstanceLifecycleConfigArn": _arn(call, name),
        "CreationTime": at,
        "LastModifiedTime": at,
    }
    call.store.create(LIFECYCLE_CONFIG, call.scope, name, "Created", document, labels)
    return document


@operation("DescribeNotebookInstanceLifecycleConfig")
def describe(call: Call, request: Document) -> Document:
    return call.store.fetch(LIFECYCLE_CONFIG, call.scope, request[_NAME]).document


@operation("ListNotebookInstanceLifecycleConfigs")
def list_(call: Call, request: Document) -> Document:
    return LISTING.page(call, request)


@operation("UpdateNotebookInstanceLifecycleConfig")
def update(call: Call, request: Document) -> Document:
    """Replace the scripts that the request gives; the others stay."""
    _check_present(call, request[_NAME], "update")
    _check_scripts(call, request, "update")
    scripts = {hook: request[hook] for hook in HOOKS if hook in request}

    def change(record: Record) -> tuple[str, Document]:
        return record.phase, {**record.document, **scripts, "LastModifiedTime": now()}

    call.store.change(LIFECYCLE_CONFIG, call.scope, request[_NAME], change, event="Updated")
    return {}


@operation("DeleteNotebookInstanceLifecycleConfig")
def delete(call: Call, request: Document) -> Document:
    _check_present(call, request[_NAME], "delete")
    call.store.remove(LIFECYCLE_CONFIG, call.scope, request[_NAME])
    return {}


def _arn(call: Call, name: str) -> str:
    return arns.of(call.scope, LIFECYCLE_CONFIG.arn_segment, name)


def _check_present(call: Call, name: str, verb: str) -> None:
    if call.store.find(LIFECYCLE_CONFIG, call.scope, name) is None:
        raise _unable(call, name, verb, "Notebook Instance Lifecycle Config does not exist.")


def _check_scripts(call: Call, request: Document, verb: str) -> None:
    """Raise ValidationException unless every script given can be decoded."""
    for hook in HOOKS:
        for script in request.get(hook, []):
            try:
                base64.b64decode(script.get("Content", ""), validate=True)
            except (binascii.Error, ValueError):
                problem = f"{hook} Content is not base64-encoded."
                raise _unable(call, request[_NAME], verb, problem) from None


def _unable(call: Call, name: str, verb: str, details: str) -> ValidationException:
    return ValidationException(
        f"Unable to {verb} Notebook Instance Lifecycle Config '{_arn(call, name)}'. (Details:"
        f" {details})"
    )

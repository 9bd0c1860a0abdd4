"""Model package groups: the registry's collections of versions, and who may use them."""

import json

from emulator.call import Call, Document
from emulator.errors import ConflictException, ValidationException
from emulator.kinds import MODEL_PACKAGE, MODEL_PACKAGE_GROUP
from emulator.operations.record_kinds import MODEL_PACKAGE_GROUPS
from emulator.operations.records import answer
from emulator.operations.registry import operation

_POLICY = "ResourcePolicy"

answer(MODEL_PACKAGE_GROUPS, "Describe")


@operation("CreateModelPackageGroup")
def create(call: Call, request: Document) -> Document:
    return MODEL_PACKAGE_GROUPS.keep(
        call, request, {"ModelPackageGroupStatus": "Completed", "LatestVersion": 0}
    )


@operation("ListModelPackageGroups")
def list_(call: Call, request: Document) -> Document:
    # No other account shares a group with this one.
    shared = request.get("CrossAccountFilterOption") == "CrossAccount"
    return MODEL_PACKAGE_GROUPS.listing.page(call, request, [] if shared else None)


@operation("DeleteModelPackageGroup")
def delete(call: Call, request: Document) -> Document:
    """Forget a group; raises ConflictException while it has versions."""
    with call.store.transaction():
        group = MODEL_PACKAGE_GROUPS.find(call, request["ModelPackageGroupName"])
        packages = call.store.select(MODEL_PACKAGE, call.scope)
        if any(one.document.get("ModelPackageGroupName") == group.name for one in packages):
            raise ConflictException(
                f"ModelPackageGroup {group.arn} cannot be deleted: it has model packages."
            )
        call.store.remove(MODEL_PACKAGE_GROUP, call.scope, group.name)
    return {}


@operation("PutModelPackageGroupPolicy")
def put_policy(call: Call, request: Document) -> Document:
    """Keep a resource policy; nothing is ever denied by it."""
    try:
        json.loads(request[_POLICY])
    except ValueError:
        raise ValidationException("The resource policy is not JSON.") from None
    policy = {_POLICY: request[_POLICY]}
    return MODEL_PACKAGE_GROUPS.change(
        call, request["ModelPackageGroupName"], lambda document: document | policy
    )


@operation("GetModelPackageGroupPolicy")
def get_policy(call: Call, request: Document) -> Document:
    document = MODEL_PACKAGE_GROUPS.find(call, request["ModelPackageGroupName"]).document
    _require_policy(document)
    return document


@operation("DeleteModelPackageGroupPolicy")
def delete_policy(call: Call, request: Document) -> Document:
    def without(document: Document) -> Document:
        _require_policy(document)
        return {key: value for key, value in document.items() if key != _POLICY}

    MODEL_PACKAGE_GROUPS.change(call, request["ModelPackageGroupName"], without)
    return {}


def _require_policy(document: Document) -> None:
    if _POLICY not in document:
        arn = document["ModelPackageGroupArn"]
        raise ValidationException(f"Cannot find resource policy for: {arn}")

"""Tags of resources: add, list, delete, and those given at creation."""

from collections.abc import Iterable

from emulator import arn as arns
from emulator.call import Call, Document, Record
from emulator.errors import ValidationException
from emulator.kinds import KINDS
from emulator.operations.registry import operation

MOST = 50
"""Tags of one resource (contract A6)."""
_RESERVED = "aws:"
"""How the keys begin that AWS's own services give."""


@operation("AddTags")
def add(call: Call, request: Document) -> Document:
    record = _tagged(call, request["ResourceArn"])
    new = given(request)
    if len(call.store.tags(record.arn) | new) > MOST:
        raise ValidationException(f"A resource cannot have more than {MOST} tags.")
    return {"Tags": _listed(call.store.tag(record.arn, new))}


@operation("ListTags")
def list_(call: Call, request: Document) -> Document:
    """Answer with all tags: a page holds at least as many as a resource can have."""
    record = _tagged(call, request["ResourceArn"])
    if "NextToken" in request:
        raise ValidationException("The pagination token is invalid.")
    return {"Tags": _listed(call.store.tags(record.arn))}


@operation("DeleteTags")
def delete(call: Call, request: Document) -> Document:
    record = _tagged(call, request["ResourceArn"])
    _require_own(request["TagKeys"])
    call.store.untag(record.arn, request["TagKeys"])
    return {}


def given(request: Document) -> dict[str, str]:
    """Return a request's ``Tags``.

    Raises:
        ValidationException: a key comes twice, or is one of AWS's own.
    """
    pairs = request.get("Tags", [])
    tags = {pair["Key"]: pair["Value"] for pair in pairs}
    if len(tags) < len(pairs):
        raise ValidationException("Duplicate tag keys found.")
    _require_own(tags)
    return tags


def _require_own(keys: Iterable[str]) -> None:
    for key in keys:
        if key.lower().startswith(_RESERVED):
            raise ValidationException(
                f"System prefix '{_RESERVED}' reserved for AWS usage in tag key: {key}"
            )


def _listed(tags: dict[str, str]) -> list[Document]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _tagged(call: Call, arn: str) -> Record:
    """Return the caller's resource; names in ARNs are lower-cased (contract A6)."""
    *_, region, account, resource = arn.split(":", 5)
    segment, _, name = resource.partition("/")
    kind = next((kind for kind in KINDS if kind.arn_segment == segment), None)
    if kind is None:
        raise ValidationException(f'Tags of "{arn}" are not emulated.')
    if region != call.scope.region:
        raise ValidationException(f"ARN should be scoped to correct region: {call.scope.region}")
    wanted = arns.of(call.scope, segment, name)
    record = call.store.find_arn(wanted) if account == call.scope.account else None
    if record is None:
        raise kind.missing(arn, name)
    return record

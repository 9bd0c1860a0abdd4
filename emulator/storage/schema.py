"""Checks the XML that clients send to S3 against the service model.

moto takes what it is given, and stores some of it; a bucket's setting that can't be read breaks
every later request to the bucket.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from moto.core.utils import get_service_model

from emulator.storage.receive import Rejected

Shape = Any  # botocore's shapes are built at run time


def check(method: str, key: str, query: Mapping[str, object], body: bytes) -> None:
    """Raise Rejected unless the body is what the operation takes, by the model.

    Args:
        key: empty for an operation of a bucket.
        query: its names tell the operation; one that has no XML is not looked at.
    """
    if method == "PUT" and not key and "policy" in query:
        _check_policy(body)
    names = (found for name in query if (found := _payloads().get((method, bool(key), name))))
    payload, required = next(names, (None, False))
    if payload is None:
        return
    if not body:
        if required:
            raise Rejected("MissingRequestBodyError", "Request Body is empty")
        return
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise malformed() from None
    name = payload.serialization.get("name", payload.name)
    if tag(root) not in (name, payload.name):
        raise malformed()
    if "versioning" in query and not any(tag(child) == "Status" for child in root):
        raise Rejected(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified",
        )
    _check(payload, root)


def malformed() -> Rejected:
    return Rejected(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def _check_policy(body: bytes) -> None:
    def refusal(message: str) -> Rejected:
        return Rejected("MalformedPolicy", message)

    if not body:
        raise Rejected("MissingRequestBodyError", "Request Body is empty")
    try:
        policy = json.loads(body)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise refusal("Policies must be valid JSON and the first byte must be '{'")
    statements = policy.get("Statement")
    if statements is None:
        raise refusal("Missing required field Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict):
            raise refusal("Policy has invalid statement")
        for name in ("Effect", "Principal", "Action", "Resource"):
            if not {name, f"Not{name}"} & set(statement):
                raise refusal(f"Missing required field {name}")


@cache
def _payloads() -> dict[tuple[str, bool, str], tuple[Shape, bool]]:
    """Return bodies by method, whether it is an object's, and the query's name.

    Each is its shape, and whether it must be there.
    """
    service = get_service_model("s3")
    found: dict[tuple[str, bool, str], tuple[Shape, bool]] = {}
    for name in service.operation_names:
        operation = service.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        shape = operation.input_shape
        payload = shape.serialization.get("payload") if shape else None
        if not payload or operation.deprecated:
            continue
        body = shape.members[payload]
        if body.type_name == "structure" and (query or name == "CompleteMultipartUpload"):
            key = (operation.http["method"], "{Key+}" in path, query or "uploadId")
            found[key] = body, payload in shape.required_members
    return found


def _check(shape: Shape, element: Element) -> None:
    if shape.type_name == "structure":
        _check_structure(shape, element)
    elif shape.type_name == "list":
        for child in element:
            _check(shape.member, child)
    elif check := _SCALARS.get(shape.type_name):
        try:
            check((element.text or "").strip())
        except ValueError:
            raise malformed() from None


def _check_structure(shape: Shape, element: Element) -> None:
    children: dict[str, list[Element]] = {}
    for child in element:
        children.setdefault(tag(child), []).append(child)
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute"):
            continue
        flat = member.type_name == "list" and member.serialization.get("flattened")
        called = member.serialization.get("name", name)
        if flat:
            called = member.member.serialization.get("name", called)
        found = children.get(called, [])
        if name in shape.required_members and not found:
            raise malformed()
        for child in found:
            _check(member.member if flat else member, child)


def tag(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _boolean(text: str) -> None:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)


def _timestamp(text: str) -> None:
    datetime.fromisoformat(text)


_SCALARS: Mapping[str, Callable[[str], object]] = {
    "integer": int,
    "long": int,
    "boolean": _boolean,
    "timestamp": _timestamp,
}

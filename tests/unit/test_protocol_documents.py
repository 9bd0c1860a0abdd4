"""Reading and writing documents by the shapes of a small model of our own."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.call import Document
from emulator.protocol.model import Service
from emulator.protocol.parse import SerializationException, document_of
from emulator.protocol.serialize import project, success
from emulator.protocol.validate import violations

MEMBERS = {
    "Text": "String",
    "Count": "Integer",
    "Share": "Float",
    "Flag": "Boolean",
    "At": "Timestamp",
    "Bytes": "Blob",
    "Inner": "Inner",
    "Kept": "Inner",
    "List": "List",
    "Map": "Map",
    "Self": "Outer",
}
SERVICE = Service(
    operations={
        "Echo": {"input": {"shape": "Outer"}, "output": {"shape": "Outer"}},
        "Silent": {"input": {"shape": "Outer"}},
    },
    shapes={
        "Outer": {
            "type": "structure",
            "required": ["Kept"],
            "members": {name: {"shape": shape} for name, shape in MEMBERS.items()},
        },
        "Inner": {"type": "structure", "members": {"Text": {"shape": "String"}}},
        "List": {"type": "list", "member": {"shape": "Inner"}},
        "Map": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Short"}, "max": 2},
        "Short": {"type": "string", "min": 1, "max": 3, "enum": ["a", "bb"]},
        "String": {"type": "string", "sensitive": False},
        "Integer": {"type": "integer"},
        "Float": {"type": "float", "min": 0, "max": 1},
        "Boolean": {"type": "boolean"},
        "Timestamp": {"type": "timestamp"},
        "Blob": {"type": "blob"},
    },
)


def read(value: Any) -> Document:
    return document_of(SERVICE, "Echo", json.dumps(value).encode())


@pytest.mark.parametrize(
    "sent, document",
    [
        ({"Text": "a", "Unknown": 1}, {"Text": "a"}),
        ({"Text": None, "Inner": None}, {}),
        ({"Inner": {"Text": "a", "Unknown": {}}}, {"Inner": {"Text": "a"}}),
        ({"List": [{"Text": "a"}, None, {}]}, {"List": [{"Text": "a"}, None, {}]}),
        ({"Map": {"a": "x", "b": None}}, {"Map": {"a": "x"}}),
        ({"Count": 3.0}, {"Count": 3}),
        ({"Share": 1}, {"Share": 1}),
        ({"Flag": False}, {"Flag": False}),
        ({"At": 12.5}, {"At": 12.5}),
        ({"At": "1970-01-01T00:00:12.500Z"}, {"At": 12.5}),
        ({"At": "1970-01-01T01:00:12+01:00"}, {"At": 12}),
        ({"At": "1970-01-01T00:00:12"}, {"At": 12}),
        ({"Bytes": "AP8="}, {"Bytes": b"\x00\xff"}),
        ({"Self": {"Self": {"Text": "a"}}}, {"Self": {"Self": {"Text": "a"}}}),
    ],
)
def test_a_document_holds_what_the_model_knows(sent: Any, document: Document) -> None:
    assert read(sent) == document


@pytest.mark.parametrize(
    "sent, message",
    [
        ({"Count": "3"}, "STRING_VALUE can not be converted to a Integer."),
        ({"Count": True}, "TRUE_VALUE can not be converted to a Integer."),
        ({"Count": 2**64}, "NUMBER_VALUE can not be converted to a Integer."),
        ({"Count": -(2**70)}, "NUMBER_VALUE can not be converted to a Integer."),
        ({"Share": "0.5"}, "STRING_VALUE can not be converted to a Double."),
        ({"Flag": 1}, "NUMBER_VALUE can not be converted to a Boolean."),
        ({"At": "yesterday"}, "STRING_VALUE can not be converted to a Date."),
        ({"At": False}, "FALSE_VALUE can not be converted to a Date."),
        ({"Bytes": "%"}, "STRING_VALUE can not be converted to a Blob."),
        ({"Inner": "a"}, "STRING_VALUE found where a structure is expected."),
        ({"Inner": []}, "Start of list found where not expected."),
        ({"List": {}}, "Start of structure or map found where not expected."),
        ({"Map": 1}, "NUMBER_VALUE found where a map is expected."),
        (None, "NULL_VALUE found where a structure is expected."),
    ],
)
def test_a_wrong_type_is_refused(sent: Any, message: str) -> None:
    with pytest.raises(SerializationException) as refused:
        read(sent)
    assert refused.value.message == message


@pytest.mark.parametrize("depth", [600, 100_000])
def test_a_body_nested_too_deeply_is_refused(depth: int) -> None:
    body = b'{"Self":' * depth + b"{}" + b"}" * depth
    with pytest.raises(SerializationException):
        document_of(SERVICE, "Echo", body)


def test_an_empty_body_is_an_empty_document() -> None:
    assert document_of(SERVICE, "Echo", b"") == {}


@pytest.mark.parametrize(
    "document, written",
    [
        ({"Text": "a", "Phase": "Starting"}, {"Text": "a"}),
        ({"Text": None, "Inner": {}, "Kept": {}}, {"Kept": {}}),
        ({"Inner": {"Phase": 1}, "Kept": {"Phase": 1}}, {"Kept": {}}),
        ({"List": [], "Map": {}, "Text": ""}, {"List": [], "Map": {}, "Text": ""}),
        ({"Count": 0, "Flag": False}, {"Count": 0, "Flag": False}),
        ({"List": [{"Text": "a", "Phase": 1}, {}]}, {"List": [{"Text": "a"}, {}]}),
        ({"Map": {"k": "a"}}, {"Map": {"k": "a"}}),
        ({"At": 12.5}, {"At": 12.5}),
        ({"At": datetime.fromtimestamp(12.5, UTC)}, {"At": 12.5}),
        ({"Bytes": b"\x00\xff"}, {"Bytes": "AP8="}),
    ],
)
def test_a_reply_holds_what_its_shape_has_room_for(document: Document, written: Document) -> None:
    assert project(SERVICE, "Outer", document) == written
    reply = success(SERVICE, "Echo", document, "id")
    assert json.loads(reply.body) == written


def test_writing_leaves_the_document_as_it_was() -> None:
    document: Document = {"Inner": {"Phase": 1}, "List": [{"Phase": 1}], "At": 1.0}
    project(SERVICE, "Outer", document)
    assert document == {"Inner": {"Phase": 1}, "List": [{"Phase": 1}], "At": 1.0}


def test_an_operation_without_output_replies_with_an_empty_object() -> None:
    assert success(SERVICE, "Silent", {"Text": "a"}, "id").body == b"{}"


@pytest.mark.parametrize(
    "document, items",
    [
        ({"Kept": {}}, []),
        ({}, ["Value null at 'kept' failed to satisfy constraint: Member must not be null"]),
        (
            {"Kept": {}, "Share": 1.5},
            [
                "Value '1.5' at 'share' failed to satisfy constraint: "
                "Member must have value less than or equal to 1"
            ],
        ),
        (
            {"Kept": {}, "List": [{}, None]},
            ["Value null at 'list.2.member' failed to satisfy constraint: Member must not be null"],
        ),
        (
            {"Kept": {}, "Self": {"Self": {"Kept": {}}}},
            ["Value null at 'self.kept' failed to satisfy constraint: Member must not be null"],
        ),
        (
            {"Kept": {}, "Map": {"k": "a", "l": "cccc", "m": "bb"}},
            [
                "Value '{k=a, l=cccc, m=bb}' at 'map' failed to satisfy constraint: "
                "Member must have length less than or equal to 2",
                "Value '{k=a, l=cccc, m=bb}' at 'map' failed to satisfy constraint: "
                "Map value must satisfy constraint: ["
                "Member must have length less than or equal to 3, "
                "Member must have length greater than or equal to 1, "
                "Member must satisfy enum value set: [a, bb]]",
            ],
        ),
    ],
)
def test_violations_name_the_value_its_path_and_the_rule(
    document: Document, items: list[str]
) -> None:
    assert violations(SERVICE, "Outer", document) == items

"""Every operation of the model, asked for the least that its shapes allow, is no bug of ours."""

import json
import re
import urllib.error
import urllib.request

import pytest

from emulator.protocol import model

SERVICE = model.sagemaker()
ARN = "arn:aws:sagemaker:us-west-2:123456789012"
# Texts that the patterns of the model's names, ARNs and addresses allow; the first that fits.
TEXTS = (
    "abcdefabcdef",
    "arn:aws:iam::123456789012:role/SageMaker",
    f"{ARN}:artifact/abcdefabcdef",
    f"{ARN}:model-package/abcdefabcdef/1",
    f"{ARN}:pipeline/abcdefabcdef",
    f"{ARN}:pipeline/abcdefabcdef/execution/abcdefabcdef",
    f"{ARN}:cluster/abcdefabcdef",
    "s3://bucket/key",
    "https://example.com/key",
    "d-abcdefabcdef",
    "abcdefab-cdef-4bcd-8bcd-abcdefabcdef",
    "1.0.0",
    "t" * 40,
    "1",
)


def least(shape):
    """Return the least value that a shape allows."""
    described = SERVICE.shapes[shape]
    match described["type"]:
        case "structure":
            members = described["members"]
            return {name: least(members[name]["shape"]) for name in described.get("required", ())}
        case "list":
            return [least(described["member"]["shape"])] * described.get("min", 0)
        case "map":
            return {}
        case "string":
            return _text(described)
        case "boolean":
            return True
        case "timestamp":
            return 1.0
        case "blob":
            return ""
        case _:
            return described.get("min", 1)


def _text(described):
    if "enum" in described:
        return described["enum"][0]
    pattern, size = described.get("pattern"), described.get("min", 0)
    fitting = (
        text
        for text in TEXTS
        if len(text) >= size and (pattern is None or re.fullmatch(_python(pattern), text))
    )
    return next(fitting, TEXTS[0])


def _python(pattern):
    return re.sub(r"\\p\{L\}|\\p\{Z\}|\\p\{N\}", "a-z", pattern)


def ask(server, operation, document):
    headers = {
        "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    body = json.dumps(document).encode()
    request = urllib.request.Request(f"{server.url}/", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def answers(server):
    """What every operation answers, twice: the second time, what can be created is there."""
    found = {}
    for times in (1, 2):
        for operation in sorted(SERVICE.operations):
            shape = SERVICE.input_of(operation)
            document = {} if shape is None else least(shape)
            found[operation, times] = ask(server, operation, document)
    return found


def test_no_operation_fails_with_a_bug(answers):
    bugs = {one: reply for one, (status, reply) in answers.items() if status == 500}
    assert bugs == {}


def test_what_is_asked_reaches_the_handlers(answers):
    """Guards the test above: were every request refused by its shape, it would say nothing."""
    invalid = [
        one for one, (_, reply) in answers.items() if "validation error" in reply.get("message", "")
    ]
    assert len(invalid) < len(answers) / 10
    assert sum(status == 200 for status, _ in answers.values()) > 100

"""Constraints and sentences of failed invocations, without a socket."""

import pytest

from emulator.call import Scope
from emulator.errors import ValidationError
from emulator.inference import constraints, failures

SCOPE = Scope("123456789012", "us-west-2")


@pytest.mark.parametrize(
    "member, value, rules",
    [
        (
            "EndpointName",
            "-a",
            ["Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*"],
        ),
        ("TargetVariant", "v" * 64, ["Member must have length less than or equal to 63"]),
        (
            "InferenceId",
            "",
            [
                "Member must have length greater than or equal to 1",
                r"Member must satisfy regular expression pattern: \A\S[\p{Print}]*\z",
            ],
        ),
        ("CustomAttributes", "a" * 1025, ["Member must have length less than or equal to 1024"]),
        (
            "SessionId",
            "a_b",
            [
                "Member must satisfy regular expression pattern:"
                " ^(NEW_SESSION)$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*$"
            ],
        ),
    ],
)
def test_a_broken_constraint_is_worded_as_the_service_words_it(
    member: str, value: str, rules: list[str]
) -> None:
    with pytest.raises(ValidationError) as refused:
        constraints.check(member, value)
    path = member[0].lower() + member[1:]
    items = "; ".join(
        f"Value '{value}' at '{path}' failed to satisfy constraint: {r}" for r in rules
    )
    count = "1 validation error" if len(rules) == 1 else f"{len(rules)} validation errors"
    assert refused.value.message == f"{count} detected: {items}"


@pytest.mark.parametrize(
    "member, value",
    [
        ("EndpointName", "a" * 63),
        ("TargetVariant", "A-b--c1"),
        ("InferenceId", "an id with spaces"),
        ("SessionId", "NEW_SESSION"),
        ("CustomAttributes", "a" * 1024),
        ("ContentType", ""),
        ("TargetModel", "models/a.tar.gz"),
    ],
)
def test_a_value_within_its_constraints_passes(member: str, value: str) -> None:
    constraints.check(member, value)
    constraints.check_text(member, value)


def test_a_server_error_reads_as_on_the_service() -> None:
    error = failures.refused_by_container(SCOPE, "ep", "primary", 502, b"oh no")
    assert error.message == (
        'Received server error (502) from primary with message "oh no". See '
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2"
        "#logEventViewer:group=/aws/sagemaker/Endpoints/ep in account 123456789012 for more"
        " information."
    )
    assert error.members == {
        "ErrorCode": "INTERNAL_FAILURE_FROM_MODEL",
        "LogStreamArn": "arn:aws:logs:us-west-2:123456789012:log-group:/aws/sagemaker/Endpoints/ep",
        "OriginalMessage": "oh no",
        "OriginalStatusCode": 502,
    }


def test_a_client_error_reads_as_on_the_service() -> None:
    error = failures.refused_by_container(SCOPE, "ep", "primary", 415, b"no csv")
    assert error.message.startswith(
        'Received client error (415) from primary with message "no csv". '
    )
    assert error.members["ErrorCode"] == "CLIENT_ERROR_FROM_MODEL"


@pytest.mark.parametrize("body", [b"x" * 100_000, "é".encode() * 3000, b"\xff" * 9000])
def test_a_long_or_binary_error_body_is_cut_to_the_models_limit(body: bytes) -> None:
    error = failures.refused_by_container(SCOPE, "ep", "primary", 500, body)
    assert len(error.members["OriginalMessage"]) == 2048
    assert len(error.message) == 2048
    assert error.message.endswith(" in account 123456789012 for more information.")

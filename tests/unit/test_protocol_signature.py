"""Whose request it is."""

import pytest

from emulator.call import Scope
from emulator.protocol.signature import Credential, credential, scope_of

DEFAULT = Scope("000000000000", "us-east-1")
SCOPE = "AKIA/20260101/eu-west-1/sagemaker/aws4_request"

SIGNED = [
    (
        f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0",
        "",
        Credential("AKIA", "eu-west-1", "sagemaker"),
    ),
    # Some clients separate the fields by commas alone, and in another order.
    (
        f"AWS4-HMAC-SHA256 SignedHeaders=host,Signature=0,Credential={SCOPE}",
        "",
        Credential("AKIA", "eu-west-1", "sagemaker"),
    ),
    (
        "AWS4-ECDSA-P256-SHA256 Credential=AKIA/20260101/s3/aws4_request, Signature=0",
        "",
        Credential("AKIA", "", "s3"),
    ),
    ("AWS AKIA:signature=", "", Credential("AKIA", "", "s3")),
    (
        "",
        "X-Amz-Date=1&X-Amz-Credential=AKIA%2F20260101%2Feu-west-1%2Fs3%2Faws4_request",
        Credential("AKIA", "eu-west-1", "s3"),
    ),
    ("", "AWSAccessKeyId=AKIA&Signature=0&Expires=1", Credential("AKIA", "", "s3")),
]
UNREADABLE = [
    ("", ""),
    ("", "list-type=2&prefix=X-Amz-Credential"),
    ("", "X-Amz-Credential="),
    ("", "AWSAccessKeyId="),
    ("Bearer token", ""),
    ("AWS4-HMAC-SHA256", ""),
    ("AWS4-HMAC-SHA256 Credential=AKIA", ""),
    ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f", ""),
]


@pytest.mark.parametrize("authorization, query, signer", SIGNED)
def test_the_signer_is_read_from_every_kind_of_signature(
    authorization: str, query: str, signer: Credential
) -> None:
    assert credential(authorization, query) == signer


@pytest.mark.parametrize("authorization, query", UNREADABLE)
def test_what_is_not_a_signature_has_no_signer(authorization: str, query: str) -> None:
    assert credential(authorization, query) is None


@pytest.mark.parametrize(
    "signer, scope",
    [
        (None, DEFAULT),
        (Credential("123456789012", "eu-west-1", "s3"), Scope("123456789012", "eu-west-1")),
        (Credential("123456789012", "", "s3"), Scope("123456789012", "us-east-1")),
        (Credential("AKIAISSUED", "eu-west-1", "s3"), Scope("222222222222", "eu-west-1")),
        (Credential("AKIAUNKNOWN", "eu-west-1", "s3"), Scope("000000000000", "eu-west-1")),
        (Credential("12345678901", "eu-west-1", "s3"), Scope("000000000000", "eu-west-1")),
        # Twelve digits, but none that an account id has.
        (Credential("١٢٣٤٥٦٧٨٩٠١٢", "eu-west-1", "s3"), Scope("000000000000", "eu-west-1")),
        (Credential("AKIAUNKNOWN", "../../etc", "s3"), DEFAULT),
    ],
)
def test_the_scope_is_the_signers_or_the_default(signer: Credential | None, scope: Scope) -> None:
    issued = {"AKIAISSUED": "222222222222"}
    assert scope_of(signer, account_of=issued.get, default=DEFAULT) == scope

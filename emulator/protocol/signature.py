"""Whose request it is: account, region and service from its signature; pure.

The signature itself is never verified: the emulator runs beside its clients and holds no secret.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from emulator.call import Scope

AccountOf = Callable[[str], str | None]


@dataclass(frozen=True)
class Credential:
    """What a request says about its signer.

    Attributes:
        region: empty if the signature names none (SigV2 and SigV4A).
        service: the signing name, such as ``sagemaker`` or ``s3``.
    """

    access_key_id: str
    region: str
    service: str


def credential(authorization: str, query: str) -> Credential | None:
    """Return who signed, or None if nobody did or the signature cannot be read.

    Args:
        authorization: the ``Authorization`` header; empty if absent.
        query: the raw query string, which carries the credential of a presigned URL.
    """
    if authorization.startswith("AWS4-"):
        _, found, rest = authorization.partition("Credential=")
        return _from_scope(rest.partition(",")[0].strip()) if found else None
    if authorization.startswith("AWS "):
        # SigV2; only S3 clients still offer it.
        return Credential(authorization[4:].partition(":")[0].strip(), "", "s3")
    if presigned := _value("X-Amz-Credential", query):
        return _from_scope(presigned)
    if key := _value("AWSAccessKeyId", query):
        return Credential(key, "", "s3")
    return None


def scope_of(signer: Credential | None, *, account_of: AccountOf, default: Scope) -> Scope:
    """Return the account and region that a request acts in.

    An access key id of exactly twelve digits is the account itself, so that a client can choose one
    without any set-up; ``account_of`` knows the keys that STS and IAM issued.
    """
    if signer is None:
        return default
    key = signer.access_key_id
    account = key if len(key) == 12 and _is_digits(key) else account_of(key)
    region = signer.region if _is_region(signer.region) else default.region
    return Scope(account or default.account, region)


def _value(name: str, query: str) -> str:
    return parse_qs(query).get(name, [""])[0] if f"{name}=" in query else ""


def _from_scope(scope: str) -> Credential | None:
    """Read ``<key>/<date>/<region>/<service>/aws4_request``; SigV4A leaves the region out."""
    parts = scope.split("/")
    if len(parts) == 5:
        return Credential(parts[0], parts[2], parts[3])
    if len(parts) == 4:
        return Credential(parts[0], "", parts[2])
    return None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_region(text: str) -> bool:
    return text.isascii() and text.replace("-", "").isalnum()

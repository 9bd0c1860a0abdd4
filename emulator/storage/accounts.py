"""Whose an access key is that this emulator's IAM or STS issued."""

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends


def account_of(access_key_id: str) -> str | None:
    """Return the account a key was issued for, or None for a key from elsewhere."""
    for account, partitions in list(iam_backends.items()):
        if any(access_key_id in backend.access_keys for backend in partitions.values()):
            return str(account)
    for account, partitions_of_sts in list(sts_backends.items()):
        for backend in partitions_of_sts.values():
            if backend.get_assumed_role_from_access_key(access_key_id) is not None:
                return str(account)
    return None

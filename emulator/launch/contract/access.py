"""How code in a container reaches AWS, that is, the emulator; pure."""

from collections.abc import Mapping

from emulator.call import Scope

_OWN_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def region(scope: Scope) -> dict[str, str]:
    """Return the region's variables; boto3 reads the second, the toolkits the first."""
    return {"AWS_REGION": scope.region, "AWS_DEFAULT_REGION": scope.region}


def endpoint(scope: Scope, url: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return what points AWS clients at the emulator.

    The access key is the account's id, so that what the container stores is its owner's. A
    container with credentials of its own (in `given`) gets none: two halves make no pair.
    """
    variables = {"AWS_ENDPOINT_URL": url, "S3_ENDPOINT_URL": url}
    if not any(name in given for name in _OWN_CREDENTIALS):
        variables |= {"AWS_ACCESS_KEY_ID": scope.account, "AWS_SECRET_ACCESS_KEY": "emulator"}
    return variables

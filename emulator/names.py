"""Names that the emulator makes up, fixed and random; the only source of randomness."""

import secrets
import uuid

LABEL_PREFIX = "org.sagemaker-emulator."
"""How every label starts that we put on containers, volumes, networks and images."""


def endpoint_log_group(endpoint: str) -> str:
    """Return the CloudWatch Logs group of an endpoint's instances (contract B10)."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def request_id() -> str:
    """Return a request id as AWS formats it."""
    return str(uuid.uuid4())


def token(length: int = 8) -> str:
    """Return `length` random lower-case hexadecimal digits."""
    return secrets.token_hex((length + 1) // 2)[:length]


def instance_id() -> str:
    """Return an id shaped like an EC2 instance's, for log streams (contract B10)."""
    return "i-" + token(17)

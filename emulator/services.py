"""The services of AWS beside SageMaker that the emulator has, each kept by moto: one row each.

A service that joins gets its row here, an extra of moto's in ``pyproject.toml``, and the name of
its endpoint variable in ``clients/environment.py``, which is used where this package is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Errors(Enum):
    """The form in which a service's clients read its errors."""

    XML = "XML"
    JSON = "JSON"


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        package: moto's.
        host: what moto expects as the Host header.
        target: what ``X-Amz-Target`` begins with, empty for a protocol without it.
        regional: whether it has resources by region.
    """

    package: str
    host: str
    errors: Errors
    target: str = ""
    regional: bool = True


SERVICES: Mapping[str, Service] = {
    "ecr": Service(
        "ecr",
        "api.ecr.{region}.amazonaws.com",
        Errors.JSON,
        target="AmazonEC2ContainerRegistry_V20150921",
    ),
    "iam": Service("iam", "iam.{region}.amazonaws.com", Errors.XML, regional=False),
    "kms": Service("kms", "kms.{region}.amazonaws.com", Errors.JSON, target="TrentService"),
    "lambda": Service("awslambda", "lambda.{region}.amazonaws.com", Errors.JSON),
    "logs": Service("logs", "logs.{region}.amazonaws.com", Errors.JSON, target="Logs_20140328"),
    "monitoring": Service(
        "cloudwatch",
        "monitoring.{region}.amazonaws.com",
        Errors.JSON,
        target="GraniteServiceVersion20100801",
    ),
    "s3": Service("s3", "localhost", Errors.XML),
    "sns": Service("sns", "sns.{region}.amazonaws.com", Errors.XML),
    "sts": Service("sts", "sts.{region}.amazonaws.com", Errors.XML),
}
"""By the name that signatures carry."""

"""Amazon Resource Names of SageMaker resources (contract A6); pure."""

from emulator.call import Scope


def of(scope: Scope, segment: str, name: str) -> str:
    """Return the ARN; names inside ARNs are lower-cased, as clients saw them on AWS."""
    return f"arn:aws:sagemaker:{scope.region}:{scope.account}:{segment}/{name.lower()}"


def log_group(scope: Scope, group: str) -> str:
    """Return a CloudWatch Logs group's ARN as ModelError quotes it (contract A7)."""
    return f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{group}"

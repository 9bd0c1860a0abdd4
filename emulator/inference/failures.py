"""What a client reads when an invocation fails: SageMaker's sentences (contract A7); pure.

Sentences that no capture shows are free choices and stand together at the end.
"""

from emulator import arn
from emulator.call import Scope
from emulator.errors import ModelError, PayloadTooLarge, ValidationError

# The model's limit on Message and on OriginalMessage.
_LONGEST = 2048


def endpoint_not_found(scope: Scope, endpoint: str) -> ValidationError:
    return ValidationError(f"Endpoint {endpoint} of account {scope.account} not found.")


def variant_not_found(variant: str, request_id: str) -> ValidationError:
    return ValidationError(f"Variant {variant} not found for Request {request_id}.")


def target_model_unsupported(endpoint: str) -> ValidationError:
    return ValidationError(
        f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model"
        " header.",
        ErrorCode="TARGET_MODEL_HEADER_NOT_SUPPORTED",
    )


def body_too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"HTTP content length exceeded {limit} bytes.")


def refused_by_container(
    scope: Scope, endpoint: str, container: str, status: int, body: bytes
) -> ModelError:
    """Return the error for a whole reply whose status is not 2xx."""
    return _model_error(
        scope, endpoint, container, status, body[: 4 * _LONGEST].decode("utf-8", "replace")
    )


def unreadable_reply(scope: Scope, endpoint: str, container: str, status: int) -> ModelError:
    """Return the error for a reply whose head came and whose body did not."""
    message = (
        f"{_received(status, container)} and could not load the entire response body."
        f"{_see(scope, endpoint)}"
    )
    return ModelError(message, **_members(scope, endpoint, status, ""))


def timed_out(scope: Scope, endpoint: str, container: str) -> ModelError:
    text = (
        "Your invocation timed out while waiting for a response from container"
        f" {container}. Review the latency metrics for each container in Amazon CloudWatch,"
        " resolve the issue, and try again."
    )
    return _model_error(scope, endpoint, container, 0, text)


def no_response(scope: Scope, endpoint: str, container: str) -> ModelError:
    """Return the error for a container that refuses connections or died."""
    text = (
        f"Amazon SageMaker could not get a response from the {endpoint} endpoint. This can occur"
        " when CPU or memory utilization is high. To check your utilization, see Amazon"
        " CloudWatch. To fix this problem, use an instance type with more CPU capacity or memory."
    )
    return _model_error(scope, endpoint, container, 0, text)


def _model_error(scope: Scope, endpoint: str, container: str, status: int, text: str) -> ModelError:
    before = f'{_received(status, container)} with message "'
    after = f'".{_see(scope, endpoint)}'
    # The pointer to the logs is worth more than the tail of a long body.
    quoted = text[: _LONGEST - len(before) - len(after)]
    return ModelError(f"{before}{quoted}{after}", **_members(scope, endpoint, status, text))


def _received(status: int, container: str) -> str:
    side = "client" if 400 <= status < 500 else "server"
    return f"Received {side} error ({status}) from {container}"


def _see(scope: Scope, endpoint: str) -> str:
    return (
        f" See https://{scope.region}.console.aws.amazon.com/cloudwatch/home"
        f"?region={scope.region}#logEventViewer:group={_log_group(endpoint)}"
        f" in account {scope.account} for more information."
    )


def _members(scope: Scope, endpoint: str, status: int, text: str) -> dict[str, str | int]:
    client = 400 <= status < 500
    return {
        "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if client else "INTERNAL_FAILURE_FROM_MODEL",
        "LogStreamArn": arn.log_group(scope, _log_group(endpoint)),
        "OriginalMessage": text[:_LONGEST],
        "OriginalStatusCode": status,
    }


def _log_group(endpoint: str) -> str:
    return f"/aws/sagemaker/Endpoints/{endpoint}"


# Free choices: no capture of these replies is known.


def body_incomplete() -> ValidationError:
    return ValidationError("The request body ended before its Content-Length.")


def target_container_unsupported(endpoint: str) -> ValidationError:
    return ValidationError(
        f"Endpoint {endpoint} is not a multi-container endpoint with direct invocation and does"
        " not support target container hostname header."
    )


def inference_component_unsupported(endpoint: str) -> ValidationError:
    return ValidationError(
        f"Endpoint {endpoint} does not host inference components and does not support inference"
        " component name header."
    )

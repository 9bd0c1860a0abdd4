"""Errors: what a client sees, and what may cross between our parts.

    EmulatorError
    ├── ServiceError                    answered to the client, serialized once, in protocol/
    │   ├── ValidationException         400, un-modelled: body member ``message``
    │   ├── ResourceInUse               400, modelled: body member ``Message``
    │   ├── ResourceNotFound            400, modelled
    │   ├── ResourceLimitExceeded       400, modelled
    │   ├── ConflictException           400, modelled
    │   ├── UnknownOperationException   400, not an operation of the service model
    │   ├── OperationNotEmulated        501, in the model but not emulated; no SDK retries a 501
    │   ├── InternalFailure             500, a bug of ours
    │   └── RuntimeServiceError         sagemaker-runtime; the code also travels in x-amzn-ErrorType
    │       ├── ValidationError         400
    │       ├── PayloadTooLarge         413
    │       ├── ModelNotReadyException  429
    │       └── ModelError              424
    ├── TemporaryError                  launch, staging, catalogue: worth another try after `delay`
    └── PermanentError                  launch, staging, catalogue: a retry is useless

The class is the code; the sentence is SageMaker's own (contract A1, A7).
"""

from typing import Any


class EmulatorError(Exception):
    """The root of every error that the emulator raises on purpose."""


class ServiceError(EmulatorError):
    """An error a client sees.

    Args:
        message: the sentence, as SageMaker words it.
    """

    status: int = 400
    modelled: bool = False
    coded: bool = True
    """False for an error that clients know by its HTTP status alone."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def code(self) -> str:
        return type(self).__name__


class ValidationException(ServiceError):
    """A constraint or a state forbids the request."""


class ResourceInUse(ServiceError):
    """The name is taken."""

    modelled = True


class ResourceNotFound(ServiceError):
    """The resource is absent, for the operations that say so with this code."""

    modelled = True


class ResourceLimitExceeded(ServiceError):
    """A quota of the account is reached."""

    modelled = True


class ConflictException(ServiceError):
    """Something else that exists forbids the change."""

    modelled = True


class UnknownOperationException(ServiceError):
    """The request names an operation that the service does not have."""


class OperationNotEmulated(ServiceError):
    """The operation exists on AWS and is not emulated."""

    status = 501


class InternalFailure(ServiceError):
    """The emulator failed; the log has the traceback."""

    status = 500


class RuntimeServiceError(ServiceError):
    """An error of sagemaker-runtime.

    Args:
        message: the sentence.
        members: further body members, such as ``ErrorCode`` or ``OriginalStatusCode``.
    """

    modelled = True

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        self.members = members


class ValidationError(RuntimeServiceError):
    """The invocation cannot be routed: unknown endpoint or variant, or a bad header."""


class PayloadTooLarge(RuntimeServiceError):
    """The request body exceeds the limit of real-time inference; clients see the code 413."""

    status = 413
    coded = False


class ModelNotReadyException(RuntimeServiceError):
    """The model is not loaded yet; SDKs retry."""

    status = 429


class ModelError(RuntimeServiceError):
    """The container answered other than 2xx, died, or took too long."""

    status = 424


class TemporaryError(EmulatorError):
    """The same call may succeed later.

    Args:
        message: what failed.
        delay: seconds to wait before the next try.
    """

    def __init__(self, message: str, *, delay: float = 1.0) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(EmulatorError):
    """The same call can never succeed; the message is fit for a FailureReason."""

"""SageMaker's services beside its control plane: which of their operations a request is for.

Runtime, metrics, feature store and the like are REST services: method and path name the operation.
Most sign as the control plane does, so that their calls come here, and each deserves an answer that
says what it was. Which operations there are is botocore's to know.
"""

import re
from collections.abc import Iterator
from functools import cache

from emulator.errors import OperationNotEmulated, ServiceError, UnknownOperationException
from emulator.protocol import model

METRICS = "Amazon SageMaker Metrics Service"
_OF_METRICS = frozenset({"BatchGetMetrics", "BatchPutMetrics"})
NATIVE = frozenset({"InvokeEndpoint", *_OF_METRICS})
"""The operations that are not refused."""
_LABEL = re.compile(r"\\{[^}]+\\}")
_INVOCATION = re.compile(r"/endpoints/[^/]*/(async-)?invocations[^/]*")
# The newest botocore has no model of it: only SDKs that speak HTTP/2 have.
_BIDIRECTIONAL = ("POST", "/endpoints/{EndpointName}/invocations-bidirectional-stream")


def is_invocation(path: str) -> bool:
    """Tell whether a path is one that endpoints are invoked at, whatever the method."""
    return _INVOCATION.fullmatch(path) is not None


def of_metrics(method: str, path: str) -> str | None:
    """Return the operation of the metrics service that a request is for; None if it is for none.

    That service is answered as the control plane is, once its operation is known.
    """
    name = path.removeprefix("/")
    if name not in _OF_METRICS:
        return None
    return name if method == metrics().operations[name]["http"]["method"] else None


@cache
def metrics() -> model.Service:
    """Return the model of the metrics service."""
    (service,) = (one for one in model.planes() if one.title == METRICS)
    return service


def refusal(method: str, path: str) -> ServiceError:
    """Return the error that says which operation is not emulated, or that there is none."""
    for at, pattern, service, operation in _routes():
        if at == method and pattern.fullmatch(path):
            return OperationNotEmulated(
                f"{operation} of {service} is not emulated. docs/compatibility.md lists what is."
            )
    return UnknownOperationException(f"SageMaker has no operation at {method} {path}.")


@cache
def _routes() -> tuple[tuple[str, re.Pattern[str], str, str], ...]:
    """Return method, path, service and operation of everything that SageMaker's services do."""
    return tuple(
        (method, re.compile(_LABEL.sub("[^/]+", re.escape(path))), service, operation)
        for service, operation, method, path in _described()
    )


def operations() -> dict[str, list[str]]:
    """Return the names of the operations of each service, by what AWS calls it."""
    found: dict[str, list[str]] = {}
    for service, operation, _, _ in _described():
        found.setdefault(service, []).append(operation)
    return found


def _described() -> Iterator[tuple[str, str, str, str]]:
    for service in model.planes():
        for operation, description in service.operations.items():
            http = description["http"]
            yield service.title, operation, http["method"], http["requestUri"].partition("?")[0]
    yield "Amazon SageMaker Runtime", "InvokeEndpointWithBidirectionalStream", *_BIDIRECTIONAL

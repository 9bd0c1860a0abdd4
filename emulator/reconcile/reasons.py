"""FailureReason texts (contract B4, C4): SageMaker's words first, then what we can add; pure."""

import errno
import os
import re
from pathlib import Path

from emulator.call import Document

LIMIT = 1024
"""Characters of a sentence of ours, and of a container's failure file (contract B3, B4)."""

CUSTOMER_ERROR = 2
"""Exit code by which Amazon's algorithms say that data or settings are at fault (contract B4)."""

INTERNAL = "InternalServerError: We encountered an internal error. Please try again."
INTERRUPTED = (
    "InternalServerError: The emulator was stopped while this training job was running."
    " What it had written was saved. Create the job again to run it anew."
)
REMOVED = (
    f"{INTERNAL} A container of this training job was removed by somebody else while the job was"
    " running. What it had written was saved."
)
PIPES_CUT = (
    "InternalServerError: We encountered an internal error - Platform Error: SageMaker pipe channel"
    " timed out. The emulator was killed while it fed the pipes of this training job, so the job"
    " may have read less than all data. What it had written was saved. Create the job again to run"
    " it anew."
)
SERVICE = "Request to service failed. If failure persists after retry, contact customer support."
_ECR = re.compile(r"^(\d{12})\.dkr\.ecr\.[^/]+/([^:@]+)")


def training_image(document: Document, detail: str) -> str:
    """Return the reason for a training image that no local image serves."""
    image = document["AlgorithmSpecification"].get("TrainingImage", "")
    found = _ECR.match(image)
    if found is None:
        return _cut(f"ClientError: Cannot find image: {image}. {detail}")
    account, repository = found.groups()
    return _cut(
        f"ClientError: Cannot find repository: {repository} in registry ID: {account} Please check"
        f" if your ECR repository exists and role {document['RoleArn']} has proper pull permissions"
        " for SageMaker: ecr:BatchCheckLayerAvailability, ecr:BatchGetImage,"
        f" ecr:GetDownloadUrlForLayer. {detail}"
    )


def capacity(detail: str) -> str:
    """Return the reason for a training job whose instances this machine can't give."""
    return _cut(
        "CapacityError: Unable to provision requested ML compute capacity. Please retry using a"
        f" different ML instance type. {detail}"
    )


def download(detail: str) -> str:
    """Return the reason for input that could not be staged; staging may have worded it already."""
    prefix = "ClientError: Data download failed:"
    return _cut(detail if detail.startswith(prefix) else prefix + detail)


def detail(error: Exception) -> str:
    """Return what to say of an error that data met on its way, on this machine's disk or in S3.

    Where on this machine a file lies is no client's business: of its path the name is told.
    """
    if not isinstance(error, OSError):
        return str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Insufficient disk space"
    what = error.strerror or "A file can't be read or written"
    if not isinstance(error.filename, str | bytes):
        return what
    name = Path(os.fsdecode(error.filename)).name
    return f"{what}: '{name.encode('utf-8', 'replace').decode()}'"


def upload(detail: str) -> str:
    return _cut(f"ClientError: Artifact upload failed:{detail}")


def start(detail: str) -> str:
    """Return the reason for a container that the engine could not start."""
    return _cut(f"ClientError: The training container could not be started: {detail}")


def exit_code(
    failure: str, code: int, *, out_of_memory: bool, built_in_algorithm: bool = False
) -> str:
    """Return the reason for a container that ended in failure.

    Args:
        failure: text of /opt/ml/output/failure, empty without one.
        code: the exit code.
        out_of_memory: the container was killed for memory.
        built_in_algorithm: the container is one of Amazon's algorithms, whose exit code says whose
            fault it is (contract B4).
    """
    suffix = f", exit code: {code}"
    if out_of_memory and not failure:
        return (
            "ClientError: Please use an instance type with more memory, or reduce the size of"
            f" training data processed on an instance.{suffix}"
        )
    customers_fault = built_in_algorithm and code == CUSTOMER_ERROR
    return f"{'Client' if customers_fault else 'Algorithm'}Error: {failure[:LIMIT]}{suffix}"


def ping(variant: str, detail: str = "") -> str:
    text = (
        f"The primary container for production variant {variant} did not pass the ping health"
        " check. Please check CloudWatch logs for this endpoint."
    )
    return _cut(f"{text} {detail}" if detail else text)


def serving_capacity(detail: str) -> str:
    """Return the reason for an endpoint whose instances this machine can't give."""
    return _cut(
        "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity"
        " error. Please retry using a different ML instance type or after some time."
        f" {detail}"
    )


MODEL_TOO_LARGE = (
    "The model data archive is too large. Please reduce the size of the model data archive or move"
    " to an instance type with more memory."
)


def model_download(url: str) -> str:
    return _cut(
        f'Failed to download model data for container "container_1" from URL: "{url}". Please'
        " ensure that there is an object located at the URL and that the role passed to"
        " CreateModel has permissions to download the object."
    )


def model_archive(url: str) -> str:
    return _cut(
        f'Failed to extract model data archive for container "container_1" from URL "{url}".'
        " Please ensure that the object located at the URL is a valid tar.gz archive."
    )


def serving_image(variant: str, detail: str) -> str:
    return _cut(
        "Please make sure all images included in the model for the production variant"
        f" {variant} exist, and that the execution role used to create the model has permissions"
        f" to access them. {detail}"
    )


def serving_start(variant: str, detail: str) -> str:
    """Return the reason for a serving container that the engine could not start."""
    return ping(variant, f"The container could not be started: {detail}")


def notebook_start(detail: str) -> str:
    """Return the reason for a notebook instance that could not start."""
    return _cut(f"The notebook instance could not be started. {detail}")


def notebook_image(image: str) -> str:
    name = image.partition("/")[2].partition(":")[0]
    return notebook_start(
        f"There is no image {image} on this machine. Build it with: sagemaker-emulator images"
        f" build {name}"
    )


def notebook_end(detail: str) -> str:
    """Return the reason for a notebook instance that was in service and ended by itself."""
    return _cut(f"The notebook instance ended unexpectedly. {detail} Start it again.")


def script_failed(config: str, instance: str, detail: str) -> str:
    """Return the reason for a lifecycle script that failed.

    Args:
        config, instance: ARNs.
    """
    return _script(config, instance, "failed", detail)


def script_too_slow(config: str, instance: str, seconds: int) -> str:
    """Return the reason for a lifecycle script that had to be killed; see `script_failed`."""
    number, unit = (seconds // 60, "minute") if seconds % 60 == 0 else (seconds, "second")
    took = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return _script(config, instance, f"took longer than {took}", "")


def _script(config: str, instance: str, what: str, detail: str) -> str:
    text = (
        f"Notebook Instance Lifecycle Config '{config}' for Notebook Instance '{instance}' {what}."
        " Please check your CloudWatch logs for more details if your Notebook Instance has"
        " Internet access."
    )
    return _cut(f"{text} {detail}" if detail else text)


def _cut(text: str) -> str:
    """Return a text as a document can hold it: its beginning, with stray surrogates written out."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"

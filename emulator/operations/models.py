"""Models: create, describe, list and delete; a model is immutable and nothing runs for it."""

from emulator import arn as arns
from emulator.call import Call, Document
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.kinds import MODEL
from emulator.operations import s3_uri, tags
from emulator.operations.listing import Listing
from emulator.operations.refusals import Table, must_not_be_null, refuse_unemulated
from emulator.operations.registry import operation

LISTING = Listing(MODEL, result="Models", name="ModelName")

_OF_A_CONTAINER: Table = {
    "AdditionalModelDataSources": "",
    "ContainerMetricsConfig": "",
    "InferenceSpecificationName": "",
    "Mode=MultiModel": "Create one model for each artifact.",
    "ModelDataSource.S3DataSource.HubAccessConfig": "",
    "ModelDataSource.S3DataSource.ManifestS3Uri": "",
    "ModelPackageName": "Give the package's Image and ModelDataUrl.",
    "MultiModelConfig": "",
}
NOT_EMULATED: Table = {"InferenceExecutionConfig.Mode=Direct": ""} | {
    f"{place}.{entry}": hint
    for place in ("PrimaryContainer", "Containers[]")
    for entry, hint in _OF_A_CONTAINER.items()
}


@operation("CreateModel")
def create(call: Call, request: Document) -> Document:
    name = request["ModelName"]
    labels = tags.given(request)
    container, path = _container(request)
    refuse_unemulated(request, NOT_EMULATED)
    if "Image" not in container:
        must_not_be_null(f"{path}.image")
    _check_data(call, container, request.get("ExecutionRoleArn", ""))
    document = {
        "EnableNetworkIsolation": False,
        **{key: value for key, value in request.items() if key not in ("Tags", "Containers")},
        "PrimaryContainer": {"Mode": "SingleModel", "Environment": {}, **container},
        "ModelArn": arns.of(call.scope, MODEL.arn_segment, name),
        "CreationTime": now(),
    }
    call.store.create(MODEL, call.scope, name, "Created", document, labels)
    return document


@operation("DescribeModel")
def describe(call: Call, request: Document) -> Document:
    return call.store.fetch(MODEL, call.scope, request["ModelName"]).document


@operation("ListModels")
def list_(call: Call, request: Document) -> Document:
    return LISTING.page(call, request)


@operation("DeleteModel")
def delete(call: Call, request: Document) -> Document:
    """Forget the model; endpoints that serve it go on (contract A4)."""
    call.store.remove(MODEL, call.scope, request["ModelName"])
    return {}


def _container(request: Document) -> tuple[Document, str]:
    """Return the model's one container and its path in the request.

    A list of one behaves as primary (contract C1).
    """
    containers = request.get("Containers", [])
    if ("PrimaryContainer" in request) == bool(containers):
        raise ValidationException("Specify exactly one of PrimaryContainer and Containers.")
    if len(containers) > 1:
        raise ValidationException(
            "Containers with more than one member is not emulated yet. Use PrimaryContainer."
        )
    if containers:
        return containers[0], "containers.1.member"
    return request["PrimaryContainer"], "primaryContainer"


def _check_data(call: Call, container: Document, role: str) -> None:
    """Raise ValidationException unless the model's data is in S3 (contract C1)."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None:
        if "ModelDataUrl" in container:
            raise ValidationException("Specify only one of ModelDataUrl and ModelDataSource.")
        _check_prefix(call, source, role)
    elif "ModelDataUrl" in container:
        _check_object(call, container["ModelDataUrl"], "ModelDataUrl", role)


def _check_prefix(call: Call, source: Document, role: str) -> None:
    uri = source["S3Uri"]
    if source["S3DataType"] == "S3Object":
        _check_object(call, uri, "ModelDataSource.S3DataSource.S3Uri", role)
        return
    if source["CompressionType"] != "None" or not uri.endswith("/"):
        raise ValidationException(
            'With S3DataType "S3Prefix", CompressionType must be "None" and S3Uri must end with'
            f' "/": "{uri}"'
        )
    bucket, prefix = s3_uri.parse(uri, "ModelDataSource.S3DataSource.S3Uri")
    _check_access(call, bucket, uri, role)
    if not call.objects.any_under(bucket, prefix):
        raise ValidationException(f"Could not find model data at {uri}.")


def _check_object(call: Call, url: str, path: str, role: str) -> None:
    bucket, key = s3_uri.parse(url, path)
    _check_access(call, bucket, url, role)
    if not call.objects.object_exists(bucket, key):
        raise ValidationException(f"Could not find model data at {url}.")


def _check_access(call: Call, bucket: str, url: str, role: str) -> None:
    if not call.objects.bucket_exists(bucket):
        raise ValidationException(
            f'Could not access model data at {url}. Please ensure that the role "{role}" exists'
            ' and that its trust relationship policy allows the action "sts:AssumeRole" for the'
            ' service principal "sagemaker.amazonaws.com". Also ensure that the role has'
            ' "s3:GetObject" permissions and that the object is located in'
            f" {call.scope.region}. If your Model uses multiple models or uncompressed models,"
            ' please ensure that the role has "s3:ListBucket" permission.'
        )

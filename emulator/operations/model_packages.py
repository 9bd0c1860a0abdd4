"""Model packages: versions in a group, or single ones; kept, never validated by a job."""

from emulator.call import Call, Document
from emulator.errors import ValidationException
from emulator.kinds import MODEL_PACKAGE
from emulator.operations.record_kinds import LISTED_AS, MODEL_PACKAGE_GROUPS, MODEL_PACKAGES
from emulator.operations.refusals import Table, refuse_unemulated
from emulator.operations.registry import operation

# A job would validate the package.
NOT_EMULATED: Table = {"ValidationSpecification": "Give SkipModelValidation All."}

_TOKEN = "ClientToken"
_WHOLE = {
    "ModelPackageStatus": "Completed",
    "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
}


@operation("CreateModelPackage")
def create(call: Call, request: Document) -> Document:
    if "ModelPackageName" in request and "ModelPackageGroupName" in request:
        raise ValidationException(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot"
            " determine which one to use."
        )
    if request.get("SkipModelValidation") != "All":
        refuse_unemulated(request, NOT_EMULATED)
    with call.store.transaction():
        if earlier := _made_by(call, request.get(_TOKEN)):
            return earlier
        if "ModelPackageGroupName" in request:
            return _create_version(call, request)
        if "ModelPackageName" not in request:
            raise ValidationException("Missing ARN.")
        given = {"CertifyForMarketplace": False, **request}
        return MODEL_PACKAGES.keep(call, given, _WHOLE | {LISTED_AS: given["ModelPackageName"]})


@operation("DescribeModelPackage")
def describe(call: Call, request: Document) -> Document:
    return MODEL_PACKAGES.find(call, request["ModelPackageName"]).document


@operation("BatchDescribeModelPackage")
def describe_many(call: Call, request: Document) -> Document:
    found, errors = {}, {}
    for arn in request["ModelPackageArnList"]:
        try:
            found[arn] = MODEL_PACKAGES.find(call, arn).document
        except ValidationException as error:
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


@operation("UpdateModelPackage")
def update(call: Call, request: Document) -> Document:
    given = {key: value for key, value in request.items() if key != _TOKEN}
    return MODEL_PACKAGES.update(call, given)


@operation("ListModelPackages")
def list_(call: Call, request: Document) -> Document:
    """List versions of one group, or packages that have none; ModelPackageType says which."""
    records = call.store.select(MODEL_PACKAGE, call.scope)
    found = [record.document for record in records]
    wanted = request.get("ModelPackageType", "Unversioned")
    if "ModelPackageGroupName" in request:
        group = MODEL_PACKAGE_GROUPS.find(call, request["ModelPackageGroupName"])
        found = [one for one in found if one.get("ModelPackageGroupName") == group.name]
    elif wanted != "Both":
        found = [one for one in found if ("ModelPackageVersion" in one) == (wanted == "Versioned")]
    if "ModelApprovalStatus" in request:
        status = request["ModelApprovalStatus"]
        found = [one for one in found if one.get("ModelApprovalStatus") == status]
    return MODEL_PACKAGES.listing.page(call, request, found)


@operation("DeleteModelPackage")
def delete(call: Call, request: Document) -> Document:
    """Forget a package; its version number is not given again."""
    with call.store.transaction():
        record = MODEL_PACKAGES.find(call, request["ModelPackageName"])
        call.store.remove(MODEL_PACKAGE, call.scope, record.name)
    return {}


def _made_by(call: Call, token: str | None) -> Document | None:
    """Return the package that an earlier call with the same token made, so that a retry is one."""
    if token is None:
        return None
    packages = (record.document for record in call.store.select(MODEL_PACKAGE, call.scope))
    return next((one for one in packages if one.get(_TOKEN) == token), None)


def _create_version(call: Call, request: Document) -> Document:
    if request.get("Tags"):
        raise ValidationException(
            "Tags cannot be given to a version of a model package. Tag its group."
        )
    group = MODEL_PACKAGE_GROUPS.find(call, request["ModelPackageGroupName"])
    version = group.document["LatestVersion"] + 1

    def count(document: Document) -> Document:
        return document | {"LatestVersion": version}

    MODEL_PACKAGE_GROUPS.change(call, group.name, count)
    given = {
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": "PendingManualApproval",
        **request,
    }
    members = {
        **_WHOLE,
        LISTED_AS: group.name,
        "ModelPackageGroupName": group.name,
        "ModelPackageVersion": version,
    }
    return MODEL_PACKAGES.keep(call, given, members, name=f"{group.name}/{version}")

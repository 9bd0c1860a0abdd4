"""Endpoint configurations: create, describe, list and delete; immutable, nothing runs for them."""

from emulator import arn as arns
from emulator.call import Call, Document
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.kinds import ENDPOINT_CONFIG, MODEL
from emulator.operations import accelerated, tags
from emulator.operations.listing import Listing
from emulator.operations.refusals import (
    Table,
    must_not_be_null,
    refuse_unemulated,
    require_distinct,
)
from emulator.operations.registry import operation

LISTING = Listing(ENDPOINT_CONFIG, result="EndpointConfigs", name="EndpointConfigName")

NOT_EMULATED: Table = {
    "AsyncInferenceConfig": "",
    "CrossRegionTrafficConfig": "",
    "EnableNetworkIsolation": "Set it on the model.",
    "ExplainerConfig": "",
    "MetricsConfig.EnableDetailedObservability": "",
    "MetricsConfig.EnableEnhancedMetrics": "",
    "ProductionVariants[].AcceleratorPartitionLayouts": "",
    "ProductionVariants[].CapacityReservationConfig": "",
    "ProductionVariants[].CoreDumpConfig": "",
    "ProductionVariants[].EnableSSMAccess": "",
    "ProductionVariants[].InstancePools": "Use InstanceType and InitialInstanceCount.",
    "ProductionVariants[].ManagedInstanceScaling.Status=ENABLED": "",
    "ProductionVariants[].RoutingConfig.RoutingStrategy=KV_AWARE": "",
    "ProductionVariants[].RoutingConfig.RoutingStrategy=PREFIX_AWARE": "",
    "ProductionVariants[].ServerlessConfig": "Use InstanceType and InitialInstanceCount.",
    "ShadowProductionVariants": "",
}

_REQUIRED_OF_VARIANTS = {
    "ModelName": "modelName",
    "InstanceType": "instanceType",
    "InitialInstanceCount": "initialInstanceCount",
}


@operation("CreateEndpointConfig")
def create(call: Call, request: Document) -> Document:
    name = request["EndpointConfigName"]
    labels = tags.given(request)
    refuse_unemulated(request, NOT_EMULATED)
    _check_capture(request)
    variants = request["ProductionVariants"]
    _check_variants(call, variants)
    document = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "ProductionVariants": [{"InitialVariantWeight": 1.0, **variant} for variant in variants],
        "EndpointConfigArn": arns.of(call.scope, ENDPOINT_CONFIG.arn_segment, name),
        "CreationTime": now(),
    }
    call.store.create(ENDPOINT_CONFIG, call.scope, name, "Created", document, labels)
    return document


@operation("DescribeEndpointConfig")
def describe(call: Call, request: Document) -> Document:
    return call.store.fetch(ENDPOINT_CONFIG, call.scope, request["EndpointConfigName"]).document


@operation("ListEndpointConfigs")
def list_(call: Call, request: Document) -> Document:
    return LISTING.page(call, request)


@operation("DeleteEndpointConfig")
def delete(call: Call, request: Document) -> Document:
    """Forget the configuration; endpoints that use it go on (contract A4)."""
    call.store.remove(ENDPOINT_CONFIG, call.scope, request["EndpointConfigName"])
    return {}


def _check_capture(request: Document) -> None:
    # Capture is on when a DataCaptureConfig does not say otherwise.
    if request.get("DataCaptureConfig", {"EnableCapture": False}).get("EnableCapture", True):
        raise ValidationException("DataCaptureConfig.EnableCapture is not emulated yet.")


def _check_variants(call: Call, variants: list[Document]) -> None:
    for number, variant in enumerate(variants, start=1):
        for member, spelling in _REQUIRED_OF_VARIANTS.items():
            if member not in variant:
                must_not_be_null(f"productionVariants.{number}.member.{spelling}")
    require_distinct((each["VariantName"] for each in variants), "Production variant names")
    for variant in variants:
        model = call.store.fetch(MODEL, call.scope, variant["ModelName"])
        accelerated.check(variant, model.document)

"""Endpoints: create, describe, list, update and delete; nothing here runs a container.

What an endpoint should become is in its document, under "Emulator":

    id          tells it from an earlier endpoint of the same name, whose containers may still stop
    generation  the number of the fleet that serves, from 1
    plan        the fleet's EndpointConfig and Model documents, copied at the request, so that
                deleting them later changes nothing
    desired     what each variant should have: {"variant", "weight", "instances"}
    latest      the highest number that any fleet was ever given, so that none is given twice: a
                fleet that failed may have left files and containers under its number
    target      the first three for an update under way, and the "config_name" that the endpoint
                takes when the update succeeds; the reconciler removes it
"""

from collections.abc import Callable

from emulator import arn as arns
from emulator.call import Call, Document, Record
from emulator.clock import now
from emulator.errors import ValidationException
from emulator.kinds import ENDPOINT, ENDPOINT_CONFIG, MODEL
from emulator.lifecycle import endpoint as life
from emulator.lifecycle.endpoint import IN_PROGRESS, Event, Phase
from emulator.names import endpoint_log_group, token
from emulator.operations import quotas, tags
from emulator.operations.listing import Listing
from emulator.operations.refusals import (
    Table,
    out_of_bounds,
    refuse_unemulated,
    require_distinct,
)
from emulator.operations.registry import operation

LISTING = Listing(ENDPOINT, result="Endpoints", name="EndpointName", status="EndpointStatus")

_TRAFFIC = "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type"

NOT_EMULATED: Table = {
    f"{_TRAFFIC}=CANARY": "Use ALL_AT_ONCE.",
    f"{_TRAFFIC}=LINEAR": "Use ALL_AT_ONCE.",
    "DeploymentConfig.AutoRollbackConfiguration.Alarms": "",
    "DeploymentConfig.BlueGreenUpdatePolicy.TerminationWaitInSeconds": "",
    "DeploymentConfig.RollingUpdatePolicy": "Use BlueGreenUpdatePolicy with ALL_AT_ONCE.",
    "DesiredWeightsAndCapacities[].ServerlessUpdateConfig": "",
    "ExcludeRetainedVariantProperties[].VariantPropertyType=DataCaptureConfig": "",
}

_DEPLOYMENT = "LastDeploymentConfig"

_RETAINED = {"DesiredWeight": "weight", "DesiredInstanceCount": "instances"}


@operation("CreateEndpoint")
def create(call: Call, request: Document) -> Document:
    name = request["EndpointName"]
    labels = tags.given(request)
    refuse_unemulated(request, NOT_EMULATED)
    plan = _plan(call, request["EndpointConfigName"])
    document = {
        "EndpointName": name,
        "EndpointArn": arns.of(call.scope, ENDPOINT.arn_segment, name),
        "EndpointConfigName": request["EndpointConfigName"],
        **_deployment(request, {}),
        "Emulator": {
            "id": token(),
            "generation": 1,
            "plan": plan,
            "desired": _desired(plan),
            "latest": 1,
        },
    }
    born = life.born(document, now())
    record = call.store.create(
        *(ENDPOINT, call.scope, name, *born, labels),
        admit=lambda: quotas.admit_endpoint(call, plan, _desired(plan)),
    )
    call.open_log_group(endpoint_log_group(name))
    call.wake(ENDPOINT, call.scope, name)
    return record.document


@operation("DescribeEndpoint")
def describe(call: Call, request: Document) -> Document:
    return described(call.store.fetch(ENDPOINT, call.scope, request["EndpointName"]))


def described(record: Record) -> Document:
    """Return what is told of an endpoint: its document, and what an update has still to do."""
    return {**record.document, **_pending(record)}


@operation("ListEndpoints")
def list_(call: Call, request: Document) -> Document:
    return LISTING.page(call, request)


@operation("UpdateEndpoint")
def update(call: Call, request: Document) -> Document:
    refuse_unemulated(request, NOT_EMULATED)
    _check_updatable(call.store.fetch(ENDPOINT, call.scope, request["EndpointName"]))
    plan = _plan(call, request["EndpointConfigName"])

    def change(record: Record) -> tuple[str, Document]:
        _check_updatable(record)
        serving = record.document["Emulator"]
        target = {
            "generation": serving["latest"] + 1,
            "plan": plan,
            "desired": _retained(request, serving["desired"], _desired(plan)),
            "config_name": request["EndpointConfigName"],
        }
        quotas.admit_endpoint(call, plan, target["desired"])
        others = {key: value for key, value in record.document.items() if key != _DEPLOYMENT}
        return _updating(record, {**others, **_deployment(request, record.document)}, target)

    return _request(call, request["EndpointName"], change, Event.UPDATE_REQUESTED)


@operation("UpdateEndpointWeightsAndCapacities")
def update_weights_and_capacities(call: Call, request: Document) -> Document:
    refuse_unemulated(request, NOT_EMULATED)
    wanted = request["DesiredWeightsAndCapacities"]
    for number, variant in enumerate(wanted, start=1):
        if variant.get("DesiredInstanceCount", 1) < 1:
            path = f"desiredWeightsAndCapacities.{number}.member.desiredInstanceCount"
            out_of_bounds(path, 0, "greater than or equal to 1")
    require_distinct((each["VariantName"] for each in wanted), "Production variant names")

    def change(record: Record) -> tuple[str, Document]:
        _check_updatable(record)
        serving = record.document["Emulator"]
        target = {
            "generation": serving["generation"],
            "plan": serving["plan"],
            "desired": _changed(record.arn, serving["desired"], wanted),
            "config_name": record.document["EndpointConfigName"],
        }
        has = sum(wish["instances"] for wish in serving["desired"])
        quotas.admit_endpoint(call, serving["plan"], target["desired"], already=has)
        return _updating(record, record.document, target)

    return _request(call, request["EndpointName"], change, Event.UPDATE_REQUESTED)


@operation("DeleteEndpoint")
def delete(call: Call, request: Document) -> Document:
    """Ask for the end of the endpoint; the reconciler forgets it when its containers are gone."""

    def change(record: Record) -> tuple[str, Document]:
        _check_idle(record)
        return life.advance(record.document, record.phase, Event.DELETE_REQUESTED, now())

    _request(call, request["EndpointName"], change, Event.DELETE_REQUESTED)
    return {}


def _request(
    call: Call, name: str, change: Callable[[Record], tuple[str, Document]], event: Event
) -> Document:
    record = call.store.change(ENDPOINT, call.scope, name, change, event=event)
    call.wake(ENDPOINT, call.scope, name)
    return record.document


def _check_idle(record: Record) -> None:
    if record.phase in IN_PROGRESS:
        raise ValidationException(f'Cannot update in-progress endpoint "{record.arn}".')


def _check_updatable(record: Record) -> None:
    _check_idle(record)
    if record.phase == Phase.FAILED:
        raise ValidationException(
            f'Cannot update endpoint "{record.arn}" because it is in status {record.phase}.'
        )


def _updating(record: Record, document: Document, target: Document) -> tuple[str, Document]:
    """Move to Updating towards `target`; the reason of an earlier failed update is history."""
    current = {key: value for key, value in document.items() if key != "FailureReason"}
    latest = max(document["Emulator"]["latest"], target["generation"])
    current["Emulator"] = {**document["Emulator"], "latest": latest, "target": target}
    return life.advance(current, record.phase, Event.UPDATE_REQUESTED, now())


def _plan(call: Call, config_name: str) -> Document:
    """Copy a configuration and its models; raises ValidationException if one is absent."""
    config = call.store.fetch(ENDPOINT_CONFIG, call.scope, config_name).document
    names = {variant["ModelName"] for variant in config["ProductionVariants"]}
    models = {name: call.store.fetch(MODEL, call.scope, name).document for name in sorted(names)}
    return {"config": config, "models": models}


def _desired(plan: Document) -> list[Document]:
    return [
        {
            "variant": variant["VariantName"],
            "weight": variant["InitialVariantWeight"],
            "instances": variant["InitialInstanceCount"],
        }
        for variant in plan["config"]["ProductionVariants"]
    ]


def _retained(request: Document, old: list[Document], new: list[Document]) -> list[Document]:
    """Return `new` with the values that variants of both fleets keep (contract C4)."""
    if not request.get("RetainAllVariantProperties"):
        return new
    excluded = {
        excluded["VariantPropertyType"]
        for excluded in request.get("ExcludeRetainedVariantProperties", [])
    }
    kept = [key for member, key in _RETAINED.items() if member not in excluded]
    before = {wish["variant"]: {key: wish[key] for key in kept} for wish in old}
    return [{**wish, **before.get(wish["variant"], {})} for wish in new]


def _changed(arn: str, old: list[Document], wanted: list[Document]) -> list[Document]:
    wishes = {wish["variant"]: dict(wish) for wish in old}
    for variant in wanted:
        wish = wishes.get(variant["VariantName"])
        if wish is None:
            raise ValidationException(
                f'Could not find variant "{variant["VariantName"]}" of endpoint "{arn}".'
            )
        wish |= {key: variant[member] for member, key in _RETAINED.items() if member in variant}
    return list(wishes.values())


def _deployment(request: Document, before: Document) -> Document:
    if "DeploymentConfig" in request:
        return {_DEPLOYMENT: request["DeploymentConfig"]}
    if request.get("RetainDeploymentConfig") and _DEPLOYMENT in before:
        return {_DEPLOYMENT: before[_DEPLOYMENT]}
    return {}


def _pending(record: Record) -> Document:
    """Return what DescribeEndpoint tells of a deployment under way."""
    emulator = record.document["Emulator"]
    target = emulator.get("target")
    if target is None or target["generation"] == emulator["generation"]:
        return {}
    variants = {
        variant["VariantName"]: variant
        for variant in target["plan"]["config"]["ProductionVariants"]
    }
    pending = [
        {
            **{
                member: variants[wish["variant"]][member]
                for member in ("VariantName", "InstanceType", "AcceleratorType")
                if member in variants[wish["variant"]]
            },
            "DesiredWeight": wish["weight"],
            "DesiredInstanceCount": wish["instances"],
        }
        for wish in target["desired"]
    ]
    return {
        "PendingDeploymentSummary": {
            "EndpointConfigName": target["config_name"],
            "ProductionVariants": pending,
        }
    }

"""How many instances there may be: of one resource, and of all on this machine together.

AWS counts by account and instance type; here everything runs on one machine, so that what counts
is how many containers it would have. Checks are made within the transaction that writes the
request down, so that requests at one time cannot both have the last instance.
"""

from collections.abc import Iterator

from emulator.call import Call, Document, Record, Store
from emulator.errors import ResourceLimitExceeded
from emulator.kinds import ENDPOINT, NOTEBOOK_INSTANCE, TRAINING_JOB
from emulator.lifecycle import endpoint, notebook_instance, training_job
from emulator.settings import variable

ENDPOINTS, TRAINING, NOTEBOOKS = "endpoint", "training job", "notebook instance"
"""What instances are used for, in the name of a limit (contract A3)."""

_RUNNING = {
    ENDPOINT: endpoint.SERVING | {endpoint.Phase.CREATING},
    TRAINING_JOB: frozenset(training_job.Phase) - training_job.FINAL,
    NOTEBOOK_INSTANCE: frozenset(notebook_instance.Phase) - notebook_instance.IDLE,
}
"""The phases in which a resource has instances."""


def admit(call: Call, usage: str, instance_type: str, instances: int, *, already: int = 0) -> None:
    """Raise ResourceLimitExceeded if a resource may not have so many instances.

    Args:
        usage: what for, one of the words above.
        instances: how many the resource is to have.
        already: how many of them it has.
    """
    limit = f"{instance_type} for {usage} usage"
    more = instances - already
    each, together = call.quotas.each, call.quotas.together
    if more > 0 and 0 < each < instances:
        raise _exceeded(limit, each, already, more, "instance_quota_each")
    if more > 0 and together > 0:
        used = sum(_instances(record) for record in _running(call.store))
        if used + more > together:
            raise _exceeded(limit, together, used, more, "instance_quota")


def admit_endpoint(call: Call, plan: Document, wanted: list[Document], *, already: int = 0) -> None:
    """Raise ResourceLimitExceeded if an endpoint may not have what is wanted of its variants.

    Args:
        plan: has the variants' instance types.
        already: how many of these instances it has; those of another fleet, which serves until
            this one does, are none of them.
    """
    largest = max(wanted, key=lambda wish: int(wish["instances"]))
    variants = plan["config"]["ProductionVariants"]
    types = {each["VariantName"]: each.get("InstanceType", "") for each in variants}
    instances = sum(wish["instances"] for wish in wanted)
    admit(call, ENDPOINTS, types[largest["variant"]], instances, already=already)


def _running(store: Store) -> Iterator[Record]:
    for kind, phases in _RUNNING.items():
        yield from store.select(kind, phases=phases)


def _instances(record: Record) -> int:
    if record.kind == TRAINING_JOB.name:
        return int(record.document["ResourceConfig"].get("InstanceCount", 1))
    if record.kind == NOTEBOOK_INSTANCE.name:
        return 1
    own = record.document["Emulator"]
    has = sum(wish["instances"] for wish in own["desired"])
    if (target := own.get("target")) is None:
        return int(has)
    gets = sum(wish["instances"] for wish in target["desired"])
    return int(max(has, gets) if target["generation"] == own["generation"] else has + gets)


def _exceeded(limit: str, quota: int, used: int, more: int, setting: str) -> ResourceLimitExceeded:
    return ResourceLimitExceeded(
        f"The account-level service limit '{limit}' is {quota} Instances, with current utilization"
        f" of {used} Instances and a request delta of {more} Instances. Please use AWS Service"
        " Quotas to request an increase for this quota. If AWS Service Quotas is not available,"
        " contact AWS support to request an increase for this quota."
        f" (This emulator's own quota is its setting {variable(setting)}.)"
    )

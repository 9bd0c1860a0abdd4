"""Labels and names of the containers that belong to a resource; pure.

A container is found again by its labels alone, by this run or a later one.
"""

import hashlib
from collections.abc import Mapping

from emulator.call import Kind, Record, Scope
from emulator.names import LABEL_PREFIX

KIND = LABEL_PREFIX + "kind"
ACCOUNT = LABEL_PREFIX + "account"
REGION = LABEL_PREFIX + "region"
NAME = LABEL_PREFIX + "name"
HOST = LABEL_PREFIX + "host"
GENERATION = LABEL_PREFIX + "generation"
VARIANT = LABEL_PREFIX + "variant"
INSTANCE_ID = LABEL_PREFIX + "instance-id"
ACCELERATOR = LABEL_PREFIX + "accelerator"
"""Id of the attached accelerator that an instance uses."""
ACCELERATOR_FRAMEWORK = LABEL_PREFIX + "accelerator-framework"
"""On an image that can use an accelerator, and on its containers: the framework that does."""
ALGORITHM = LABEL_PREFIX + "algorithm"
"""On an image of ours that is one of Amazon's algorithms, and so on its containers."""


def of(kind: Kind, scope: Scope, name: str, **more: str) -> dict[str, str]:
    """Return the labels of a resource's containers; `more` adds host=, variant=, …"""
    return {
        KIND: kind.name,
        ACCOUNT: scope.account,
        REGION: scope.region,
        NAME: name,
    } | {LABEL_PREFIX + key.replace("_", "-"): value for key, value in more.items()}


def fleet(record: Record, generation: int) -> str:
    """Return what marks the containers of a generation of an endpoint, and names its directory.

    An earlier endpoint of the same name had a generation of this number, too, and containers of it
    may still be leaving.
    """
    own: str = record.document["Emulator"].get("id", "")
    return f"{own}-{generation}" if own else str(generation)


def container_name(record: Record, part: str) -> str:
    """Return a container's name: readable, and unique on the engine across scopes and kinds."""
    owner = f"{record.arn} {record.document['CreationTime']} {part}"
    digest = hashlib.sha256(owner.encode()).hexdigest()[:8]
    return f"sagemaker-{record.name[:40]}-{part[:16]}-{digest}"


def scope(found: Mapping[str, str]) -> Scope:
    """Return whose a container is that has these labels."""
    return Scope(found.get(ACCOUNT, ""), found.get(REGION, ""))

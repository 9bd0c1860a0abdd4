"""Labels and names of the containers that belong to a resource; pure.

A container is found again by its labels alone, by this run or a later one.
"""

import hashlib

from emulator.call import Kind, Record, Scope

PREFIX = "org.sagemaker-emulator."
KIND = PREFIX + "kind"
ACCOUNT = PREFIX + "account"
REGION = PREFIX + "region"
NAME = PREFIX + "name"
HOST = PREFIX + "host"
GENERATION = PREFIX + "generation"
VARIANT = PREFIX + "variant"
INSTANCE_ID = PREFIX + "instance-id"


def of(kind: Kind, scope: Scope, name: str, **more: str) -> dict[str, str]:
    """Return the labels of a resource's containers; `more` adds host=, variant=, …"""
    return {
        KIND: kind.name,
        ACCOUNT: scope.account,
        REGION: scope.region,
        NAME: name,
    } | {PREFIX + key.replace("_", "-"): value for key, value in more.items()}


def container_name(record: Record, part: str) -> str:
    """Return a container's name: readable, and unique on the engine across scopes and kinds."""
    owner = f"{record.arn} {record.document['CreationTime']} {part}"
    digest = hashlib.sha256(owner.encode()).hexdigest()[:8]
    return f"sagemaker-{record.name[:40]}-{part[:16]}-{digest}"

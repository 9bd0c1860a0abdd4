"""The contract of a serving container, from a model's container definition; pure (contract C2)."""

from pathlib import Path

from emulator.call import Document, Scope
from emulator.launch.contract import access
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import Mount

COMMAND = ("serve",)
PORT = 8080
MODEL = "/opt/ml/model"
ACCELERATOR_PRESENT = "SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT"
ACCELERATOR_BACKING = "SAGEMAKER_EMULATOR_ACCELERATOR"
"""What `mx.eia()` of our images computes on."""
_HOSTNAME = "algo-1"


def container(model: Document) -> Document:
    """Return the definition of the model's one container; a list of one is as good (C1)."""
    definition: Document = model.get("PrimaryContainer") or model["Containers"][0]
    return definition


def hostname(definition: Document) -> str:
    """Return the container's host name."""
    return str(definition.get("ContainerHostname") or _HOSTNAME)


def environment(
    definition: Document,
    scope: Scope,
    endpoint_url: str,
    limits: Limits,
    *,
    accelerator: str = "",
) -> dict[str, str]:
    """Return the container's variables; those of the model come last, verbatim.

    Args:
        accelerator: what computes for the variant's accelerator, ``cpu`` or ``gpu:N``; the
            framework is told that there is one (contract D). Empty for none.
    """
    given = definition.get("Environment") or {}
    variables = {
        **access.region(scope),
        **access.endpoint(scope, endpoint_url, given),
        **limits.environment(),
    }
    if accelerator:
        variables |= {ACCELERATOR_PRESENT: "true", ACCELERATOR_BACKING: accelerator}
    return {**variables, **given}


def mounts(files: Path) -> tuple[Mount, ...]:
    """Return the model's directory, which a container can't change (contract C2)."""
    return (Mount(files, MODEL, "ro"),)

"""The contract of a training container, from a training job's document; pure (contract B6 to B8).

Directories of a host lie under one root: ``root/x`` is ``/opt/ml/x`` in its container. Whatever
the request says comes through verbatim: hyperparameters are strings and stay strings.
"""

import json
from pathlib import Path
from typing import Any

from emulator import arn, channels
from emulator.call import Document, Scope
from emulator.launch.contract import access
from emulator.launch.contract.limits import Limits
from emulator.launch.driver import Mount

__all__ = [
    "HOME",
    "Limits",
    "command",
    "entrypoint",
    "environment",
    "files",
    "hosts",
    "image",
    "mounts",
]

HOME = "/opt/ml"
CHECKPOINTS = "/opt/ml/checkpoints"
_CONFIG = "input/config"
_NETWORK_INTERFACE = "eth0"
_ONLY_GROUP = "homogeneousCluster"
_REQUEST = (
    "TrainingJobName",
    "AlgorithmSpecification",
    "HyperParameters",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "CheckpointConfig",
    "Environment",
    "RoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
)


def image(document: Document) -> str:
    """Return the image reference; empty for a job by AlgorithmName alone."""
    return str(document["AlgorithmSpecification"].get("TrainingImage", ""))


def command(document: Document) -> tuple[str, ...] | None:
    """Return the arguments after the entry point (contract B6)."""
    algorithm = document["AlgorithmSpecification"]
    arguments = tuple(algorithm.get("ContainerArguments") or ())
    entry = algorithm.get("ContainerEntrypoint")
    if entry:
        return (*entry[1:], *arguments)
    return arguments or ("train",)


def entrypoint(document: Document) -> tuple[str, ...] | None:
    """Return what replaces the image's ENTRYPOINT, or None to keep it (contract B6)."""
    entry = document["AlgorithmSpecification"].get("ContainerEntrypoint")
    return (entry[0],) if entry else None


def hosts(document: Document) -> list[str]:
    """Return the host names in the order of resourceconfig.json: ``algo-10`` before ``algo-2``."""
    return sorted(host for group in _groups(document) for host in group["hosts"])


def files(document: Document, host: str) -> dict[str, bytes]:
    """Return the files below the host's root, by path (contract B7)."""
    contents: dict[str, Any] = {
        "hyperparameters": document.get("HyperParameters") or {},
        "inputdataconfig": _channels(document),
        "resourceconfig": _resources(document, host),
        "trainingjobconfig": {key: document[key] for key in _REQUEST if key in document},
        "upstreamoutputdataconfig": [],
        "init-config": _download_plan(document),
    }
    definitions = document["AlgorithmSpecification"].get("MetricDefinitions")
    if definitions:
        contents["metric-definition-regex"] = definitions
    for name in ("CheckpointConfig", "DebugHookConfig", "ProfilerConfig"):
        if name in document:
            contents[name.lower()] = document[name]
    return {f"{_CONFIG}/{name}.json": _json(value) for name, value in contents.items()}


def environment(
    document: Document, scope: Scope, endpoint_url: str, limits: Limits
) -> dict[str, str]:
    """Return the container's variables; those of the request come last, verbatim (contract B8).

    An isolated container has nobody to call: no endpoint and no credentials.
    """
    given = document.get("Environment") or {}
    name = document["TrainingJobName"]
    variables = {
        "TRAINING_JOB_NAME": name,
        "TRAINING_JOB_ARN": arn.of(scope, "training-job", name),
        **access.region(scope),
        "DMLC_INTERFACE": _NETWORK_INTERFACE,
        "SAGEMAKER_METRICS_DIRECTORY": f"{HOME}/output/metrics/sagemaker",
        **limits.environment(),
    }
    if not document.get("EnableNetworkIsolation"):
        variables |= access.endpoint(scope, endpoint_url, given)
    return {**variables, **given}


def mounts(document: Document, root: Path) -> tuple[Mount, ...]:
    """Return the directories of the host that its container sees.

    Channels are copy-on-write, because staging links stored objects into them; FastFile channels
    are read-only; pipes lie beside them (contract B9). ``/opt/ml/code`` is never mounted: the
    toolkits run whatever code an earlier job left there.
    """
    mounted = [
        Mount(root / path, f"{HOME}/{path}") for path in (_CONFIG, "input/data", "model", "output")
    ]
    for channel in document.get("InputDataConfig") or []:
        mode, path = channels.mode(document, channel), f"input/data/{channel['ChannelName']}"
        if mode != "Pipe":
            access_mode = "ro" if mode == "FastFile" else "cow"
            mounted.append(Mount(root / path, f"{HOME}/{path}", access_mode))
    if config := document.get("CheckpointConfig"):
        target = config.get("LocalPath") or CHECKPOINTS
        mounted.append(Mount(root / "checkpoints", target.rstrip("/")))
    return tuple(mounted)


def _groups(document: Document) -> list[Document]:
    """Return the instance groups with their hosts; a plain cluster is one group."""
    config = document["ResourceConfig"]
    groups = config.get("InstanceGroups") or [{**config, "InstanceGroupName": _ONLY_GROUP}]
    found, first = [], 1
    for group in groups:
        count = group.get("InstanceCount", 1)
        found.append(
            {
                "instance_group_name": group["InstanceGroupName"],
                "instance_type": group.get("InstanceType", ""),
                "hosts": sorted(f"algo-{number}" for number in range(first, first + count)),
            }
        )
        first += count
    return found


def _resources(document: Document, host: str) -> Document:
    groups = _groups(document)
    own = next(group for group in groups if host in group["hosts"])
    return {
        "current_group_name": own["instance_group_name"],
        "current_host": host,
        "current_instance_type": own["instance_type"],
        "hosts": hosts(document),
        "instance_groups": groups,
        "network_interface_name": _NETWORK_INTERFACE,
    }


def _channels(document: Document) -> Document:
    """Return inputdataconfig.json; its key for the distribution is not the request's."""
    described: Document = {}
    for channel in document.get("InputDataConfig") or []:
        content = channels.content_type(channel)
        described[channel["ChannelName"]] = {
            **({"ContentType": content} if content else {}),
            "TrainingInputMode": channels.mode(document, channel),
            "S3DistributionType": _s3(channel).get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
    return described


def _download_plan(document: Document) -> Document:
    planned: Document = {}
    for channel in document.get("InputDataConfig") or []:
        source, mode = _s3(channel), channels.mode(document, channel).upper()
        distribution = source.get("S3DataDistributionType", "FullyReplicated")
        planned[channel["ChannelName"]] = {
            "s3DataSource": {
                "s3Uri": source.get("S3Uri"),
                "s3DataDistributionType": distribution,
                "s3DataType": source.get("S3DataType"),
            },
            "compressionType": channel.get("CompressionType", "None").upper(),
            "recordWrapperType": channel.get("RecordWrapperType", "None").upper(),
            "shuffleConfig": channel.get("ShuffleConfig"),
            "inputMode": mode,
            "sharded": distribution == "ShardedByS3Key",
        }
    mode = document["AlgorithmSpecification"].get("TrainingInputMode", "File")
    return {"inputMode": mode.upper(), "channels": planned}


def _s3(channel: Document) -> Document:
    source: Document = (channel.get("DataSource") or {}).get("S3DataSource") or {}
    return source


def _json(value: Any) -> bytes:
    """Return the text as the platform writes it; times are seconds since the epoch."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

"""What CreateTrainingJob demands beyond the model, and the defaults it fills in (contract B1).

Nothing is read here but the request and, to see whether a channel has any data, S3.
"""

import re
from collections import Counter
from typing import Any

from emulator import channels
from emulator.call import Call, Document
from emulator.errors import ValidationException
from emulator.operations import s3_uri
from emulator.operations.refusals import (
    Table,
    must_not_be_null,
    out_of_bounds,
    refuse_unemulated,
    unlike_pattern,
)

DEFAULT_RUNTIME = 86_400
LONGEST_RUNTIME = 28 * 86_400
"""Seconds (contract B1)."""

CHECKPOINTS = "/opt/ml/checkpoints/"

NOT_EMULATED: Table = {
    "AlgorithmSpecification.AlgorithmName": "Name the algorithm's image in TrainingImage.",
    "InfraCheckConfig.EnableInfraCheck": "",
    "InputDataConfig[].DataSource.DatasetSource": "Use S3DataSource.",
    "InputDataConfig[].DataSource.FileSystemDataSource": "Use S3DataSource.",
    "InputDataConfig[].DataSource.S3DataSource.HubAccessConfig": "",
    "InputDataConfig[].DataSource.S3DataSource.InstanceGroupNames": "",
    "InputDataConfig[].DataSource.S3DataSource.S3DataType=Converse": "",
    "MlflowConfig": "",
    "ModelPackageConfig": "",
    "RemoteDebugConfig.EnableRemoteDebug": "",
    "ResourceConfig.InstanceGroups": "Use InstanceType and InstanceCount.",
    "ResourceConfig.InstancePlacementConfig": "",
    "ResourceConfig.InstancePreferences": "Use InstanceType and InstanceCount.",
    "ResourceConfig.TrainingPlanArn": "",
    "ServerlessJobConfig": "",
    "SessionChainingConfig.EnableSessionTagChaining": "",
    "TensorBoardOutputConfig": "",
}


def check(call: Call, request: Document) -> None:
    """Raise ValidationException unless the job can be run as the request says."""
    refuse_unemulated(request, NOT_EMULATED)
    if "AlgorithmSpecification" not in request:
        # The model leaves it out for jobs without a server, which are refused above.
        must_not_be_null("algorithmSpecification")
    if "TrainingImage" not in request["AlgorithmSpecification"]:
        raise ValidationException(
            "Specify exactly one of TrainingImage and AlgorithmName in AlgorithmSpecification."
        )
    _check_resources(request)
    _check_time(request)
    s3_uri.parse(request["OutputDataConfig"]["S3OutputPath"], "OutputDataConfig.S3OutputPath")
    if "CheckpointConfig" in request:
        s3_uri.parse(request["CheckpointConfig"]["S3Uri"], "CheckpointConfig.S3Uri")
    _check_channels(call, request)


def _check_resources(request: Document) -> None:
    resources = request.get("ResourceConfig")
    if resources is None:
        must_not_be_null("resourceConfig")
    if "InstanceType" not in resources:
        must_not_be_null("resourceConfig.instanceType")
    if resources.get("InstanceCount", 1) < 1:
        out_of_bounds("resourceConfig.instanceCount", 0, "greater than or equal to 1")


def _check_time(request: Document) -> None:
    limits = request.get("StoppingCondition", {})
    runtime = limits.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)
    wait = limits.get("MaxWaitTimeInSeconds")
    if runtime > LONGEST_RUNTIME:
        rule = f"less than or equal to {LONGEST_RUNTIME}"
        out_of_bounds("stoppingCondition.maxRuntimeInSeconds", runtime, rule)
    if request.get("EnableManagedSpotTraining"):
        if wait is None or wait < runtime:
            raise ValidationException(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to"
                " MaxRuntimeInSeconds"
            )
    elif wait is not None:
        raise ValidationException(
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is"
            " set to true"
        )


def _check_channels(call: Call, request: Document) -> None:
    given = request.get("InputDataConfig", [])
    for number, channel in enumerate(given, start=1):
        if channel["ChannelName"] in (".", ".."):
            # The model's pattern allows these two, which can't be the name of a directory.
            unlike_pattern(
                f"inputDataConfig.{number}.member.channelName",
                channel["ChannelName"],
                r"[A-Za-z0-9\.\-_]+",
            )
    names = Counter(channel["ChannelName"] for channel in given)
    if twice := [name for name, times in names.items() if times > 1]:
        raise ValidationException(f"Channel names must be unique: {', '.join(twice)}")
    for number, channel in enumerate(given, start=1):
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            must_not_be_null(f"inputDataConfig.{number}.member.dataSource.s3DataSource")
        _check_mode(channel, source, channels.mode(request, channel))
        _check_data(call, source, request["RoleArn"])
    _check_pipe_names(request)


def _check_mode(channel: Document, source: Document, mode: str) -> None:
    """Refuse what only a pipe can do, and what only an augmented manifest has (contract B9)."""
    where = f'channel "{channel["ChannelName"]}"'
    augmented = source["S3DataType"] == "AugmentedManifestFile"
    if augmented and not source.get("AttributeNames"):
        raise ValidationException(
            f"AttributeNames must be specified for S3DataType AugmentedManifestFile, in {where}"
        )
    if source.get("AttributeNames") and not augmented:
        raise ValidationException(
            f"AttributeNames can only be specified for S3DataType AugmentedManifestFile, in {where}"
        )
    asked = {
        "S3DataType AugmentedManifestFile": augmented,
        "CompressionType Gzip": channel.get("CompressionType") == "Gzip",
        "RecordWrapperType RecordIO": channel.get("RecordWrapperType") == "RecordIO",
    }
    for member in (member for member, given in asked.items() if given and mode != "Pipe"):
        raise ValidationException(
            f"{member} is only supported for Pipe input mode, and {where} has {mode}"
        )


def _check_pipe_names(request: Document) -> None:
    """Refuse a channel whose directory would have the name of another channel's pipe."""
    for piped in channels.piped(request):
        pipe = re.compile(re.escape(piped["ChannelName"]) + r"_\d+")
        for channel in request["InputDataConfig"]:
            if pipe.fullmatch(channel["ChannelName"]):
                raise ValidationException(
                    f'Channel "{channel["ChannelName"]}" has the name of a pipe of channel'
                    f' "{piped["ChannelName"]}"'
                )


def _check_data(call: Call, source: Document, role: str) -> None:
    uri = source["S3Uri"]
    bucket, key = s3_uri.parse(uri, "InputDataConfig[].DataSource.S3DataSource.S3Uri")
    if source["S3DataType"] in ("ManifestFile", "AugmentedManifestFile"):
        there = call.objects.object_exists(bucket, key)
    else:
        there = call.objects.any_under(bucket, key)
    if not there:
        raise ValidationException(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure'
            f" that the bucket exists in the selected region ({call.scope.region}), that objects"
            f' exist under that S3 prefix, and that the role "{role}" has "s3:ListBucket"'
            f' permissions on bucket "{bucket}".'
        )


def with_defaults(request: Document) -> Document:
    """Return the request as DescribeTrainingJob echoes it; the request is left as it is."""
    limits = request.get("StoppingCondition", {})
    return {
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        "EnableNetworkIsolation": False,
        **{name: value for name, value in request.items() if name != "Tags"},
        **_channels_with_defaults(request),
        **_checkpoints_with_defaults(request),
        "AlgorithmSpecification": {
            "EnableSageMakerMetricsTimeSeries": False,
            **request["AlgorithmSpecification"],
        },
        "OutputDataConfig": {
            "CompressionType": "GZIP",
            "KmsKeyId": "",
            **request["OutputDataConfig"],
        },
        "ResourceConfig": {"InstanceCount": 1, **request["ResourceConfig"]},
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME, **limits},
    }


def _channels_with_defaults(request: Document) -> Document:
    if "InputDataConfig" not in request:
        return {}
    return {"InputDataConfig": [_channel(channel) for channel in request["InputDataConfig"]]}


def _channel(channel: Document) -> Document:
    source: dict[str, Any] = channel["DataSource"]["S3DataSource"]
    return {
        "CompressionType": "None",
        "RecordWrapperType": "None",
        **channel,
        "DataSource": {
            "S3DataSource": {"S3DataDistributionType": "FullyReplicated", **source},
        },
    }


def _checkpoints_with_defaults(request: Document) -> Document:
    if "CheckpointConfig" not in request:
        return {}
    return {"CheckpointConfig": {"LocalPath": CHECKPOINTS, **request["CheckpointConfig"]}}

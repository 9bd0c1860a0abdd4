"""The channels of a job: which there are, what they hold, and where their files lie (contract G2).

Reads what the platform says of the channels and looks into their directories; of a stream nothing
can be seen beforehand. Nothing here reads an image. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from image_classification.errors import CustomerError

RECORDS = "application/x-recordio"
IMAGES = ("application/x-image", "image/png", "image/jpeg")
MODEL = "application/x-sagemaker-model"
_NAMES = ("train", "validation", "train_lst", "validation_lst", "model")
_LABEL_FORMATS = ("multi-hot", "class-id")

Described = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Channel:
    """What a channel holds.

    Attributes:
        content_type: in lower case, without parameters; empty if the job does not say.
        label_format: of several labels: multi-hot is a 0 or 1 for each class, class-id the numbers
            of the classes.
        mode: File, FastFile or Pipe.
        record_wrapper: RecordIO if the platform makes a record of each piece of an augmented
            manifest, else None, as text.
        directory: where its files lie; the FIFO of epoch n lies beside it, with the name
            `<directory>_<n>`.
        files: the .rec file or the .lst file; empty for images, streams and models.
    """

    name: str
    content_type: str
    label_format: str
    mode: str
    record_wrapper: str
    directory: Path
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """The channels of a job.

    Attributes:
        train_lst, validation_lst: the lists of the images, if `train` or `validation` are images.
        model: the model to start from.
    """

    train: Channel
    validation: Channel
    train_lst: Channel | None = None
    validation_lst: Channel | None = None
    model: Channel | None = None


def read(inputdataconfig: Described, root: Path, *, hosts: int = 1) -> Inputs:
    """Return a job's channels.

    Args:
        inputdataconfig: what inputdataconfig.json holds (contract B7).
        root: the directory of the channels' directories.
        hosts: how many hosts the job has.

    Raises:
        CustomerError: a channel is missing, unknown, or not what the algorithm takes.
    """
    unknown = sorted(inputdataconfig.keys() - set(_NAMES))
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        were = "was" if len(unknown) == 1 else "were"
        raise _invalid(f"Additional properties are not allowed ({names} {were} unexpected)")
    for name in ("train", "validation"):
        if name not in inputdataconfig:
            raise _invalid(f"'{name}' is a required property")
    train = _images_or_records(inputdataconfig, "train", root, hosts)
    validation = _images_or_records(inputdataconfig, "validation", root, hosts)
    return Inputs(
        train,
        validation,
        _listing(inputdataconfig, train, root),
        _listing(inputdataconfig, validation, root),
        _model(inputdataconfig, root),
    )


def check_resize(inputs: Inputs, resize: int | None) -> None:
    """Refuse listed images without the hyperparameter that they need (contract G1).

    Raises:
        CustomerError: `resize` is missing.
    """
    if resize is None and (inputs.train_lst or inputs.validation_lst):
        raise CustomerError(
            "No value(s) were specified for 'resize' which are required hyperparameter(s) when a "
            "channel holds images with a .lst file (caused by ValidationError)"
        )


def _images_or_records(described: Described, name: str, root: Path, hosts: int) -> Channel:
    """Return the channel `train` or `validation`."""
    channel = _channel(described, name, root)
    if not channel.content_type:
        raise _invalid(f"'ContentType' is a required property of channel '{name}'")
    accepted = (RECORDS, *IMAGES)
    if channel.content_type not in accepted:
        raise _invalid(
            f"'{channel.content_type}' is not one of {list(accepted)}, the content types of "
            f"channel '{name}'"
        )
    piped, images = channel.mode == "Pipe", channel.content_type in IMAGES
    if piped and images and channel.record_wrapper != "RecordIO":
        raise CustomerError(
            f"Channel {name} holds images ({channel.content_type}), which Pipe mode takes from an "
            "augmented manifest only, with RecordWrapperType RecordIO: set its InputMode to File, "
            "or pack the images into a .rec file."
        )
    distribution = described[name].get("S3DistributionType", "FullyReplicated")
    if distribution != "FullyReplicated" and (piped or hosts > 1):
        raise CustomerError(
            f"The S3DataDistributionType of channel {name} is {distribution}, but must be "
            "FullyReplicated: each host picks its share of the images by itself."
        )
    if piped or images:
        return channel
    return _with_file(channel, ".rec")


def _listing(described: Described, channel: Channel, root: Path) -> Channel | None:
    """Return the channel of the list of a channel's images; None if it needs none."""
    if channel.content_type not in IMAGES or channel.mode == "Pipe":
        return None
    name = f"{channel.name}_lst"
    if name not in described:
        raise _invalid(
            f"'{name}' is a required property: channel '{channel.name}' holds images, and the "
            ".lst file with their labels has a channel of its own"
        )
    listing = _channel(described, name, root)
    _check_not_piped(listing)
    if not any(path.is_file() for path in channel.directory.rglob("*")):
        raise CustomerError(f"Unable to start training. No images found in {channel.name} channel.")
    return _with_file(listing, ".lst")


def _model(described: Described, root: Path) -> Channel | None:
    if "model" not in described:
        return None
    channel = _channel(described, "model", root)
    if channel.content_type != MODEL:
        raise _invalid(
            f"'{channel.content_type}' is not one of ['{MODEL}'], the content types of channel "
            "'model'"
        )
    _check_not_piped(channel)
    return channel


def _channel(described: Described, name: str, root: Path) -> Channel:
    """Return a channel as the platform describes it."""
    config = described[name]
    content_type, *parameters = (
        part.strip() for part in str(config.get("ContentType") or "").lower().split(";")
    )
    label_format = _LABEL_FORMATS[0]
    for parameter in filter(None, parameters):
        key, _, value = (part.strip() for part in parameter.partition("="))
        if key != "label-format":
            continue
        if value.strip('"') not in _LABEL_FORMATS:
            raise _invalid(
                f"'{value}' is not one of {list(_LABEL_FORMATS)}, the values of label-format in "
                f"the content type of channel '{name}'"
            )
        label_format = value.strip('"')
    return Channel(
        name,
        content_type,
        label_format,
        str(config.get("TrainingInputMode") or "File"),
        str(config.get("RecordWrapperType") or "None"),
        root / name,
    )


def _check_not_piped(channel: Channel) -> None:
    if channel.mode == "Pipe":
        raise CustomerError(f"Channel {channel.name} can't be piped: set its InputMode to File.")


def _with_file(channel: Channel, suffix: str) -> Channel:
    """Return a channel with its only file of a kind; other files may lie beside it."""
    found = sorted(path for path in channel.directory.rglob(f"*{suffix}") if path.is_file())
    where = f"in {channel.name} channel"
    if not found:
        raise CustomerError(f"Unable to start training. No {suffix} file found {where}.")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(channel.directory)) for path in found[:8])
        raise CustomerError(
            f"Unable to start training. {len(found)} {suffix} files found {where}, but it must "
            f"have exactly one: {names}."
        )
    if not found[0].stat().st_size:
        raise CustomerError(f"Unable to start training. Empty {suffix} file {where}.")
    return replace(channel, files=tuple(found))


def _invalid(cause: str) -> CustomerError:
    """Return a refusal as the algorithms' schema checker words it (contract G3)."""
    return CustomerError(
        "Unable to initialize the algorithm. Failed to validate input data configuration. (caused "
        f"by ValidationError)\n\nCaused by: {cause}"
    )

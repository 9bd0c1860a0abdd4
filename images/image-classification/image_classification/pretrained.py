"""Weights to start from: a published network's (`use_pretrained_model`), or an earlier job's.

They come in the channel `model`, as model.tar.gz or as the files in it, and pretrained ones also
from a directory of the image. Archives are anybody's: nothing of one is written to disk, and only
the few members named here are read. Nothing here trains.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import mxnet as mx

from image_classification import network
from image_classification.channels import Channel
from image_classification.errors import CustomerError
from image_classification.hyperparameters import Configuration

PRETRAINED_DIRECTORY = Path("/opt/pretrained")
"""Where an image made from this one, or a mount, may have resnet-<num_layers>-0000.params."""
_LARGEST_MEMBER_BYTES = 2 << 30
_DRAINED_BYTES = 1 << 20
_EPOCH = re.compile(r"-(\d{4,})\.params$")
_SHAPES = "model-shapes.json"

Read = Callable[[], bytes]


@dataclass(frozen=True)
class Weights:
    """MXNet's arg_params and aux_params, by bare names."""

    arguments: dict[str, mx.nd.NDArray]
    statistics: dict[str, mx.nd.NDArray]


def weights(
    configuration: Configuration, model: Channel | None, symbol: mx.sym.Symbol
) -> Weights | None:
    """Return what to start `symbol` from; None to start at random.

    With `use_pretrained_model` the last layer is left out, as it is on AWS: it starts at random.

    Raises:
        CustomerError: weights that are asked for are absent, can't be read, or don't fit.
    """
    if configuration.use_pretrained_model:
        found = _loaded(*_pretrained(configuration, model))
        for kind in ("weight", "bias"):
            found.arguments.pop(f"{network.OUTPUT_LAYER}_{kind}", None)
    elif model is not None:
        name, files = _channel_files(model)
        found = _loaded(name, files)
        _check_same(found, configuration, _shape(files))
    else:
        return None
    _check_fits(found, configuration, symbol)
    return found


def _pretrained(configuration: Configuration, model: Channel | None) -> tuple[str, dict[str, Read]]:
    layers = configuration.num_layers
    if model is not None:
        return _channel_files(model)
    path = PRETRAINED_DIRECTORY / f"resnet-{layers}-0000.params"
    if not path.is_file():
        raise CustomerError(
            f"use_pretrained_model is 1, but there is no pretrained network of {layers} layers "
            "here: give one in a channel named model, as the model.tar.gz of an earlier job or as "
            f"a file such as resnet-{layers}-0000.params of MXNet's published models, or have that "
            f"file in the image as {path}; or set use_pretrained_model to 0."
        )
    return path.name, {path.name: path.read_bytes}


def _channel_files(model: Channel) -> tuple[str, dict[str, Read]]:
    """Return what to call the model of a channel, and how to read its files, by their names."""
    paths = sorted(path for path in model.directory.rglob("*") if path.is_file())
    archives = [path for path in paths if path.name.endswith((".tar.gz", ".tgz"))]
    if len(archives) > 1:
        names = ", ".join(path.name for path in archives)
        raise CustomerError(f"Channel {model.name} has several models: {names}.")
    if archives:
        return archives[0].name, _members(archives[0])
    return f"channel {model.name}", {path.name: path.read_bytes for path in paths if _wanted(path)}


def _wanted(path: PurePath) -> bool:
    return path.suffix == ".params" or path.name == _SHAPES


def _members(path: Path) -> dict[str, Read]:
    """Return the files of an archive that a model is made of; of all weights, the last epoch's."""
    found: dict[str, Read] = {}
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream) as archive:
            for member in archive:
                name = PurePath(member.name)
                if not member.isfile() or not _wanted(name):
                    continue
                if member.size > _LARGEST_MEMBER_BYTES:
                    raise CustomerError(f"{name.name} of {path.name} is larger than any network.")
                older = [other for other in found if other.endswith(name.suffix)]
                if any(_epoch(other) > _epoch(name.name) for other in older):
                    continue
                for other in older:
                    del found[other]
                file = archive.extractfile(member)
                assert file is not None, "only directories and the like have no bytes"
                found[name.name] = _content(file.read())
            # The checksum comes after all members: without it, damaged weights would be taken.
            while stream.read(_DRAINED_BYTES):
                pass
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise CustomerError(f"{path.name} is no tar.gz archive that can be read: {error}") from None
    return found


def _epoch(name: str) -> int:
    """Return the number of the epoch in the name of a file of weights; -1 if there is none."""
    number = _EPOCH.search(name)
    return int(number[1]) if number else -1


def _content(data: bytes) -> Read:
    return lambda: data


def _loaded(name: str, files: dict[str, Read]) -> Weights:
    """Return the weights of the last epoch there is."""
    found = [file for file in files if file.endswith(".params")]
    if not found:
        raise CustomerError(f"{name} has no weights: it holds no file that ends in .params.")
    newest = max(found, key=lambda file: (_epoch(file), file))
    try:
        arrays = mx.nd.load_frombuffer(files[newest]())
    except (mx.base.MXNetError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise CustomerError(f"{newest} of {name} is no file of weights: {reason}") from None
    if not isinstance(arrays, dict):
        raise CustomerError(f"{newest} of {name} has weights without names.")
    kinds: dict[str, dict[str, mx.nd.NDArray]] = {"arg": {}, "aux": {}}
    for full_name, array in arrays.items():
        kind, _, bare = full_name.partition(":")
        kinds.get(kind, {})[bare] = array
    return Weights(kinds["arg"], kinds["aux"])


def _shape(files: dict[str, Read]) -> tuple[int, ...] | None:
    """Return the image_shape of a model, if a file of it tells."""
    if _SHAPES not in files:
        return None
    try:
        [shape] = [each["shape"] for each in json.loads(files[_SHAPES]()) if each["name"] == "data"]
        return tuple(int(size) for size in shape[1:])
    except (ValueError, KeyError, TypeError):
        raise CustomerError(f"{_SHAPES} of the channel model can't be understood.") from None


def _check_same(
    found: Weights, configuration: Configuration, shape: tuple[int, ...] | None
) -> None:
    """Refuse to train on with another network than the one of the earlier job."""
    last = found.arguments.get(f"{network.OUTPUT_LAYER}_weight")
    pairs = [
        ("num_layers", network.depth(found.arguments), configuration.num_layers),
        ("image_shape", _text(shape), _text(configuration.image_shape)),
        ("num_classes", None if last is None else last.shape[0], configuration.num_classes),
    ]
    for name, theirs, ours in pairs:
        if theirs is not None and theirs != ours:
            raise CustomerError(
                f"The model in the channel model was trained with {name} {theirs}, but {name} is "
                f"{ours}: incremental training needs the same."
            )


def _text(shape: tuple[int, ...] | None) -> str | None:
    return None if shape is None else ",".join(map(str, shape))


def _check_fits(found: Weights, configuration: Configuration, symbol: mx.sym.Symbol) -> None:
    """Refuse weights that are not those of the network."""
    arguments, _, statistics = symbol.infer_shape(data=(1, *configuration.image_shape))
    needed = dict(zip(symbol.list_arguments(), arguments))
    needed |= dict(zip(symbol.list_auxiliary_states(), statistics))
    what = f"a network of {configuration.num_layers} layers"
    given = {**found.arguments, **found.statistics}
    for name, shape in needed.items():
        if name in ("data", "softmax_label"):
            continue
        if name not in given:
            if configuration.use_pretrained_model and name.startswith(network.OUTPUT_LAYER):
                continue
            raise CustomerError(f"The model to start from is not {what}: it has no {name}.")
        if given[name].shape != shape:
            raise CustomerError(
                f"The model to start from is not {what} for image_shape "
                f"{_text(configuration.image_shape)}: {name} has the shape {given[name].shape}, "
                f"not {shape}."
            )

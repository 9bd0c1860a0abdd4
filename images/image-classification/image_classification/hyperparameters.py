"""The hyperparameters of the algorithm: their types, ranges, defaults and rules (contract G1).

They come as strings, and are all judged before anything else is done, so that a bad job ends in a
second. A refusal is worded as Amazon's algorithms word it, and names the hyperparameter. Nothing
here reads a file, and nothing but the standard library is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from image_classification.errors import CustomerError

LAYERS = (18, 34, 50, 101, 152, 200)
"""Depths of the networks for large images."""
SMALL_LAYERS = (20, 32, 44, 56, 110)
"""Depths of the networks for images of at most `LARGEST_SMALL_IMAGE` pixels a side."""
LARGEST_SMALL_IMAGE = 32
PRETRAINED_SIDE = 224
# MXNet counts in 32 bits.
_LARGEST = 2**31 - 1
_LONGEST_SIDE = 8192
# Characters of a value: what is wrong with it must fit into a FailureReason, too.
_LONGEST_SHOWN = 100
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_UNSET = ("", "None", "none", "null")


@dataclass(frozen=True)
class Configuration:
    """The hyperparameters of a job, one attribute each; None where one is not set.

    Defaults are those that Amazon's algorithm trains by.
    """

    num_classes: int
    num_training_samples: int
    augmentation_type: str | None = None
    beta_1: float = 0.9
    beta_2: float = 0.999
    checkpoint_frequency: int | None = None
    early_stopping: bool = False
    early_stopping_min_epochs: int = 10
    early_stopping_patience: int = 5
    early_stopping_tolerance: float = 0.0
    epochs: int = 30
    eps: float = 1e-8
    gamma: float = 0.9
    image_shape: tuple[int, int, int] = (3, 224, 224)
    kv_store: str | None = None
    learning_rate: float = 0.1
    lr_scheduler_factor: float = 0.1
    lr_scheduler_step: tuple[int, ...] = ()
    mini_batch_size: int = 32
    momentum: float = 0.9
    multi_label: bool = False
    num_layers: int = 152
    optimizer: str = "sgd"
    precision_dtype: str = "float32"
    resize: int | None = None
    top_k: int | None = None
    use_pretrained_model: bool = False
    use_weighted_loss: bool = False
    weight_decay: float = 0.0001


@dataclass(frozen=True)
class _Kind:
    """What a hyperparameter may be.

    Attributes:
        read: returns the value; raises ValueError if the text is none.
        wants: how a message goes on after "hyperparameter which".
    """

    read: Callable[[str], Any]
    wants: str


def parse(raw: Mapping[str, str]) -> Configuration:
    """Return the hyperparameters of a job.

    Args:
        raw: hyperparameters.json; names that begin with an underscore are the platform's own.

    Raises:
        CustomerError: one is missing, unknown, out of its range, or does not go with another.
    """
    given = {name: value for name, value in raw.items() if not name.startswith("_")}
    unknown = sorted(given.keys() - _KINDS.keys())
    if unknown:
        were = "was" if len(unknown) == 1 else "were"
        raise _invalid(
            f"Additional hyperparameters are not allowed ({_quoted(unknown)} {were} unexpected)"
        )
    texts = {name: _text(value) for name, value in given.items()}
    values = {name: _value(name, text) for name, text in texts.items() if not _unset(name, text)}
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise _invalid(
            f"No value(s) were specified for {_quoted(missing)} which are required "
            "hyperparameter(s)"
        )
    configuration = Configuration(**values)
    _check_together(configuration)
    return configuration


def doubts(configuration: Configuration) -> list[str]:
    """Return what is valid but hardly meant, a sentence each."""
    found = []
    layers, side = configuration.num_layers, max(configuration.image_shape[1:])
    if layers in LAYERS and side < LARGEST_SMALL_IMAGE // 2:
        found.append(
            f"num_layers {layers} is meant for larger images than {shape_text(configuration)}."
        )
    late = [step for step in configuration.lr_scheduler_step if step >= configuration.epochs]
    if late:
        steps = ",".join(map(str, late))
        found.append(
            f"lr_scheduler_step {steps} never comes: training ends after epochs "
            f"{configuration.epochs}."
        )
    return found


def shape_text(configuration: Configuration) -> str:
    """Return image_shape in the form in which a job gives it."""
    return ",".join(map(str, configuration.image_shape))


def _value(name: str, text: str) -> Any:
    kind = _KINDS[name]
    try:
        return kind.read(text)
    except ValueError:
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
        raise _invalid(
            f"The value '{shown}' is not valid for the '{name}' hyperparameter which {kind.wants}"
        ) from None


def _text(value: object) -> str:
    """Return a value without the quotes of JSON that some versions of the SDK put around it."""
    text = str(value).strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            text = str(json.loads(text)).strip()
        except ValueError:
            return text
    return text


def _unset(name: str, text: str) -> bool:
    return text in _UNSET and name in _OPTIONAL


def _check_together(asked: Configuration) -> None:
    """Refuse values that are each valid but do not go together.

    Raises:
        CustomerError: names them.
    """
    for broken, message in (*_network_rules(asked), *_training_rules(asked)):
        if broken:
            raise CustomerError(message)


def _network_rules(asked: Configuration) -> list[tuple[bool, str]]:
    """Return what the network forbids: whether it does, and the refusal."""
    shape, sides, layers = shape_text(asked), asked.image_shape[1:], _listed(LAYERS)
    return [
        (
            asked.num_layers in SMALL_LAYERS and max(sides) > LARGEST_SMALL_IMAGE,
            f"num_layers {asked.num_layers} is for images of at most {LARGEST_SMALL_IMAGE} pixels "
            f"a side, but image_shape is {shape}: num_layers must be one of {layers}.",
        ),
        (
            asked.use_pretrained_model and asked.num_layers not in LAYERS,
            f"use_pretrained_model is 1, but num_layers is {asked.num_layers}: pretrained networks "
            f"have num_layers {layers}.",
        ),
        (
            asked.use_pretrained_model and sides != (PRETRAINED_SIDE,) * 2,
            f"use_pretrained_model is 1, but image_shape is {shape}: pretrained networks have "
            f"image_shape 3,{PRETRAINED_SIDE},{PRETRAINED_SIDE}.",
        ),
        (
            # A smaller one leaves every picture smaller than image_shape.
            asked.resize is not None and asked.resize < min(sides),
            f"resize ({asked.resize}) must not be smaller than the height and the width of "
            f"image_shape ({shape}).",
        ),
    ]


def _training_rules(asked: Configuration) -> list[tuple[bool, str]]:
    """Return what the course of the training forbids: whether it does, and the refusal."""
    return [
        (
            asked.checkpoint_frequency is not None and asked.checkpoint_frequency > asked.epochs,
            f"checkpoint_frequency ({asked.checkpoint_frequency}) must not be larger than epochs "
            f"({asked.epochs}).",
        ),
        (
            asked.top_k is not None and asked.top_k > asked.num_classes,
            f"top_k ({asked.top_k}) must not be larger than num_classes ({asked.num_classes}).",
        ),
        (
            asked.use_weighted_loss and not asked.multi_label,
            "use_weighted_loss is 1, but multi_label is 0: the loss is weighted for multi-label "
            "data only.",
        ),
        (
            asked.mini_batch_size > asked.num_training_samples,
            "The number of input images must be bigger or equal to the mini_batch_size. "
            f"num_training_samples is {asked.num_training_samples}, mini_batch_size is "
            f"{asked.mini_batch_size}.",
        ),
    ]


def _invalid(message: str) -> CustomerError:
    """Return a refusal as the algorithms' schema checker words it (contract G3)."""
    return CustomerError(f"{message} (caused by ValidationError)")


def _quoted(values: list[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


# What each hyperparameter may be.


def _integer(least: int = 1) -> _Kind:
    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= (value := int(text.split(".")[0])):
            raise ValueError(text)
        if value > _LARGEST:
            raise ValueError(text)
        return value

    return _Kind(read, f"expects an integer between {least} and {_LARGEST}")


def _share(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not 0 <= (value := float(text)) <= 1:
        raise ValueError(text)
    return value


def _choice(*values: str | int) -> _Kind:
    known = {str(value): value for value in values}

    def read(text: str) -> str | int:
        if text not in known:
            raise ValueError(text)
        return known[text]

    return _Kind(read, f"accepts one of the following: {_quoted(list(known))}")


def _flag(*documented: str) -> _Kind:
    """Return the kind of what is on or off; the SDK writes it in more ways than are documented."""

    def read(text: str) -> bool:
        if text.lower() not in ("0", "1", "true", "false"):
            raise ValueError(text)
        return text.lower() in ("1", "true")

    return _Kind(read, f"accepts one of the following: {_quoted(list(documented))}")


def _shape(text: str) -> tuple[int, int, int]:
    channels, height, width = (int(size) for size in _numbers(text))
    if channels not in (1, 3) or not (0 < height <= _LONGEST_SIDE and 0 < width <= _LONGEST_SIDE):
        raise ValueError(text)
    return channels, height, width


def _steps(text: str) -> tuple[int, ...]:
    steps = tuple(int(step) for step in _numbers(text))
    if list(steps) != sorted(set(steps)) or not 0 < steps[0] <= steps[-1] <= _LARGEST:
        raise ValueError(text)
    return steps


def _numbers(text: str) -> list[str]:
    """Return the whole numbers between the commas of a text, which may stand in brackets."""
    parts = [part.strip() for part in text.strip("()[]").split(",")]
    if not all(re.fullmatch(r"[0-9]{1,10}", part) for part in parts):
        raise ValueError(text)
    return parts


_COUNT, _SWITCH = _integer(), _flag("0", "1")
_SHARE = _Kind(_share, "expects a number between 0 and 1")
_KINDS = {
    "num_classes": _COUNT,
    "num_training_samples": _COUNT,
    "augmentation_type": _choice("crop", "crop_color", "crop_color_transform"),
    "beta_1": _SHARE,
    "beta_2": _SHARE,
    "checkpoint_frequency": _COUNT,
    "early_stopping": _flag("True", "False"),
    "early_stopping_min_epochs": _COUNT,
    "early_stopping_patience": _COUNT,
    "early_stopping_tolerance": _SHARE,
    "epochs": _COUNT,
    "eps": _SHARE,
    "gamma": _SHARE,
    "image_shape": _Kind(
        _shape,
        "expects channels (1 or 3), height and width (1 to "
        f"{_LONGEST_SIDE} pixels), for example '3,224,224'",
    ),
    "kv_store": _choice("dist_sync", "dist_async"),
    "learning_rate": _SHARE,
    "lr_scheduler_factor": _SHARE,
    "lr_scheduler_step": _Kind(_steps, "expects ascending epochs, for example '10,20'"),
    "mini_batch_size": _COUNT,
    "momentum": _SHARE,
    "multi_label": _SWITCH,
    "num_layers": _choice(*LAYERS, *SMALL_LAYERS),
    "optimizer": _choice("sgd", "adam", "rmsprop", "nag"),
    "precision_dtype": _choice("float32", "float16"),
    "resize": _COUNT,
    "top_k": _integer(2),
    "use_pretrained_model": _SWITCH,
    "use_weighted_loss": _SWITCH,
    "weight_decay": _SHARE,
}
_REQUIRED = [field.name for field in fields(Configuration) if field.default is MISSING]
_OPTIONAL = {field.name for field in fields(Configuration) if field.default in (None, ())}

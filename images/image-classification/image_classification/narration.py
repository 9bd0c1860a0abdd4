"""The log, line by line as Amazon's algorithm writes it (contract G3); each has its place here.

People's metric definitions read these lines, so that their words, digits and order are fixed.
Standard library only.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from image_classification.hyperparameters import Configuration, shape_text

Metrics = Sequence[tuple[str, float]]
"""Names of metrics, such as accuracy, and their values from 0 to 1."""
# The platform's log shows a TAB so, and people's regular expressions have it.
_TAB = "#011"


def say(message: str, level: str = "INFO") -> None:
    """Write a line with its prefix, at once.

    Args:
        level: as Python's logging names it.
    """
    moment = time.strftime("%m/%d/%Y %H:%M:%S")
    _write(f"[{moment} {level} {threading.get_ident()}] {message}")


def _write(line: str) -> None:
    # In one piece: lines of other threads and processes must not come between.
    sys.stdout.write(line.replace("\t", _TAB) + "\n")
    sys.stdout.flush()


# Before training.


def entered() -> None:
    _write("Docker entrypoint called with argument(s): train")


def configured(
    default: Path,
    defaults: Mapping[str, object],
    provided: Path,
    given: Mapping[str, object],
) -> None:
    """Tell which settings come from where, and what that makes."""
    say(f"Reading default configuration from {default}: {dict(defaults)}")
    say(f"Merging with provided configuration from {provided}: {dict(given)}")
    say(f"Final configuration: { ({**defaults, **given}) }")


def searching(suffix: str, directory: Path) -> None:
    """Tell where files of a kind, such as ``.rec``, are looked for."""
    say(f"Searching for {suffix} files in {directory}.")


def packing(listing: str) -> None:
    say(f"Creating record files for {listing}")


def packed() -> None:
    say("Done creating record files...")


def start(configuration: Configuration, *, incremental: bool) -> None:
    """Tell what the network begins with."""
    say(f"use_pretrained_model: {int(configuration.use_pretrained_model)}")
    say(f"multi_label: {int(configuration.multi_label)}")
    if configuration.use_pretrained_model:
        say("Using pretrained model for initializing weights and transfer learning.")
    elif incremental:
        say("Using the model of the channel model for incremental training.")


def parameters(configuration: Configuration, *, several_hosts: bool) -> None:
    """Write the block of parameters."""
    say("---- Parameters ----")
    for name, value in _parameters(configuration, several_hosts):
        say(f"{name}: {value}")
    if configuration.checkpoint_frequency is None:
        say("checkpoint_frequency not set, will store the best model")
    else:
        say(f"checkpoint_frequency: {configuration.checkpoint_frequency}")
    say("--------------------")


def _parameters(configuration: Configuration, several_hosts: bool) -> list[tuple[str, object]]:
    optimizers: dict[str, tuple[str, ...]] = {
        "adam": ("beta_1", "beta_2", "eps"),
        "rmsprop": ("gamma", "eps"),
    }
    own = optimizers.get(configuration.optimizer, ("momentum",))
    found: list[tuple[str, object]] = [
        ("num_layers", configuration.num_layers),
        ("data type", f"<class 'numpy.{configuration.precision_dtype}'>"),
        ("epochs", configuration.epochs),
    ]
    if configuration.resize is not None:
        found.append(("image resize size", configuration.resize))
    found.append(("optimizer", configuration.optimizer))
    found += [(name, getattr(configuration, name)) for name in own]
    found += [
        ("weight_decay", configuration.weight_decay),
        ("learning_rate", configuration.learning_rate),
    ]
    if configuration.lr_scheduler_step:
        steps = ",".join(map(str, configuration.lr_scheduler_step))
        found += [
            ("lr_scheduler_step", steps),
            ("lr_scheduler_factor", configuration.lr_scheduler_factor),
        ]
    found += [
        ("num_training_samples", configuration.num_training_samples),
        ("mini_batch_size", configuration.mini_batch_size),
        ("image_shape", shape_text(configuration)),
        ("num_classes", configuration.num_classes),
        ("augmentation_type", configuration.augmentation_type),
        ("kv_store", (configuration.kv_store or "dist_sync") if several_hosts else "device"),
    ]
    if configuration.top_k is not None:
        found.append(("top_k", configuration.top_k))
    return found


def threads(number: int) -> None:
    """Tell how many threads decode pictures."""
    say(f"Setting number of threads: {number}")


# Epochs, numbered from 0.


def speed(epoch: int, batch: int, samples_per_second: float, metrics: Metrics) -> None:
    shares = "".join(f"\t{name}={value:.6f}" for name, value in metrics)
    say(f"Epoch[{epoch}] Batch [{batch}]\tSpeed: {samples_per_second:.3f} samples/sec{shares}")


def trained(epoch: int, metrics: Metrics, seconds: float) -> None:
    """Tell how the training of an epoch went, and how long it took."""
    for name, value in metrics:
        say(f"Epoch[{epoch}] Train-{name}={value:.6f}")
    say(f"Epoch[{epoch}] Time cost={seconds:.3f}")


def validated(epoch: int, metrics: Metrics) -> None:
    for name, value in metrics:
        say(f"Epoch[{epoch}] Validation-{name}={value:.6f}")


def storing_best(accuracy: float) -> None:
    say(f"Storing the best model with validation accuracy: {accuracy:.6f}")


def saved(path: Path) -> None:
    """Tell that the weights of an epoch are written."""
    say(f'Saved checkpoint to "{path}"')


# Failures.


def customer_error(message: str) -> None:
    say(f"Customer Error: {message}", level="ERROR")


def algorithm_error(message: str) -> None:
    say(f"Algorithm Error: {message}", level="ERROR")

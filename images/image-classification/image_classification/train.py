"""The command `train`: judges the job, opens its data and trains, or says why it can't.

What the job asks for is judged before MXNet is loaded, so that a bad one fails in a second. A
failure ends in a line of the log, in /opt/ml/output/failure and in the exit code that tells whose
it is (contract B4). A job that is stopped ends at once, with the model that it has saved.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from image_classification import channels, cluster, hyperparameters, narration
from image_classification.channels import Channel, Inputs
from image_classification.errors import CustomerError
from image_classification.hyperparameters import Configuration
from image_classification.sources import Source, open_source

_HOME = Path("/opt/ml")
_CONFIG, _DATA = _HOME / "input/config", _HOME / "input/data"
_DEFAULTS = Path(__file__).with_name("default-input.json")
_CUSTOMERS_FAULT, _ALGORITHMS_FAULT = 2, 1
_STOPPED = 128 + signal.SIGTERM


def main() -> None:
    """Do the job of this container; an exit code other than 0 ends the process on failure."""
    _end_when_stopped()
    try:
        _run()
    except CustomerError as error:
        narration.customer_error(str(error))
        _fail(str(error), _CUSTOMERS_FAULT)
    except Exception as error:
        message = f"{type(error).__name__}: {_first_line(error)}"
        narration.say(traceback.format_exc().rstrip(), level="ERROR")
        narration.algorithm_error(message)
        _fail(message, _ALGORITHMS_FAULT)


def _run() -> None:
    configuration = _configuration()
    resources = _json(_CONFIG / "resourceconfig.json")
    hosts = cluster.Hosts(resources["current_host"], tuple(resources["hosts"]))
    inputs = channels.read(_json(_CONFIG / "inputdataconfig.json"), _DATA, hosts=hosts.parts)
    channels.check_resize(inputs, configuration.resize)
    train, validation = _sources(configuration, inputs, hosts.part, hosts.parts)
    narration.start(configuration, incremental=inputs.model is not None)
    narration.parameters(configuration, several_hosts=hosts.parts > 1)
    for doubt in hyperparameters.doubts(configuration):
        narration.say(doubt, level="WARNING")
    # MXNet takes seconds to load: a job that can't be done should not wait for it.
    from image_classification import fitting

    narration.threads(len(os.sched_getaffinity(0)))
    fitting.fit(configuration, train, validation, model=inputs.model, hosts=hosts)


def _configuration() -> Configuration:
    """Return the job's hyperparameters, and say in the log where they come from."""
    narration.entered()
    provided = _CONFIG / "hyperparameters.json"
    given = _json(provided)
    narration.configured(_DEFAULTS, _json(_DEFAULTS), provided, given)
    return hyperparameters.parse(given)


def _sources(
    configuration: Configuration, inputs: Inputs, part: int, parts: int
) -> tuple[Source, Source]:
    """Return this host's share of the training data, and all of the validation data."""

    def opened(channel: Channel, lst: Channel | None, part: int, parts: int) -> Source:
        searched = lst or channel
        if searched.mode != "Pipe":
            narration.searching(searched.files[0].suffix, searched.directory)
        training = channel is inputs.train
        return open_source(channel, lst, configuration, part=part, parts=parts, training=training)

    train = opened(inputs.train, inputs.train_lst, part, parts)
    if train.count is not None and train.count < configuration.mini_batch_size:
        raise CustomerError(
            "The number of input images must be bigger or equal to the mini_batch_size. "
            f"Channel train has {train.count} for this host, mini_batch_size is "
            f"{configuration.mini_batch_size}."
        )
    return train, opened(inputs.validation, inputs.validation_lst, 0, 1)


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _first_line(error: Exception) -> str:
    """Return what an exception says, without the stack that MXNet's messages go on with."""
    return str(error).strip().partition("\n")[0]


def _fail(message: str, code: int) -> None:
    """Leave the message where the platform reads it, and end the process."""
    path = _HOME / "output/failure"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(message)
    sys.stdout.flush()
    # Of several hosts, MXNet would wait for the others as Python ends.
    os._exit(code)


def _end_when_stopped() -> None:
    """End the process as soon as SIGTERM comes (contract B5).

    A thread waits for it: the main one may be inside MXNet for as long as a batch takes.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def wait() -> None:
        signal.sigwait([signal.SIGTERM])
        # A checkpoint that is being written: the last whole one is what the job leaves.
        for partial in (_HOME / "model").glob(".*.partial"):
            with contextlib.suppress(OSError):
                partial.unlink()
        os._exit(_STOPPED)

    threading.Thread(target=wait, name="stop", daemon=True).start()

"""Which mode a channel has (contract B9)."""

from typing import Any

import pytest

from emulator import channels

MODEL = "application/x-sagemaker-model"


@pytest.mark.parametrize(
    "job, channel, mode",
    [
        ("File", {"ChannelName": "train"}, "File"),
        ("Pipe", {"ChannelName": "train"}, "Pipe"),
        ("Pipe", {"ChannelName": "train", "InputMode": "FastFile"}, "FastFile"),
        ("FastFile", {"ChannelName": "train", "InputMode": "Pipe"}, "Pipe"),
        ("Pipe", {"ChannelName": "model"}, "File"),
        ("FastFile", {"ChannelName": "model"}, "File"),
        ("Pipe", {"ChannelName": "model", "ContentType": MODEL}, "File"),
        ("Pipe", {"ChannelName": "model", "ContentType": "text/csv"}, "Pipe"),
        ("Pipe", {"ChannelName": "model", "ContentType": MODEL, "InputMode": "Pipe"}, "Pipe"),
        ("Pipe", {"ChannelName": "train", "ContentType": MODEL}, "Pipe"),
    ],
)
def test_a_channels_own_mode_goes_first_and_a_model_is_a_file(
    job: str, channel: dict[str, Any], mode: str
) -> None:
    document = {
        "AlgorithmSpecification": {"TrainingInputMode": job},
        "InputDataConfig": [channel],
    }
    assert channels.mode(document, channel) == mode
    assert channels.piped(document) == ([channel] if mode == "Pipe" else [])
    assert channels.staged(document) == ([] if mode == "Pipe" else [channel])


def test_a_job_without_channels_has_none() -> None:
    document = {"AlgorithmSpecification": {"TrainingInputMode": "Pipe"}}
    assert channels.piped(document) == channels.staged(document) == []

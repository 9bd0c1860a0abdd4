"""What a channel may ask for in which input mode, as an SDK sees it (contract B9)."""

from typing import Any

import pytest

_AUGMENTED = {"S3DataType": "AugmentedManifestFile", "S3Uri": "s3://data/mnist/train.npz"}
_NAMES = {"AttributeNames": ["source-ref", "label"]}


def _channel(name: str = "train", source: dict[str, Any] | None = None, **members: Any) -> Any:
    place = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/mnist"} | (source or {})
    return {"ChannelName": name, "DataSource": {"S3DataSource": place}, **members}


def _request(job_request: Any, mode: str, *channels: Any) -> Any:
    algorithm = {"TrainingImage": "chainer:5", "TrainingInputMode": mode}
    return job_request(AlgorithmSpecification=algorithm, InputDataConfig=list(channels))


@pytest.mark.parametrize(
    "mode, channel",
    [
        ("Pipe", _channel()),
        ("File", _channel(InputMode="Pipe")),
        ("Pipe", _channel(InputMode="File")),
        ("Pipe", _channel(CompressionType="Gzip", RecordWrapperType="RecordIO")),
        ("Pipe", _channel(source=_AUGMENTED | _NAMES, RecordWrapperType="RecordIO")),
        ("FastFile", _channel(source=_AUGMENTED | _NAMES, InputMode="Pipe")),
        ("Pipe", _channel(ShuffleConfig={"Seed": 1})),
        ("File", _channel(ShuffleConfig={"Seed": 1})),
        ("Pipe", _channel("model", ContentType="application/x-sagemaker-model")),
        ("Pipe", _channel("model", InputMode="Pipe", CompressionType="Gzip")),
    ],
)
def test_a_channel_is_accepted_and_shown_as_it_was_asked_for(
    sagemaker: Any, job_request: Any, mode: str, channel: Any
) -> None:
    sagemaker.create_training_job(**_request(job_request, mode, channel))
    job = sagemaker.describe_training_job(TrainingJobName="Job-1")
    assert job["AlgorithmSpecification"]["TrainingInputMode"] == mode
    (shown,) = job["InputDataConfig"]
    source = shown.pop("DataSource")["S3DataSource"]
    assert source.items() >= channel["DataSource"]["S3DataSource"].items()
    assert shown.items() >= {k: v for k, v in channel.items() if k != "DataSource"}.items()


_ONLY = '{} is only supported for Pipe input mode, and channel "{}" has {}'
_NEEDED = (
    'AttributeNames must be specified for S3DataType AugmentedManifestFile, in channel "train"'
)


@pytest.mark.parametrize(
    "mode, channels, text",
    [
        (
            "File",
            [_channel(CompressionType="Gzip")],
            _ONLY.format("CompressionType Gzip", "train", "File"),
        ),
        (
            "Pipe",
            [_channel(CompressionType="Gzip", InputMode="FastFile")],
            _ONLY.format("CompressionType Gzip", "train", "FastFile"),
        ),
        (
            "File",
            [_channel(), _channel("test", RecordWrapperType="RecordIO")],
            _ONLY.format("RecordWrapperType RecordIO", "test", "File"),
        ),
        (
            "Pipe",
            [_channel("model", RecordWrapperType="RecordIO")],
            _ONLY.format("RecordWrapperType RecordIO", "model", "File"),
        ),
        (
            "File",
            [_channel(source=_AUGMENTED | _NAMES)],
            _ONLY.format("S3DataType AugmentedManifestFile", "train", "File"),
        ),
        ("Pipe", [_channel(source=_AUGMENTED)], _NEEDED),
        ("Pipe", [_channel(source=_AUGMENTED | {"AttributeNames": []})], _NEEDED),
        (
            "Pipe",
            [_channel(source=_NAMES)],
            "AttributeNames can only be specified for S3DataType AugmentedManifestFile, in channel"
            ' "train"',
        ),
        (
            "Pipe",
            [_channel(), _channel("train_12", InputMode="File")],
            'Channel "train_12" has the name of a pipe of channel "train"',
        ),
        (
            "Pipe",
            [_channel(source=_AUGMENTED | _NAMES | {"S3Uri": "s3://data/mnist"})],
            'No S3 objects found under S3 URL "s3://data/mnist" given in input data source. Please'
            " ensure that the bucket exists in the selected region (us-west-2), that objects exist"
            " under that S3 prefix, and that the role"
            ' "arn:aws:iam::123456789012:role/service-role/SageMaker" has "s3:ListBucket"'
            ' permissions on bucket "data".',
        ),
    ],
)
def test_what_an_input_mode_cannot_do_is_refused(
    sagemaker: Any, job_request: Any, assert_refused: Any, mode: str, channels: Any, text: str
) -> None:
    request = _request(job_request, mode, *channels)
    assert_refused(lambda: sagemaker.create_training_job(**request), "ValidationException", text)
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []

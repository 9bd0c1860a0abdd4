"""Which channels the image-classification algorithm takes, and what it says of others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from image_classification_package import Load, imported

RECORDS = {"ContentType": "application/x-recordio"}
IMAGES = {"ContentType": "application/x-image"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    yield from imported(monkeypatch)


def files(root: Path, *paths: str) -> Path:
    """Write files below a directory; one whose name begins with `empty` has no bytes."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"" if Path(path).name.startswith("empty") else b"x")
    return root


def config(**channels: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return inputdataconfig.json as the platform writes it."""
    plain = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    return {name: {**plain, **members} for name, members in channels.items()}


def test_record_files_are_found_among_others(load: Load, tmp_path: Path) -> None:
    files(tmp_path, "train/a.rec", "train/a.idx", "train/a.lst", "validation/deep/b.rec")
    inputs = load("channels").read(config(train=RECORDS, validation=RECORDS), tmp_path)
    assert inputs.train.files == (tmp_path / "train/a.rec",)
    assert inputs.validation.files == (tmp_path / "validation/deep/b.rec",)
    assert (inputs.train_lst, inputs.validation_lst, inputs.model) == (None, None, None)
    assert (inputs.train.mode, inputs.train.record_wrapper) == ("File", "None")


@pytest.mark.parametrize("content_type", ["application/x-image", "image/png", "Image/JPEG"])
def test_images_come_with_lists(load: Load, tmp_path: Path, content_type: str) -> None:
    files(tmp_path, "train/a/1.jpg", "validation/2.jpg", "train_lst/t.lst", "validation_lst/v.lst")
    images = {"ContentType": content_type, "TrainingInputMode": "FastFile"}
    described = config(train=images, validation=images, train_lst=IMAGES, validation_lst={})
    channels = load("channels")
    inputs = channels.read(described, tmp_path)
    assert inputs.train.content_type == content_type.lower()
    assert inputs.train.mode == "FastFile"
    assert inputs.train_lst.files == (tmp_path / "train_lst/t.lst",)
    assert inputs.validation_lst.files == (tmp_path / "validation_lst/v.lst",)
    channels.check_resize(inputs, 256)
    with pytest.raises(load("errors").CustomerError, match="'resize'"):
        channels.check_resize(inputs, None)


@pytest.mark.parametrize("content_type", ["application/x-recordio", "application/x-image"])
def test_streams_are_not_looked_into(load: Load, tmp_path: Path, content_type: str) -> None:
    piped = {
        "ContentType": f'{content_type}; charset=x; Label-Format = "Class-ID"',
        "TrainingInputMode": "Pipe",
        "RecordWrapperType": "RecordIO",
    }
    channels = load("channels")
    inputs = channels.read(config(train=piped, validation=piped), tmp_path)
    assert inputs.train == channels.Channel(
        "train", content_type, "class-id", "Pipe", "RecordIO", tmp_path / "train"
    )
    channels.check_resize(inputs, None)


def test_labels_are_multi_hot_unless_told_otherwise(load: Load, tmp_path: Path) -> None:
    files(tmp_path, "train/a.rec", "validation/b.rec")
    inputs = load("channels").read(config(train=RECORDS, validation=RECORDS), tmp_path)
    assert inputs.train.label_format == "multi-hot"


def test_a_model_to_start_from_is_a_channel(load: Load, tmp_path: Path) -> None:
    files(tmp_path, "train/a.rec", "validation/b.rec", "model/model.tar.gz")
    model = {"ContentType": "application/x-sagemaker-model"}
    described = config(train=RECORDS, validation=RECORDS, model=model)
    assert load("channels").read(described, tmp_path).model.directory == tmp_path / "model"


SCHEMA = (
    "Unable to initialize the algorithm. Failed to validate input data configuration. (caused by "
    "ValidationError)\n\nCaused by: "
)
START = "Unable to start training. "
BOTH = {"train": RECORDS, "validation": RECORDS}
PIPE = {"TrainingInputMode": "Pipe"}
LISTED = {"train": IMAGES, "validation": RECORDS, "train_lst": IMAGES}
WRONG: dict[str, tuple[dict[str, dict[str, str]], str]] = {
    "no channels": ({}, f"{SCHEMA}'train' is a required property"),
    "no validation": ({"train": RECORDS}, f"{SCHEMA}'validation' is a required property"),
    "another name": (
        {**BOTH, "test": RECORDS},
        f"{SCHEMA}Additional properties are not allowed ('test' was unexpected)",
    ),
    "no content type": (
        {**BOTH, "validation": {}},
        f"{SCHEMA}'ContentType' is a required property of channel 'validation'",
    ),
    "another content type": (
        {**BOTH, "train": {"ContentType": "text/csv"}},
        f"{SCHEMA}'text/csv' is not one of ['application/x-recordio', 'application/x-image', "
        "'image/png', 'image/jpeg'], the content types of channel 'train'",
    ),
    "another label format": (
        {**BOTH, "train": {"ContentType": "application/x-recordio; label-format=names"}},
        f"{SCHEMA}'names' is not one of ['multi-hot', 'class-id'], the values of label-format in "
        "the content type of channel 'train'",
    ),
    "another content type of the model": (
        {**BOTH, "model": RECORDS},
        f"{SCHEMA}'application/x-recordio' is not one of ['application/x-sagemaker-model'], the "
        "content types of channel 'model'",
    ),
    "a piped model": (
        {**BOTH, "model": {"ContentType": "application/x-sagemaker-model", **PIPE}},
        "Channel model can't be piped: set its InputMode to File.",
    ),
    "images without a list": (
        {"train": IMAGES, "validation": RECORDS},
        f"{SCHEMA}'train_lst' is a required property: channel 'train' holds images, and the .lst "
        "file with their labels has a channel of its own",
    ),
    "piped images": (
        {"train": {**IMAGES, **PIPE}, "validation": RECORDS},
        "Channel train holds images (application/x-image), which Pipe mode takes from an augmented "
        "manifest only, with RecordWrapperType RecordIO: set its InputMode to File, or pack the "
        "images into a .rec file.",
    ),
    "a piped list": (
        {**LISTED, "train_lst": {**IMAGES, **PIPE}},
        "Channel train_lst can't be piped: set its InputMode to File.",
    ),
    "sharded streams": (
        {**BOTH, "train": {**RECORDS, **PIPE, "S3DistributionType": "ShardedByS3Key"}},
        "The S3DataDistributionType of channel train is ShardedByS3Key, but must be "
        "FullyReplicated: each host picks its share of the images by itself.",
    ),
}
WRONG_FILES: dict[str, tuple[list[str], dict[str, dict[str, str]], str]] = {
    "no record file": (["train/a.lst"], BOTH, f"{START}No .rec file found in train channel."),
    "two record files": (
        ["train/a.rec", "train/deep/b.rec"],
        BOTH,
        f"{START}2 .rec files found in train channel, but it must have exactly one: a.rec, "
        "deep/b.rec.",
    ),
    "an empty record file": (
        ["train/empty.rec"],
        BOTH,
        f"{START}Empty .rec file in train channel.",
    ),
    "no list": (["train/a.jpg"], LISTED, f"{START}No .lst file found in train_lst channel."),
    "an empty list": (
        ["train/a.jpg", "train_lst/empty.lst"],
        LISTED,
        f"{START}Empty .lst file in train_lst channel.",
    ),
    "no images": (["train_lst/a.lst"], LISTED, f"{START}No images found in train channel."),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_channels_that_do_not_fit_are_refused(load: Load, tmp_path: Path, mistake: str) -> None:
    channels, message = WRONG[mistake]
    files(tmp_path, "train/a.rec", "validation/b.rec", "model/model.tar.gz", "train_lst/a.lst")
    with pytest.raises(load("errors").CustomerError) as caught:
        load("channels").read(config(**channels), tmp_path)
    assert str(caught.value) == message


@pytest.mark.parametrize("mistake", WRONG_FILES)
def test_files_that_do_not_fit_are_refused(load: Load, tmp_path: Path, mistake: str) -> None:
    found, channels, message = WRONG_FILES[mistake]
    files(tmp_path, "validation/b.rec", *found)
    with pytest.raises(load("errors").CustomerError) as caught:
        load("channels").read(config(**channels), tmp_path)
    assert str(caught.value) == message


def test_only_several_hosts_need_whole_files(load: Load, tmp_path: Path) -> None:
    files(tmp_path, "train/a.rec", "validation/b.rec")
    sharded = config(train={**RECORDS, "S3DistributionType": "ShardedByS3Key"}, validation=RECORDS)
    read = load("channels").read
    assert read(sharded, tmp_path, hosts=1).train.files
    with pytest.raises(load("errors").CustomerError, match="ShardedByS3Key"):
        read(sharded, tmp_path, hosts=2)

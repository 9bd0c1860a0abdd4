"""What users get wrong in image-classification jobs: each ends in a reason that names the mistake.

All jobs run at once, and each leaves neither a container nor files. The reasons are logged, to be
seen with `--log-cli-level=INFO`.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from image_classification_jobs import ALGORITHM, RECORDS
from image_classification_mistakes import PICTURES, SIDE, objects
from running_emulator import Emulator, unique
from training_data import assert_gone, channel, put

pytestmark = pytest.mark.docker

log = logging.getLogger(__name__)

WITHIN_SECONDS = 180
SETTINGS = {
    "num_layers": "20",
    "image_shape": f"3,{SIDE},{SIDE}",
    "num_classes": "3",
    "num_training_samples": str(PICTURES),
    "mini_batch_size": "4",
    "epochs": "1",
}
IMAGES, MODEL = "application/x-image", "application/x-sagemaker-model"
MANIFEST = "AugmentedManifestFile"
COUNT = "expects an integer between 1 and 2147483647"
SHARE = "expects a number between 0 and 1"
SCHEMA = (
    "Unable to initialize the algorithm. Failed to validate input data configuration. (caused by "
    "ValidationError)\n\nCaused by: "
)
START = "Unable to start training. "
TOO_FEW = "The number of input images must be bigger or equal to the mini_batch_size. "
EMPTY_PIPE = (
    "Got empty batch from pipe. Please check if the manifest file contains valid batches and the "
    "value of training job parameter AttributeNames matches attributes names in the augmented "
    "manifest."
)

Channels = Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Mistake:
    """A job that can't be done.

    Attributes:
        told: how its FailureReason goes on after "ClientError: ".
        settings: hyperparameters that replace the good ones; None leaves one out.
        channels: channels that replace the good ones, by name, each with the key in the bucket as
            `at`; None leaves one out.
    """

    told: str
    settings: Mapping[str, str | None] = field(default_factory=dict)
    channels: Channels = field(default_factory=dict)
    hosts: int = 1


def setting(name: str, value: str, wants: str) -> Mistake:
    """Return a job with one hyperparameter that is not valid."""
    told = f"The value '{value}' is not valid for the '{name}' hyperparameter which {wants}"
    return Mistake(f"{told} (caused by ValidationError)", {name: value})


def missing(*names: str) -> Mistake:
    quoted = ", ".join(f"'{name}'" for name in names)
    return Mistake(
        f"No value(s) were specified for {quoted} which are required hyperparameter(s) (caused by "
        "ValidationError)",
        dict.fromkeys(names),
    )


def train(
    told: str, at: str, settings: Mapping[str, str | None] | None = None, **members: Any
) -> Mistake:
    """Return a job with other training data."""
    return Mistake(told, settings or {}, {"train": {"at": at, **members}})


def model(told: str, at: str, **settings: str) -> Mistake:
    """Return a job that starts from a model."""
    return Mistake(told, settings, {"model": {"at": at, "ContentType": MODEL}})


def listed(told: str, lst: str, **settings: str | None) -> Mistake:
    """Return a job whose training data is images with a list."""
    channels = {
        "train": {"at": "pictures", "ContentType": IMAGES},
        "train_lst": {"at": lst, "ContentType": IMAGES},
    }
    return Mistake(told, {"resize": "32", **settings}, channels)


def manifest(told: str, at: str, *attributes: str, **members: Any) -> Mistake:
    """Return a job whose training data is an augmented manifest."""
    members = {"InputMode": "Pipe", "RecordWrapperType": "RecordIO", **members}
    return train(told, at, data_type=MANIFEST, attributes=attributes, **members)


TABLE: dict[str, Mistake] = {
    # Hyperparameters, each by itself.
    "num_classes is missing": missing("num_classes"),
    "num_training_samples is missing": missing("num_training_samples"),
    "both are": missing("num_classes", "num_training_samples"),
    "num_classes is 0": setting("num_classes", "0", COUNT),
    "num_training_samples is a word": setting("num_training_samples", "all", COUNT),
    "augmentation_type is unknown": setting(
        "augmentation_type",
        "flip",
        "accepts one of the following: 'crop', 'crop_color', 'crop_color_transform'",
    ),
    "beta_1 is above 1": setting("beta_1", "1.1", SHARE),
    "beta_2 is below 0": setting("beta_2", "-0.1", SHARE),
    "checkpoint_frequency is 0": setting("checkpoint_frequency", "0", COUNT),
    "early_stopping is a word": setting(
        "early_stopping", "maybe", "accepts one of the following: 'True', 'False'"
    ),
    "early_stopping_min_epochs is 0": setting("early_stopping_min_epochs", "0", COUNT),
    "early_stopping_patience is 0": setting("early_stopping_patience", "0", COUNT),
    "early_stopping_tolerance is above 1": setting("early_stopping_tolerance", "2", SHARE),
    "epochs is a fraction": setting("epochs", "1.5", COUNT),
    "eps is above 1": setting("eps", "10", SHARE),
    "gamma is above 1": setting("gamma", "1.5", SHARE),
    "image_shape has two numbers": setting(
        "image_shape",
        "32,32",
        "expects channels (1 or 3), height and width (1 to 8192 pixels), for example '3,224,224'",
    ),
    "kv_store is unknown": setting(
        "kv_store", "device", "accepts one of the following: 'dist_sync', 'dist_async'"
    ),
    "learning_rate is above 1": setting("learning_rate", "10", SHARE),
    "lr_scheduler_factor is above 1": setting("lr_scheduler_factor", "10", SHARE),
    "lr_scheduler_step goes down": setting(
        "lr_scheduler_step", "20,10", "expects ascending epochs, for example '10,20'"
    ),
    "mini_batch_size is negative": setting("mini_batch_size", "-4", COUNT),
    "momentum is above 1": setting("momentum", "9", SHARE),
    "multi_label is a word": setting(
        "multi_label", "yes", "accepts one of the following: '0', '1'"
    ),
    "num_layers is none there is": setting(
        "num_layers",
        "19",
        "accepts one of the following: '18', '34', '50', '101', '152', '200', '20', '32', '44', "
        "'56', '110'",
    ),
    "optimizer is unknown": setting(
        "optimizer", "adagrad", "accepts one of the following: 'sgd', 'adam', 'rmsprop', 'nag'"
    ),
    "precision_dtype is unknown": setting(
        "precision_dtype", "float64", "accepts one of the following: 'float32', 'float16'"
    ),
    "resize is 0": setting("resize", "0", COUNT),
    "top_k is 1": setting("top_k", "1", "expects an integer between 2 and 2147483647"),
    "use_pretrained_model is a word": setting(
        "use_pretrained_model", "resnet", "accepts one of the following: '0', '1'"
    ),
    "use_weighted_loss is a word": setting(
        "use_weighted_loss", "sure", "accepts one of the following: '0', '1'"
    ),
    "weight_decay is above 1": setting("weight_decay", "5", SHARE),
    "a hyperparameter is unknown": Mistake(
        "Additional hyperparameters are not allowed ('epoch' was unexpected)", {"epoch": "1"}
    ),
    # Hyperparameters that do not go together.
    "a network for small images and large ones": Mistake(
        "num_layers 20 is for images of at most 32 pixels a side, but image_shape is 3,64,64",
        {"image_shape": "3,64,64"},
    ),
    "checkpoint_frequency is over epochs": Mistake(
        "checkpoint_frequency (2) must not be larger than epochs (1).",
        {"checkpoint_frequency": "2"},
    ),
    "top_k is over num_classes": Mistake(
        "top_k (4) must not be larger than num_classes (3).", {"top_k": "4"}
    ),
    "resize is under image_shape": Mistake(
        "resize (31) must not be smaller than the height and the width of image_shape (3,32,32).",
        {"resize": "31"},
    ),
    "use_weighted_loss without multi_label": Mistake(
        "use_weighted_loss is 1, but multi_label is 0", {"use_weighted_loss": "1"}
    ),
    "mini_batch_size is over num_training_samples": Mistake(
        f"{TOO_FEW}num_training_samples is 12, mini_batch_size is 13.", {"mini_batch_size": "13"}
    ),
    "mini_batch_size is over the number of images": Mistake(
        f"{TOO_FEW}Channel train has 12 for this host, mini_batch_size is 13.",
        {"mini_batch_size": "13", "num_training_samples": "13"},
    ),
    "a pretrained network of another size": Mistake(
        "use_pretrained_model is 1, but image_shape is 3,64,64",
        {"use_pretrained_model": "1", "num_layers": "18", "image_shape": "3,64,64"},
    ),
    # Channels.
    "no training data": Mistake(f"{SCHEMA}'train' is a required property", {}, {"train": None}),
    "no validation data": Mistake(
        f"{SCHEMA}'validation' is a required property", {}, {"validation": None}
    ),
    "a channel by another name": Mistake(
        f"{SCHEMA}Additional properties are not allowed ('test' was unexpected)",
        {},
        {"test": {"at": "good"}},
    ),
    "no content type": train(
        f"{SCHEMA}'ContentType' is a required property of channel 'train'", "good", ContentType=None
    ),
    "another content type": train(
        f"{SCHEMA}'text/csv' is not one of", "good", ContentType="text/csv"
    ),
    "images without a list": train(
        f"{SCHEMA}'train_lst' is a required property", "pictures", ContentType=IMAGES
    ),
    "piped images without a manifest": train(
        "Channel train holds images (application/x-image), which Pipe mode takes from an augmented "
        "manifest only",
        "pictures",
        ContentType=IMAGES,
        InputMode="Pipe",
    ),
    "sharded streams": train(
        "The S3DataDistributionType of channel train is ShardedByS3Key, but must be "
        "FullyReplicated",
        "good",
        InputMode="Pipe",
        distribution="ShardedByS3Key",
    ),
    "sharded files on two hosts": Mistake(
        "The S3DataDistributionType of channel train is ShardedByS3Key",
        {},
        {"train": {"at": "two", "distribution": "ShardedByS3Key"}},
        hosts=2,
    ),
    "a list without resize": listed(
        "No value(s) were specified for 'resize' which are required hyperparameter(s)",
        "lists/good.lst",
        resize=None,
    ),
    # Record files.
    "no record file": train(f"{START}No .rec file found in train channel.", "pictures"),
    "two record files": train(f"{START}2 .rec files found in train channel", "two"),
    "an empty record file": train(f"{START}Empty .rec file in train channel.", "empty"),
    "a truncated record file": train("truncated.rec is truncated: ", "truncated"),
    "no record file in truth": train("noise.rec is not a RecordIO file: ", "noise"),
    "a label beyond num_classes": train(
        "Image 11 of high.rec has the label 7, but the num_classes parameter is 3: labels go from "
        "0 to 2.",
        "high",
    ),
    "labels of several classes without multi_label": train(
        "Image 0 of several.rec has 5 labels, but multi_label is 0", "several"
    ),
    "labels of other classes with multi_label": train(
        "Mismatch between number of labels in the multi-label data (5) and the num_classes "
        "parameter (3).",
        "several",
        {"multi_label": "1"},
    ),
    "an image smaller than image_shape": train(
        "Image 3 of small.rec is 20 pixels high and 24 wide, smaller than the image_shape 3,32,32",
        "small",
    ),
    "a picture that can't be decoded": train(
        "Image 5 of broken.rec is not a picture that can be decoded", "broken"
    ),
    # Lists.
    "a list naming a missing file": listed(
        "Line 2 of missing.lst names 'nowhere.png', but the channel train has no such image.",
        "lists/missing.lst",
    ),
    "a list without TABs": listed("Line 1 of spaces.lst has 1 columns", "lists/spaces.lst"),
    "a list with a label beyond num_classes": listed(
        "Line 1 of high.lst (0.png) has the label 7, but the num_classes parameter is 3",
        "lists/high.lst",
    ),
    # Streams.
    "a truncated stream": train(
        "the stream of channel train is truncated: ", "truncated", InputMode="Pipe"
    ),
    "a piped record file that is wrapped": train(
        "Image 0 of the stream of channel train is a RecordIO file in a record: set "
        "RecordWrapperType to None for record files.",
        "good",
        InputMode="Pipe",
        RecordWrapperType="RecordIO",
    ),
    "a manifest with its attributes in the wrong order": manifest(
        "Image 0 of the stream of channel train has no label: ", "pairs", "class", "source-ref"
    ),
    "a manifest without the attributes": manifest(EMPTY_PIPE, "pairs", "source-ref", "label"),
    # Models to start from.
    "a pretrained network that is not there": Mistake(
        "use_pretrained_model is 1, but there is no pretrained network of 18 layers here",
        {"use_pretrained_model": "1", "num_layers": "18", "image_shape": "3,224,224"},
    ),
    "a model of other classes": model(
        "The model in the channel model was trained with num_classes 5, but num_classes is 3",
        "other",
    ),
    "a model that is no archive": model("model.tar.gz is no tar.gz archive", "noise-model"),
    "an archive without weights": model("model.tar.gz has no weights", "empty-model"),
}


def submit(emulator: Emulator, bucket: str, mistake: Mistake, **environment: str) -> str:
    """Create the job of a mistake; returns its name."""
    good: Channels = {"train": {"at": "good"}, "validation": {"at": "good"}}
    channels = []
    for name, given in {**good, **mistake.channels}.items():
        if given is None:
            continue
        members = {"ContentType": RECORDS, **given}
        members = {key: value for key, value in members.items() if value is not None}
        at, attributes = members.pop("at"), members.pop("attributes", None)
        made = channel(name, f"s3://{bucket}/{at}", **members)
        if attributes:
            made["DataSource"]["S3DataSource"]["AttributeNames"] = list(attributes)
        channels.append(made)
    settings = {**SETTINGS, **mistake.settings}
    job = unique("refused")
    emulator.train(
        job,
        bucket=bucket,
        AlgorithmSpecification={"TrainingImage": ALGORITHM, "TrainingInputMode": "File"},
        InputDataConfig=channels,
        ResourceConfig={
            "InstanceType": "ml.p2.xlarge",
            "InstanceCount": mistake.hosts,
            "VolumeSizeInGB": 1,
        },
        HyperParameters={key: value for key, value in settings.items() if value is not None},
        Environment={"OMP_NUM_THREADS": "1", **environment},
    )
    return job


@pytest.fixture(scope="module")
def jobs(emulator: Emulator) -> dict[str, str]:
    """Submit every mistake; returns the names of their jobs."""
    bucket = emulator.bucket()
    put(emulator, bucket, objects(bucket))
    with ThreadPoolExecutor(4) as pool:
        names = pool.map(lambda mistake: submit(emulator, bucket, mistake), TABLE.values())
        return dict(zip(TABLE, names, strict=True))


@pytest.mark.parametrize("case", TABLE)
def test_a_mistake_is_named_in_the_reason(
    emulator: Emulator, jobs: dict[str, str], case: str
) -> None:
    job = emulator.ended(jobs[case], within=WITHIN_SECONDS)
    reason = job.get("FailureReason", "")
    log.info("%s -> %s", case, " ".join(reason.split()))
    assert job["TrainingJobStatus"] == "Failed"
    assert reason.startswith(f"ClientError: {TABLE[case].told}"), reason
    assert reason.endswith(", exit code: 2"), reason
    assert f"Customer Error: {TABLE[case].told.partition(chr(10))[0]}" in "\n".join(
        emulator.output(jobs[case])
    )
    assert_gone(emulator, jobs[case])


def test_what_is_nobodys_mistake_is_an_algorithm_error(emulator: Emulator) -> None:
    bucket, told = emulator.bucket(), "OSError: /etc/passwd: invalid ELF header"
    put(emulator, bucket, objects(bucket))
    name = submit(emulator, bucket, Mistake(""), MXNET_LIBRARY_PATH="/etc/passwd")
    job = emulator.ended(name, within=WITHIN_SECONDS)
    assert job["FailureReason"] == f"AlgorithmError: {told}, exit code: 1"
    output = "\n".join(emulator.output(name))
    assert "Traceback (most recent call last):" in output
    assert f"Algorithm Error: {told}" in output
    assert_gone(emulator, name)

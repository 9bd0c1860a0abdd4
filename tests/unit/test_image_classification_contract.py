"""What the image-classification algorithm is told and tells: hyperparameters and the log."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from image_classification_package import FOLDER, Load, imported

REQUIRED = {"num_classes": "4", "num_training_samples": "100"}
COUNT = "expects an integer between 1 and 2147483647"
SHARE = "expects a number between 0 and 1"
SWITCH = "accepts one of the following: '0', '1'"

# Of each hyperparameter: its default, good values as a job gives them and as they are taken, values
# that are refused, and how the refusal goes on.
TABLE: dict[str, tuple[Any, dict[str, Any], list[str], str]] = {
    "num_classes": (4, {"1": 1, "1000.0": 1000}, ["0", "-1", "1.5", "many", "", "1e3", "٣"], COUNT),
    "num_training_samples": (100, {"32": 32}, ["0", "99999999999", "nan"], COUNT),
    "augmentation_type": (
        None,
        {"crop": "crop", '"crop_color"': "crop_color", "None": None},
        ["flip", "Crop", "0"],
        "accepts one of the following: 'crop', 'crop_color', 'crop_color_transform'",
    ),
    "beta_1": (0.9, {"0": 0.0, "1": 1.0}, ["-0.1", "1.1", "nan", "inf", "", "1_0"], SHARE),
    "beta_2": (0.999, {"0.5": 0.5}, ["2", "x"], SHARE),
    "checkpoint_frequency": (None, {"1": 1, "30": 30, "": None}, ["0", "a"], COUNT),
    "early_stopping": (
        False,
        {"True": True, "false": False, "1": True},
        ["yes", "2", ""],
        "accepts one of the following: 'True', 'False'",
    ),
    "early_stopping_min_epochs": (10, {"1": 1}, ["0"], COUNT),
    "early_stopping_patience": (5, {"1": 1}, ["-3"], COUNT),
    "early_stopping_tolerance": (0.0, {"1": 1.0, "0.0": 0.0}, ["1.01"], SHARE),
    "epochs": (30, {"1": 1}, ["0", "None"], COUNT),
    "eps": (1e-8, {"1e-07": 1e-7, "1": 1.0}, ["-1e-8", "1e"], SHARE),
    "gamma": (0.9, {".5": 0.5}, ["1.5"], SHARE),
    "image_shape": (
        (3, 224, 224),
        {"3,405,720": (3, 405, 720), "1, 300, 300": (1, 300, 300), "(3,224,224)": (3, 224, 224)},
        ["224", "3,224", "4,224,224", "3,0,224", "3,224,9000", "3,a,b", "3,224,224,1", "3,-1,5"],
        "expects channels (1 or 3), height and width (1 to 8192 pixels), for example '3,224,224'",
    ),
    "kv_store": (
        None,
        {"dist_sync": "dist_sync", "dist_async": "dist_async"},
        ["device", "dist"],
        "accepts one of the following: 'dist_sync', 'dist_async'",
    ),
    "learning_rate": (0.1, {"1e-3": 0.001, "0": 0.0, "1": 1.0}, ["1.0001", "fast"], SHARE),
    "lr_scheduler_factor": (0.1, {"0.5": 0.5}, ["10"], SHARE),
    "lr_scheduler_step": (
        (),
        {"10": (10,), "10, 20": (10, 20), '"5,6"': (5, 6), "[1,2]": (1, 2), "": ()},
        ["20,10", "0,5", "5,5", "1.5", "10;20", "-1", "9999999999"],
        "expects ascending epochs, for example '10,20'",
    ),
    "mini_batch_size": (32, {"1": 1, "100": 100}, ["0", "x"], COUNT),
    "momentum": (0.9, {"0": 0.0}, ["-1"], SHARE),
    "multi_label": (False, {"1": True, "0": False, "true": True}, ["2", "many"], SWITCH),
    "num_layers": (
        152,
        {"18": 18, "200": 200},
        ["19", "0", "fifty"],
        "accepts one of the following: '18', '34', '50', '101', '152', '200', '20', '32', '44', "
        "'56', '110'",
    ),
    "optimizer": (
        "sgd",
        {"nag": "nag", '"adam"': "adam"},
        ["Adam", "adagrad"],
        "accepts one of the following: 'sgd', 'adam', 'rmsprop', 'nag'",
    ),
    "precision_dtype": (
        "float32",
        {"float16": "float16"},
        ["float64"],
        "accepts one of the following: 'float32', 'float16'",
    ),
    "resize": (None, {"256": 256, "None": None}, ["0", "big"], COUNT),
    "top_k": (
        None,
        {"2": 2, "4": 4},
        ["1", "0"],
        "expects an integer between 2 and 2147483647",
    ),
    "use_pretrained_model": (False, {"1": True}, ["-1"], SWITCH),
    "use_weighted_loss": (False, {"0": False}, ["maybe"], SWITCH),
    "weight_decay": (0.0001, {"0.0": 0.0}, ["1.5"], SHARE),
}
TOGETHER = [
    (
        {"num_layers": "20", "image_shape": "3,33,32"},
        "num_layers 20 is for images of at most 32 pixels a side, but image_shape is 3,33,32: "
        "num_layers must be one of 18, 34, 50, 101, 152, 200.",
    ),
    (
        {"use_pretrained_model": "1", "num_layers": "20", "image_shape": "3,28,28"},
        "use_pretrained_model is 1, but num_layers is 20: pretrained networks have num_layers 18, "
        "34, 50, 101, 152, 200.",
    ),
    (
        {"use_pretrained_model": "1", "image_shape": "3,64,64"},
        "use_pretrained_model is 1, but image_shape is 3,64,64: pretrained networks have "
        "image_shape 3,224,224.",
    ),
    (
        {"checkpoint_frequency": "6", "epochs": "5"},
        "checkpoint_frequency (6) must not be larger than epochs (5).",
    ),
    ({"top_k": "5"}, "top_k (5) must not be larger than num_classes (4)."),
    (
        {"use_weighted_loss": "1"},
        "use_weighted_loss is 1, but multi_label is 0: the loss is weighted for multi-label data "
        "only.",
    ),
    (
        {"resize": "223"},
        "resize (223) must not be smaller than the height and the width of image_shape "
        "(3,224,224).",
    ),
    (
        {"mini_batch_size": "101"},
        "The number of input images must be bigger or equal to the mini_batch_size. "
        "num_training_samples is 100, mini_batch_size is 101.",
    ),
]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    yield from imported(monkeypatch)


def refused(load: Load, **values: str) -> str:
    """Return the message that refuses these hyperparameters."""
    with pytest.raises(load("errors").CustomerError) as caught:
        load("hyperparameters").parse({**REQUIRED, **values})
    return str(caught.value)


# Hyperparameters.


def test_the_table_has_every_hyperparameter(load: Load) -> None:
    assert asdict(load("hyperparameters").parse(REQUIRED)).keys() == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_hyperparameter_has_its_default_its_values_and_its_refusals(
    load: Load, name: str
) -> None:
    parse = load("hyperparameters").parse
    default, good, bad, wants = TABLE[name]
    assert getattr(parse(REQUIRED), name) == default
    roomy = {**REQUIRED, "mini_batch_size": "1"}
    for text, value in good.items():
        found = getattr(parse({**roomy, name: text}), name)
        assert found == value, text
        assert type(found) is type(value)
    for text in bad:
        assert refused(load, **{name: text}) == (
            f"The value '{text}' is not valid for the '{name}' hyperparameter which {wants} "
            "(caused by ValidationError)"
        )


def test_a_long_value_does_not_hide_what_it_is_of(load: Load) -> None:
    message = refused(load, epochs="9" * 2500)
    assert message.startswith(f"The value '{'9' * 100}...' is not valid for the 'epochs'")
    assert len(message) < 300


@pytest.mark.parametrize("values, message", TOGETHER, ids=[next(iter(row[0])) for row in TOGETHER])
def test_values_that_do_not_go_together_are_refused(
    load: Load, values: dict[str, str], message: str
) -> None:
    assert refused(load, **values) == message


@pytest.mark.parametrize("missing", [["num_classes"], ["num_training_samples"], list(REQUIRED)])
def test_missing_hyperparameters_are_named(load: Load, missing: list[str]) -> None:
    given = {name: value for name, value in REQUIRED.items() if name not in missing}
    names = ", ".join(f"'{name}'" for name in missing)
    with pytest.raises(load("errors").CustomerError) as caught:
        load("hyperparameters").parse(given)
    assert str(caught.value) == (
        f"No value(s) were specified for {names} which are required hyperparameter(s) (caused by "
        "ValidationError)"
    )


def test_unknown_hyperparameters_are_named(load: Load) -> None:
    assert refused(load, epoch="3") == (
        "Additional hyperparameters are not allowed ('epoch' was unexpected) (caused by "
        "ValidationError)"
    )
    assert refused(load, b="1", a="2").startswith(
        "Additional hyperparameters are not allowed ('a', 'b' were unexpected)"
    )


def test_hyperparameters_of_the_platform_pass(load: Load) -> None:
    tuned = {**REQUIRED, "_tuning_objective_metric": "validation:accuracy", "_kvstore": "x"}
    assert load("hyperparameters").parse(tuned).num_classes == 4


def test_the_defaults_are_those_that_the_log_shows(load: Load) -> None:
    shown = json.loads((FOLDER / "image_classification" / "default-input.json").read_text())
    # Amazon's file says 0 and its algorithm trains by 0.9: the log shows what theirs does.
    assert shown.pop("momentum") == 0
    parse = load("hyperparameters").parse
    given = {name: str(value) for name, value in shown.items()}
    assert parse({**REQUIRED, **given}) == parse(REQUIRED)


def test_what_is_hardly_meant_is_said(load: Load) -> None:
    hyperparameters = load("hyperparameters")
    configuration = hyperparameters.parse(
        {**REQUIRED, "image_shape": "3,8,8", "epochs": "3", "lr_scheduler_step": "2,3,5"}
    )
    assert hyperparameters.doubts(configuration) == [
        "num_layers 152 is meant for larger images than 3,8,8.",
        "lr_scheduler_step 3,5 never comes: training ends after epochs 3.",
    ]
    assert not hyperparameters.doubts(hyperparameters.parse(REQUIRED))


# The log.

PREFIX = re.compile(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d (INFO|WARNING|ERROR) \d+\] ")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was written, without prefixes."""
    written = capsys.readouterr().out.splitlines()
    assert all(PREFIX.match(line) for line in written)
    return [PREFIX.sub("", line) for line in written]


def test_the_first_line_has_no_prefix(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    load("narration").entered()
    assert capsys.readouterr().out == "Docker entrypoint called with argument(s): train\n"


def test_a_line_begins_with_time_level_and_thread(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    load("narration").say("a\tb", level="WARNING")
    written = capsys.readouterr().out
    assert PREFIX.match(written)
    assert re.search(r" WARNING \d+\] a#011b\n$", written)


def test_settings_are_shown_as_they_are_merged(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    load("narration").configured(
        Path("/d.json"), {"epochs": 30, "eps": 1e-8}, Path("/h.json"), {"epochs": "2"}
    )
    assert lines(capsys) == [
        "Reading default configuration from /d.json: {'epochs': 30, 'eps': 1e-08}",
        "Merging with provided configuration from /h.json: {'epochs': '2'}",
        "Final configuration: {'epochs': '2', 'eps': 1e-08}",
    ]


# As Amazon's algorithm wrote it for a job with these hyperparameters.
BLOCK = """\
use_pretrained_model: 1
multi_label: 0
Using pretrained model for initializing weights and transfer learning.
---- Parameters ----
num_layers: 18
data type: <class 'numpy.float32'>
epochs: 10
image resize size: 224
optimizer: sgd
momentum: 0.9
weight_decay: 0.0001
learning_rate: 0.01
num_training_samples: 606
mini_batch_size: 128
image_shape: 3,224,224
num_classes: 10
augmentation_type: None
kv_store: device
top_k: 2
checkpoint_frequency not set, will store the best model
--------------------
Setting number of threads: 3"""


def test_the_parameters_are_listed_in_order(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    narration = load("narration")
    configuration = load("hyperparameters").parse(
        {
            "learning_rate": "0.01",
            "top_k": "2",
            "use_pretrained_model": "1",
            "epochs": "10",
            "num_training_samples": "606",
            "num_layers": "18",
            "num_classes": "10",
            "mini_batch_size": "128",
            "precision_dtype": "float32",
            "resize": "224",
            "image_shape": "3,224,224",
        }
    )
    narration.start(configuration, incremental=True)
    narration.parameters(configuration, several_hosts=False)
    narration.threads(3)
    assert lines(capsys) == BLOCK.splitlines()


@pytest.mark.parametrize(
    "values, several_hosts, expected",
    [
        ({"optimizer": "adam"}, False, ["optimizer: adam", "beta_1: 0.9", "beta_2: 0.999"]),
        ({"optimizer": "rmsprop"}, False, ["optimizer: rmsprop", "gamma: 0.9", "eps: 1e-08"]),
        ({}, True, ["augmentation_type: None", "kv_store: dist_sync"]),
        ({"kv_store": "dist_async"}, True, ["augmentation_type: None", "kv_store: dist_async"]),
        ({"kv_store": "dist_sync"}, False, ["augmentation_type: None", "kv_store: device"]),
        ({"checkpoint_frequency": "2"}, False, ["checkpoint_frequency: 2", "-" * 20]),
        (
            {"lr_scheduler_step": "10,20"},
            False,
            ["lr_scheduler_step: 10,20", "lr_scheduler_factor: 0.1"],
        ),
    ],
)
def test_the_parameters_tell_what_was_chosen(
    load: Load,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, str],
    several_hosts: bool,
    expected: list[str],
) -> None:
    configuration = load("hyperparameters").parse({**REQUIRED, **values})
    load("narration").parameters(configuration, several_hosts=several_hosts)
    found = lines(capsys)
    begin = found.index(expected[0])
    assert found[begin : begin + len(expected)] == expected


def test_incremental_training_is_told(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = load("hyperparameters").parse({**REQUIRED, "multi_label": "1"})
    load("narration").start(configuration, incremental=True)
    assert lines(capsys) == [
        "use_pretrained_model: 0",
        "multi_label: 1",
        "Using the model of the channel model for incremental training.",
    ]


def test_epochs_are_told_in_lines_that_metric_definitions_match(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    narration = load("narration")
    metrics = [("accuracy", 0.1503906), ("top_k_accuracy_2", 0.2734375)]
    narration.searching(".rec", Path("/opt/ml/input/data/train"))
    narration.packing("cars.lst")
    narration.packed()
    narration.speed(0, 20, 191.4058, [("accuracy", 0.9761904)])
    narration.trained(0, metrics, 8.0951)
    narration.validated(3, metrics[:1])
    narration.storing_best(0.2539062)
    narration.saved(Path("/opt/ml/model/image-classification-0001.params"))
    narration.customer_error("a")
    narration.algorithm_error("b")
    assert lines(capsys) == [
        "Searching for .rec files in /opt/ml/input/data/train.",
        "Creating record files for cars.lst",
        "Done creating record files...",
        "Epoch[0] Batch [20]#011Speed: 191.406 samples/sec#011accuracy=0.976190",
        "Epoch[0] Train-accuracy=0.150391",
        "Epoch[0] Train-top_k_accuracy_2=0.273438",
        "Epoch[0] Time cost=8.095",
        "Epoch[3] Validation-accuracy=0.150391",
        "Storing the best model with validation accuracy: 0.253906",
        'Saved checkpoint to "/opt/ml/model/image-classification-0001.params"',
        "Customer Error: a",
        "Algorithm Error: b",
    ]

"""image-classification learns handwritten digits, in all the ways in which a job can ask for it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest
from image_classification_jobs import (
    completed,
    digits,
    history,
    learn,
    parameters,
    records,
    several_labels,
)
from image_containers import DEADLINE_SECONDS, SCRIPTS, started
from running_emulator import Emulator, eventually
from training_data import assert_gone, model, put

pytestmark = pytest.mark.docker

TRAINED, FEW, TESTED = 600, 60, 180
PREFIX = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d (INFO|WARNING) \d+\] "


@pytest.fixture(scope="module")
def data(emulator: Emulator) -> dict[str, str]:
    """Put the digits into S3; returns the URIs."""
    images, classes = digits()
    labels = several_labels(classes)
    test = slice(TRAINED, TRAINED + TESTED)
    files = {
        "train": records(images[:TRAINED], classes[:TRAINED]),
        "few": records(images[:FEW], classes[:FEW]),
        "torn": records([*images[: FEW - 1], images[FEW][:40]], classes[:FEW]),
        "validation": records(images[test], classes[test]),
        "many-train": records(images[:TRAINED], labels[:TRAINED]),
        "many-validation": records(images[test], labels[test]),
    }
    bucket = emulator.bucket()
    put(emulator, bucket, {f"{name}/{name}.rec": body for name, body in files.items()})
    return {name: f"s3://{bucket}/{name}/" for name in files}


class Learned:
    """A job that has ended well: what describes it, its log, and its model."""

    def __init__(self, emulator: Emulator, name: str, bucket: str) -> None:
        self.job = completed(emulator, name)
        self.lines = emulator.output(name)
        self.files = model(emulator, bucket, name)
        self.artifact = self.job["ModelArtifacts"]["S3ModelArtifacts"]
        self.metrics = {
            each["MetricName"]: each["Value"] for each in self.job["FinalMetricDataList"]
        }


@pytest.fixture(scope="module")
def learned(emulator: Emulator, data: dict[str, str]) -> Learned:
    """Train once on all digits, at a rate that falls in the end."""
    settings = {"epochs": 4, "lr_scheduler_step": "3", "top_k": 3, "precision_dtype": "float16"}
    names = learn(
        emulator,
        data["train"],
        data["validation"],
        num_training_samples=TRAINED,
        **settings,
    )
    return Learned(emulator, *names)


def write_validation(root: Path) -> None:
    """Write the validation data, for MXNet to test models on it."""
    images, classes = digits()
    test = slice(TRAINED, TRAINED + TESTED)
    (root / "validation.rec").write_bytes(records(images[test], classes[test]))


def checked(client: docker.DockerClient, root: Path, models: Mapping[str, Learned]) -> Any:
    """Return what MXNet itself finds of models: for each epoch of each accuracy and weights."""
    for name, found in models.items():
        (root / name).mkdir()
        for file, content in found.files.items():
            assert content is not None
            (root / name / file).write_bytes(content)
    script = "image_classification_check.py"
    (root / script).write_bytes((SCRIPTS / script).read_bytes())
    single = {"OMP_NUM_THREADS": "1"}
    command = f"python /opt/ml/{script} /opt/ml/report.json"
    with started(client, "image-classification:1", command, root, environment=single) as container:
        code = container.wait(timeout=DEADLINE_SECONDS)["StatusCode"]
        assert code == 0, container.logs().decode()
    return json.loads((root / "report.json").read_text())


def test_digits_are_learned_and_the_best_epoch_is_kept(
    learned: Learned, client: docker.DockerClient, tmp_path: Path
) -> None:
    accuracies = history(learned.lines, "Validation")
    assert len(accuracies) == 4
    assert max(accuracies) >= 0.9
    best = accuracies.index(max(accuracies)) + 1
    assert sorted(learned.files) == [
        "hyperparams.json",
        f"image-classification-{best:04d}.params",
        "image-classification-symbol.json",
        "model-shapes.json",
    ]
    # MXNet loads the model, and finds what the log says of it.
    write_validation(tmp_path)
    report = checked(client, tmp_path, {"learned": learned})
    found = report["learned"][f"{best:04d}"]["accuracy"]
    assert found == pytest.approx(max(accuracies), abs=1e-6)


def test_each_epoch_has_its_lines_in_their_order(learned: Learned) -> None:
    assert any(
        re.fullmatch(PREFIX + "precision_dtype is float16, .* training in float32.", line)
        for line in learned.lines
    )
    begin = next(n for n, line in enumerate(learned.lines) if "Setting number of threads" in line)
    lines = [line for line in learned.lines[begin + 1 :] if " WARNING " not in line]
    best = 0.0
    for epoch in range(4):
        kinds = [r"Train-accuracy=", r"Train-top_k_accuracy_3="]
        expected = [f"Epoch\\[{epoch}\\] {kind}\\d\\.\\d{{6}}" for kind in kinds]
        expected += [f"Epoch\\[{epoch}\\] Time cost=\\d+\\.\\d{{3}}"]
        expected += [line.replace("Train", "Validation") for line in expected[:2]]
        accuracy = history(learned.lines, "Validation")[epoch]
        if accuracy > best:
            best = accuracy
            file = f"/opt/ml/model/image-classification-{epoch + 1:04d}.params"
            expected += [f"Storing the best model with validation accuracy: {accuracy:.6f}"]
            expected += [f'Saved checkpoint to "{re.escape(file)}"']
        for pattern in expected:
            assert re.fullmatch(PREFIX + pattern, lines.pop(0)), pattern
    assert not lines


def test_top_k_accuracy_is_never_below_accuracy(learned: Learned) -> None:
    for kind in ("Train", "Validation"):
        first = history(learned.lines, kind)
        among = history(learned.lines, kind, "top_k_accuracy_3")
        assert all(one <= three <= 1 for one, three in zip(first, among, strict=True))
        assert sum(first) < sum(among)


def test_sagemaker_has_the_metrics_of_the_log(emulator: Emulator, learned: Learned) -> None:
    expected = {
        "train:accuracy": history(learned.lines, "Train"),
        "validation:accuracy": history(learned.lines, "Validation"),
    }
    for name, values in expected.items():
        assert learned.metrics[name] == pytest.approx(values[-1], abs=1e-6)
    listed = emulator.client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/TrainingJobs")
    assert set(expected) <= {metric["MetricName"] for metric in listed["Metrics"]}


def test_speed_is_told_every_twenty_batches(emulator: Emulator, data: dict[str, str]) -> None:
    names = learn(
        emulator,
        data["train"],
        data["few"],
        epochs=1,
        mini_batch_size=12,
        num_training_samples=TRAINED,
    )
    lines = Learned(emulator, *names).lines
    pattern = r"Epoch\[0\] Batch \[(\d+)\]#011Speed: \d+\.\d{3} samples/sec#011accuracy=\d\.\d{6}"
    found = [match[2] for line in lines if (match := re.fullmatch(PREFIX + pattern, line))]
    assert found == ["20", "40"]


def test_with_a_checkpoint_frequency_all_its_epochs_are_kept(
    emulator: Emulator, data: dict[str, str], client: docker.DockerClient, tmp_path: Path
) -> None:
    # No rate is left after two epochs of 60 examples: the third changes no weight.
    schedule = {"lr_scheduler_step": "2", "lr_scheduler_factor": 0, "momentum": 0}
    names = learn(
        emulator,
        data["few"],
        data["validation"],
        optimizer="sgd",
        epochs=3,
        checkpoint_frequency=1,
        num_training_samples=FEW,
        **schedule,
    )
    frequent = Learned(emulator, *names)
    assert parameters(frequent.files) == ["0001", "0002", "0003"]
    assert not any("Storing the best model" in line for line in frequent.lines)
    write_validation(tmp_path)
    report = checked(client, tmp_path, {"frequent": frequent})["frequent"]
    weights = [report[number]["weights"] for number in ("0001", "0002", "0003")]
    assert weights[0] != weights[1] == weights[2]
    accuracies = history(frequent.lines, "Validation")
    found = [report[number]["accuracy"] for number in ("0001", "0002", "0003")]
    assert found == pytest.approx(accuracies, abs=1e-6)


def test_training_stops_early_when_it_gets_no_better(
    emulator: Emulator, data: dict[str, str]
) -> None:
    # Better means twice as good, which is over from a half on.
    names = learn(
        emulator,
        data["few"],
        data["few"],
        epochs=40,
        num_training_samples=FEW,
        early_stopping=True,
        early_stopping_min_epochs=3,
        early_stopping_patience=2,
        early_stopping_tolerance=1.0,
    )
    lines = Learned(emulator, *names).lines
    accuracies = history(lines, "Validation")
    assert 3 <= len(accuracies) < 40
    best, waited = accuracies[0], 0
    for epoch, accuracy in enumerate(accuracies[1:], start=2):
        doubled = accuracy > best and accuracy >= 2 * best
        best, waited = (accuracy, 0) if doubled else (best, waited + 1)
        assert (epoch >= 3 and waited >= 2) == (epoch == len(accuracies)), accuracies


@pytest.mark.parametrize("weighted", [0, 1])
def test_several_labels_of_a_picture_are_learned(
    emulator: Emulator, data: dict[str, str], weighted: int
) -> None:
    names = learn(
        emulator,
        data["many-train"],
        data["many-validation"],
        num_classes=4,
        multi_label=1,
        use_weighted_loss=weighted,
        epochs=4,
        lr_scheduler_step=3,
        num_training_samples=TRAINED,
    )
    many = Learned(emulator, *names)
    _, classes = digits()
    labels = several_labels(classes[TRAINED : TRAINED + TESTED])
    guessed = np.maximum(labels.mean(axis=0), 1 - labels.mean(axis=0)).mean()
    assert max(history(many.lines, "Validation")) >= 0.9 > guessed + 0.1
    symbol = json.loads(many.files["image-classification-symbol.json"] or "")
    [output] = symbol["heads"]
    assert symbol["nodes"][output[0]]["op"] == "LogisticRegressionOutput"


def test_incremental_training_goes_on_where_the_model_is(
    emulator: Emulator, data: dict[str, str], learned: Learned
) -> None:
    names = learn(
        emulator,
        data["few"],
        data["validation"],
        model=learned.artifact,
        epochs=1,
        learning_rate=0.00001,
        num_training_samples=FEW,
    )
    [accuracy] = history(Learned(emulator, *names).lines, "Validation")
    assert accuracy >= max(history(learned.lines, "Validation")) - 0.05


def test_incremental_training_of_another_network_is_refused(
    emulator: Emulator, data: dict[str, str], learned: Learned
) -> None:
    name, _ = learn(
        emulator,
        data["few"],
        data["validation"],
        model=learned.artifact,
        num_layers=32,
        num_training_samples=FEW,
    )
    job = emulator.ended(name)
    assert job["FailureReason"] == (
        "ClientError: The model in the channel model was trained with num_layers 20, but "
        "num_layers is 32: incremental training needs the same., exit code: 2"
    )
    assert_gone(emulator, name)


@pytest.mark.slow
def test_a_pretrained_network_keeps_all_but_its_last_layer(
    emulator: Emulator, client: docker.DockerClient, tmp_path: Path
) -> None:
    images, classes = digits(8, side=224)
    eight = records(images, classes % 2)
    bucket = emulator.bucket()
    put(emulator, bucket, {"data/eight.rec": eight})
    data = f"s3://{bucket}/data/"
    large = {"num_layers": 18, "image_shape": "3,224,224", "mini_batch_size": 4, "epochs": 1}
    names = learn(emulator, data, data, num_training_samples=8, num_classes=7, **large)
    first = Learned(emulator, *names)
    # As the published models' files are called; nothing is learned at a rate of 0.
    [weights] = [body for file, body in first.files.items() if file.endswith(".params") and body]
    put(emulator, bucket, {"pretrained/resnet-18-0000.params": weights})
    names = learn(
        emulator,
        data,
        data,
        model=f"s3://{bucket}/pretrained/",
        num_training_samples=8,
        num_classes=2,
        use_pretrained_model=1,
        learning_rate=0,
        **large,
    )
    second = Learned(emulator, *names)
    sentence = "Using pretrained model for initializing weights and transfer learning."
    assert any(line.endswith(sentence) for line in second.lines)
    report = checked(client, tmp_path, {"first": first, "second": second})
    before, after = (report[name]["0001"]["weights"] for name in ("first", "second"))
    assert {name for name in before if before[name] != after[name]} == {"fc1_weight", "fc1_bias"}


@pytest.mark.parametrize("store", ["dist_sync", "dist_async"])
def test_two_hosts_train_one_model(emulator: Emulator, data: dict[str, str], store: str) -> None:
    names = learn(
        emulator,
        data["train"],
        data["validation"],
        hosts=2,
        kv_store=store,
        epochs=4,
        lr_scheduler_step=3,
        num_training_samples=TRAINED,
    )
    Learned(emulator, *names)
    first, second = (
        emulator.log_lines("/aws/sagemaker/TrainingJobs", f"{names[0]}/{host}-")
        for host in ("algo-1", "algo-2")
    )
    assert max(history(first, "Validation")) >= 0.8
    assert len(history(first, "Train")) == len(history(second, "Train")) == 4
    # The first host alone judges and writes the model.
    assert not [line for line in second if "Validation" in line or "checkpoint to" in line]
    assert_gone(emulator, names[0])


def test_a_host_that_fails_while_it_trains_ends_the_job(
    emulator: Emulator, data: dict[str, str]
) -> None:
    name, _ = learn(
        emulator, data["torn"], data["validation"], hosts=2, num_training_samples=FEW, epochs=500
    )
    job = emulator.ended(name)
    assert job["TrainingJobStatus"] == "Failed"
    assert re.fullmatch(
        f"ClientError: Image {FEW - 1} of torn.rec is not a picture.*, exit code: 2",
        job["FailureReason"],
    )
    assert_gone(emulator, name)


def test_a_pipe_teaches_as_a_file_does(
    emulator: Emulator, data: dict[str, str], learned: Learned
) -> None:
    names = learn(
        emulator,
        data["train"],
        data["validation"],
        mode="Pipe",
        epochs=4,
        lr_scheduler_step=3,
        num_training_samples=TRAINED,
    )
    piped = history(Learned(emulator, *names).lines, "Validation")
    assert len(piped) == 4
    assert max(piped) >= max(history(learned.lines, "Validation")) - 0.04


def test_a_stopped_job_leaves_the_best_model_so_far(
    emulator: Emulator, data: dict[str, str]
) -> None:
    name, bucket = learn(emulator, data["few"], data["few"], epochs=5000, num_training_samples=FEW)
    eventually(
        lambda: any("Saved checkpoint" in line for line in emulator.output(name)),
        what="an epoch is over",
    )
    emulator.client("sagemaker").stop_training_job(TrainingJobName=name)
    assert emulator.ended(name)["TrainingJobStatus"] == "Stopped"
    files = model(emulator, bucket, name)
    saved = [line for line in emulator.output(name) if "Saved checkpoint" in line]
    assert len(parameters(files)) == 1
    assert int(parameters(files)[0]) >= int(saved[-1].rpartition("-")[2][:4])
    assert not [file for file in files if file.startswith(".")]
    assert_gone(emulator, name)

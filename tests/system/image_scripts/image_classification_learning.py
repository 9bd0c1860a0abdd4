"""Checks what the algorithm learns with: networks, weights to start from, and how it counts."""

import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import mxnet as mx
import numpy as np
from checks import check, run
from image_classification import (
    accuracy,
    checkpoints,
    cluster,
    fitting,
    hyperparameters,
    network,
    pretrained,
    sources,
)
from image_classification.channels import Channel
from image_classification.errors import CustomerError

Content = Mapping[str, bytes]


def configured(**values: object) -> hyperparameters.Configuration:
    raw = {"num_classes": 5, "num_training_samples": 8, "image_shape": "3,16,16"}
    raw |= {"num_layers": 20, "mini_batch_size": 4} | values
    return hyperparameters.parse({name: str(value) for name, value in raw.items()})


def symbol(configuration: hyperparameters.Configuration) -> mx.sym.Symbol:
    return network.symbol(
        configuration.num_layers,
        configuration.image_shape,
        configuration.num_classes,
        configuration.multi_label,
    )


def artifact(**values: object) -> dict[str, bytes]:
    """Return the files of a model of random weights."""
    configuration = configured(**values)
    module = mx.mod.Module(symbol(configuration))
    module.bind([("data", (1, *configuration.image_shape))], [("softmax_label", (1,))])
    module.init_params(mx.init.Xavier())
    folder = Path(tempfile.mkdtemp())
    saved = checkpoints.Checkpoints(folder, symbol(configuration), configuration)
    saved.save(6, *module.get_params(), alone=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def packed(files: Content) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def channel(files: Content) -> Channel:
    """Return a channel `model` with these files."""
    folder = Path(tempfile.mkdtemp()) / "model"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Channel(
        "model", "application/x-sagemaker-model", "multi-hot", "File", "None", folder, ()
    )


def weights(files: Content, **values: object) -> pretrained.Weights | None:
    configuration = configured(**values)
    return pretrained.weights(configuration, channel(files), symbol(configuration))


def refusal(run: Callable[[], object]) -> str:
    try:
        run()
    except CustomerError as error:
        return str(error)
    raise AssertionError("it was accepted")


class Labelled:
    """A source of examples that are labels alone."""

    def __init__(self, labels: np.ndarray) -> None:
        self.count, self._labels, self.epochs = len(labels), labels, list[int]()

    def epoch(self, number: int) -> Iterator[sources.Example]:
        self.epochs.append(number)
        for label in self._labels:
            yield sources.Example(b"", label)


def training(source: Labelled, **values: object) -> fitting._Training:
    team = cluster.Team(cluster.Hosts("algo-1", ("algo-1",)))
    return fitting._Training(configured(**values), source, source, None, team)


@check
def networks_are_as_deep_as_they_are_called() -> None:
    parameters = {18: 11_691_950, 34: 21_800_110, 50: 25_549_486, 101: 44_541_614}
    parameters |= {152: 60_185_262, 200: 64_666_286}
    for layers in (18, 34, 50, 101, 152, 200, 20, 32, 44, 56, 110):
        side = 224 if layers in parameters else 32
        built = network.symbol(layers, (3, side, side), 1000, False)
        shapes, outputs, _ = built.infer_shape(data=(2, 3, side, side))
        sizes = dict(zip(built.list_arguments(), map(np.prod, shapes), strict=True))
        deep = [name for name in sizes if name.endswith("_weight") and "_sc_" not in name]
        assert len(deep) == layers, layers
        assert outputs == [(2, 1000)]
        assert network.depth(sizes) == layers
        learned = sum(sizes.values()) - sizes["data"] - sizes["softmax_label"]
        assert learned == parameters.get(layers, learned), (layers, learned)


@check
def small_pictures_keep_their_size_in_the_first_layer() -> None:
    for side, first, last in ((28, 28, 7), (32, 32, 8), (33, 17, 3)):
        inner = network.symbol(20, (3, side, side), 10, False).get_internals()
        for name, expected in (("conv0_output", first), ("relu1_output", last)):
            _, [shape], _ = inner[name].infer_shape(data=(1, 3, side, side))
            assert shape[2:] == (expected, expected), (side, name, shape)


@check
def layers_are_called_as_in_the_published_models() -> None:
    built = network.symbol(50, (3, 224, 224), 1000, False)
    names = set(built.list_arguments() + built.list_auxiliary_states())
    assert names > {
        *("data", "softmax_label", "conv0_weight", "fc1_weight", "fc1_bias"),
        *("bn_data_gamma", "bn_data_beta", "bn_data_moving_mean", "bn0_moving_var", "bn1_gamma"),
        *("stage1_unit1_bn1_gamma", "stage1_unit1_conv1_weight", "stage1_unit1_sc_weight"),
        *("stage4_unit3_bn3_moving_var", "stage4_unit3_conv3_weight"),
    }
    assert "stage1_unit2_sc_weight" not in names
    assert {"flatten0_output", "pool1_output", "relu1_output", "softmax_output"} < set(
        built.get_internals().list_outputs()
    )


@check
def a_loss_with_equal_weights_is_the_plain_one() -> None:
    score, label = np.random.randn(4, 3), np.random.rand(4, 3) > 0.5
    gradients = []
    plain = mx.sym.LogisticRegressionOutput(mx.sym.Variable("score"), name="softmax")
    for built in (plain, network.weighted(mx.sym.Variable("score"), 3)):
        given = {"score": score, "softmax_label": label, "label_weights": np.ones((4, 3))}
        arrays = {name: mx.nd.array(given[name]) for name in built.list_arguments()}
        slopes = {"score": mx.nd.zeros((4, 3))}
        run = built.bind(mx.cpu(), arrays, args_grad=slopes)
        run.forward(is_train=True)
        run.backward()
        np.testing.assert_allclose(run.outputs[0].asnumpy(), 1 / (1 + np.exp(-score)), rtol=1e-5)
        gradients.append(slopes["score"].asnumpy())
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)
    assert np.abs(gradients[0]).max() > 0.01


@check
def labels_weigh_their_absences_for_each_presence() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], np.float32)
    source = Labelled(labels)
    built = training(source, num_classes=3, multi_label=1, use_weighted_loss=1)
    np.testing.assert_allclose(built._label_weights, [0.25, 3, 4])
    # A stream can't be read twice: what was counted is not trained on.
    assert (source.epochs, built._counted_epochs) == ([0], 1)


@check
def accuracy_is_counted_as_mxnet_does() -> None:
    rows = np.random.RandomState(0)
    counted = accuracy.Tally(multi_label=False, top_k=3)
    theirs = mx.metric.create([mx.metric.Accuracy(), mx.metric.TopKAccuracy(top_k=3)])
    for _ in range(5):
        probabilities, label = rows.rand(40, 7), rows.randint(0, 7, 40).astype("float32")
        counted.add(probabilities, label)
        theirs.update([mx.nd.array(label)], [mx.nd.array(probabilities)])
    names, values = theirs.get()
    assert [name for name, _ in counted.shares()] == names == ["accuracy", "top_k_accuracy_3"]
    np.testing.assert_allclose([share for _, share in counted.shares()], values)


@check
def with_several_labels_each_class_is_right_or_wrong() -> None:
    counted = accuracy.Tally(multi_label=True, top_k=2)
    counted.add(np.array([[0.6, 0.4], [0.7, 0.1]]), np.array([[1, 1], [0, 0]]))
    assert counted.shares() == [("accuracy", 0.5)]
    assert counted.finite
    counted.add(np.array([[np.nan, 0.4]]), np.array([[1, 1]]))
    assert not counted.finite


@check
def hyperparameters_reach_the_optimizer() -> None:
    common = {"learning_rate": 0.03, "weight_decay": 0.002}
    named = {"momentum": 0.7, "beta_1": 0.6, "beta_2": 0.8, "gamma": 0.5, "eps": 1e-3}
    expected = {
        "sgd": {"momentum": 0.7},
        "nag": {"momentum": 0.7},
        "adam": {"beta1": 0.6, "beta2": 0.8, "epsilon": 1e-3},
        "rmsprop": {"gamma1": 0.5, "epsilon": 1e-3},
    }
    for optimizer, values in expected.items():
        configuration = configured(optimizer=optimizer, **common, **named)
        made = mx.optimizer.create(optimizer, **fitting._optimizer_parameters(configuration, 1))
        found = {name: getattr(made, name) for name in values}
        assert (made.lr, made.wd, found) == (0.03, 0.002, values), (optimizer, found)


@check
def the_learning_rate_falls_after_epochs() -> None:
    # The last batch of an epoch is not a full one.
    values = {"num_training_samples": 78, "mini_batch_size": 5, "learning_rate": 0.5}
    schedule = {"lr_scheduler_step": "2,3", "lr_scheduler_factor": 0.1}
    configuration = configured(**values, **schedule)
    # 16 batches on one host, 4 on each of four.
    for hosts, batches in ((1, 16), (4, 4)):
        made = mx.optimizer.create("sgd", **fitting._optimizer_parameters(configuration, hosts))
        rates = [made.lr_scheduler(update) for update in range(1, 4 * batches + 1)]
        expected = [0.5] * 2 * batches + [0.05] * batches + [0.005] * batches
        np.testing.assert_allclose(rates, expected)


@check
def training_stops_when_accuracy_gets_no_better() -> None:
    table = [
        # patience, minimum, tolerance, accuracies, how many epochs are trained
        (2, 1, 0.0, [0.5, 0.5, 0.5, 0.9], 3),
        (2, 1, 0.0, [0.5, 0.4, 0.6, 0.6, 0.5, 0.9], 5),
        (2, 5, 0.0, [0.5, 0.4, 0.4, 0.4, 0.4, 0.9], 5),
        (2, 1, 0.1, [0.5, 0.54, 0.54, 0.9], 3),
        (2, 1, 0.1, [0.5, 0.54, 0.56, 0.56], 4),
        (1, 1, 0.5, [0.0, 0.1, 0.1, 0.9], 3),
    ]
    for patience, minimum, tolerance, accuracies, trained in table:
        asked = {
            "early_stopping": True,
            "early_stopping_patience": patience,
            "early_stopping_min_epochs": minimum,
            "early_stopping_tolerance": tolerance,
        }
        for stops in (True, False):
            rule = fitting._EarlyStopping(configured(**{**asked, "early_stopping": stops}))
            due = [rule.due(epoch, value) for epoch, value in enumerate(accuracies)]
            ends = due.index(True) + 1 if True in due else len(accuracies)
            assert ends == (trained if stops else len(accuracies)), (accuracies, stops, due)


@check
def a_network_goes_on_from_an_earlier_one() -> None:
    files = artifact()
    for given in (files, {"model.tar.gz": packed(files)}):
        found = weights(given)
        assert found is not None
        assert "fc1_weight" in found.arguments
        built = symbol(configured())
        assert set(found.arguments) == set(built.list_arguments()) - {"data", "softmax_label"}
        assert set(found.statistics) == set(built.list_auxiliary_states())


@check
def a_pretrained_network_gets_a_new_last_layer() -> None:
    large = {"num_layers": 18, "image_shape": "3,224,224"}
    files = artifact(num_classes=7, **large)
    published = {"resnet-18-0000.params": files["image-classification-0007.params"]}
    values = {"use_pretrained_model": 1, **large}
    for given in (files, {"model.tar.gz": packed(files)}, published):
        found = weights(given, num_classes=3, **values)
        assert found is not None
        assert not {"fc1_weight", "fc1_bias"} & set(found.arguments)
        assert "conv0_weight" in found.arguments
    folder = pretrained.PRETRAINED_DIRECTORY = Path(tempfile.mkdtemp())
    configuration = configured(num_classes=3, **values)
    text = refusal(lambda: pretrained.weights(configuration, None, symbol(configuration)))
    assert f"have that file in the image as {folder}/resnet-18-0000.params" in text
    assert "in a channel named model" in text
    for name, content in published.items():
        (folder / name).write_bytes(content)
    assert pretrained.weights(configuration, None, symbol(configuration)) is not None


@check
def the_last_of_several_epochs_is_what_training_goes_on_from() -> None:
    files = artifact()
    last = files.pop("image-classification-0007.params")
    older = artifact()["image-classification-0007.params"]
    files |= {"image-classification-0009.params": older, "image-classification-0010.params": last}
    found = weights({"model.tar.gz": packed(files)})
    expected = mx.nd.load_frombuffer(last)["arg:conv0_weight"].asnumpy()
    assert found is not None
    assert np.array_equal(found.arguments["conv0_weight"].asnumpy(), expected)


@check
def weights_that_do_not_fit_are_refused_by_name() -> None:
    files = artifact()
    name = "image-classification-0007.params"
    broken = mx.nd.load_frombuffer(files[name])
    del broken["arg:stage2_unit1_conv1_weight"]
    lacking = Path(tempfile.mkdtemp()) / name
    mx.nd.save(str(lacking), broken)
    archive = packed(files)
    damaged = archive[:5000] + bytes(100) + archive[5100:]
    table = [
        (files, {"num_layers": 32}, "trained with num_layers 20, but num_layers is 32"),
        (files, {"num_classes": 6}, "trained with num_classes 5, but num_classes is 6"),
        (files, {"image_shape": "3,28,28"}, "image_shape 3,16,16, but image_shape is 3,28,28"),
        ({}, {}, "no file that ends in .params"),
        ({"model.tar.gz": packed({"a.txt": b""})}, {}, "no file that ends in .params"),
        ({"model.tar.gz": b"not one"}, {}, "model.tar.gz is no tar.gz archive"),
        ({"model.tar.gz": archive[:-9000]}, {}, "model.tar.gz is no tar.gz archive"),
        ({"model.tar.gz": damaged}, {}, "model.tar.gz is no tar.gz archive"),
        ({"a.tar.gz": b"", "b.tar.gz": b""}, {}, "several models: a.tar.gz, b.tar.gz"),
        ({**files, name: b"weights"}, {}, f"{name} of channel model is no file of weights"),
        ({**files, name: lacking.read_bytes()}, {}, "it has no stage2_unit1_conv1_weight"),
        ({**files, "model-shapes.json": b"{}"}, {}, "model-shapes.json of the channel model"),
    ]
    for given, values, expected in table:
        text = refusal(partial(weights, given, **values))
        assert expected in text, (expected, text)


@check
def an_archive_reaches_nothing_outside_of_it() -> None:
    archive = io.BytesIO()
    secret = Path(tempfile.mkdtemp()) / "secret-0000.params"
    secret.write_bytes(b"secret")
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            entry = tarfile.TarInfo("image-classification-0001.params")
            entry.type, entry.linkname = kind, str(secret)
            tar.addfile(entry)
        content = artifact()["image-classification-0007.params"]
        entry = tarfile.TarInfo("../../tmp/escaped-0003.params")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    assert weights({"model.tar.gz": archive.getvalue()}) is not None
    assert not Path("/tmp/escaped-0003.params").exists()


@check
def files_of_a_model_appear_whole() -> None:
    configuration = configured()
    folder = Path(tempfile.mkdtemp())
    saved = checkpoints.Checkpoints(folder, symbol(configuration), configuration)
    array = {"a": mx.nd.ones(3)}
    described = {"hyperparams.json", "image-classification-symbol.json", "model-shapes.json"}
    for epoch, alone, kept in ((0, True, [1]), (1, True, [2]), (4, False, [2, 5])):
        saved.save(epoch, array, {}, alone=alone)
        names = {f"image-classification-{number:04d}.params" for number in kept}
        assert {path.name for path in folder.iterdir()} == described | names
    whole = checkpoints.mx.nd.save

    def half(path: str, arrays: object) -> None:
        Path(path).write_bytes(b"half")
        raise SystemExit

    checkpoints.mx.nd.save = half
    try:
        saved.save(5, array, {}, alone=True)
    except SystemExit:
        pass
    else:
        raise AssertionError("it was not stopped")
    finally:
        checkpoints.mx.nd.save = whole
    assert {path.name for path in folder.iterdir()} == described | names
    shapes = json.loads((folder / "model-shapes.json").read_text())
    assert shapes[0] == {"name": "data", "shape": [4, 3, 16, 16]}
    settings = json.loads((folder / "hyperparams.json").read_text())
    assert (settings["image_shape"], settings["num_layers"]) == ("3,16,16", 20)


run()

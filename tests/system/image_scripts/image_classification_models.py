"""Two models of the form that Amazon's algorithm leaves, and what plain MXNet predicts with them.

Run with a directory that has `pictures.npy`, of the networks' size. There it makes `softmax`, which
has two checkpoints but no settings, and `sigmoid`, which has settings but no shapes, and writes
`expected.json`: for each model, the predictions for each picture.
"""

import json
import sys
from pathlib import Path

import mxnet as mx
import numpy as np

STEM = "image-classification"
CLASSES = 5


def features():
    """Return a network whose answer depends on what is where in a picture."""
    data = mx.sym.Variable("data")
    net = mx.sym.BatchNorm(data, name="bn_data", fix_gamma=True)
    net = mx.sym.Convolution(net, kernel=(5, 5), stride=(4, 4), num_filter=4, name="conv0")
    net = mx.sym.Activation(net, act_type="relu", name="relu0")
    return mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=CLASSES, name="fc1")


def fill(symbol, shape):
    """Return weights and statistics as training would have left them."""
    random = np.random.RandomState(1)
    shapes, _, states = symbol.infer_shape(data=(1, *shape))
    arguments = {
        name: mx.nd.array(random.normal(0, 0.15, of))
        for name, of in zip(symbol.list_arguments(), shapes, strict=True)
        if name not in ("data", "softmax_label")
    }
    values = {"bn_data_moving_mean": 120.0, "bn_data_moving_var": 4000.0}
    names = symbol.list_auxiliary_states()
    return arguments, {
        name: mx.nd.full(of, values[name]) for name, of in zip(names, states, strict=True)
    }


def predictions(prefix, epoch, pictures):
    """Return what a Module predicts from saved files."""
    symbol, arguments, states = mx.model.load_checkpoint(str(prefix), epoch)
    module = mx.mod.Module(symbol, context=mx.cpu())
    module.bind([("data", pictures.shape)], for_training=False)
    module.set_params(arguments, states)
    module.forward(mx.io.DataBatch([mx.nd.array(pictures)]), is_train=False)
    return module.get_outputs()[0].asnumpy().tolist()


def main(root):
    pictures = np.load(root / "pictures.npy")
    channels, height, width = shape = pictures.shape[1:]
    expected = {}
    for name, output in (
        ("softmax", mx.sym.SoftmaxOutput),
        ("sigmoid", mx.sym.LogisticRegressionOutput),
    ):
        prefix = root / name / STEM
        prefix.parent.mkdir()
        symbol = output(features(), name="softmax")
        arguments, states = fill(symbol, shape)
        mx.model.save_checkpoint(str(prefix), 12, symbol, arguments, states)
        expected[name] = predictions(prefix, 12, pictures)
    softmax = root / "softmax"
    worse = {key: mx.nd.zeros_like(value) for key, value in arguments.items()}
    mx.model.save_checkpoint(
        str(softmax / STEM), 9, mx.sym.load(f"{softmax / STEM}-symbol.json"), worse, states
    )
    shapes = [
        {"name": "data", "shape": [128, *shape]},
        {"name": "softmax_label", "shape": [128]},
    ]
    (softmax / "model-shapes.json").write_text(json.dumps(shapes))
    settings = {"image_shape": f"{channels},{height},{width}", "multi_label": "1"}
    (root / "sigmoid/hyperparams.json").write_text(json.dumps(settings))
    (root / "expected.json").write_text(json.dumps(expected))


main(Path(sys.argv[1]))

"""MNIST with MXNet's Module API, trained where the notebook runs.

It is also the entry point of the model that the notebook deploys: the serving container imports it
and, as there are no functions for serving in it, loads and runs the model by its defaults.
"""

import logging

import mxnet as mx

BATCH = 100


def build_graph():
    """Return a perceptron with hidden layers of 128 and 64 units."""
    layer = mx.sym.flatten(mx.sym.var("data"))
    for units in (128, 64):
        layer = mx.sym.FullyConnected(layer, num_hidden=units)
        layer = mx.sym.Activation(layer, act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(layer, num_hidden=10), name="softmax")


def contexts(num_cpus, num_gpus):
    """Return the devices to train on: all the GPUs if there are any, else the CPU."""
    if num_gpus:
        return [mx.gpu(number) for number in range(num_gpus)]
    if num_cpus:
        return mx.cpu()
    raise ValueError("Training needs a processor: num_cpus or num_gpus.")


def train(data, hyperparameters=None, num_cpus=0, num_gpus=1, epochs=10):
    """Train on digits in memory.

    Args:
        data: arrays `train_data` and `test_data`, of shape (n, 1, 28, 28) with numbers from 0 to 1,
            and `train_label` and `test_label`.
        hyperparameters: `learning_rate`, by default 0.1.

    Returns:
        The trained `mxnet.mod.Module`.
    """
    learning_rate = float((hyperparameters or {}).get("learning_rate", 0.1))
    training = mx.io.NDArrayIter(data["train_data"], data["train_label"], BATCH, shuffle=True)
    testing = mx.io.NDArrayIter(data["test_data"], data["test_label"], BATCH)
    logging.getLogger().setLevel(logging.INFO)
    module = mx.mod.Module(build_graph(), context=contexts(num_cpus, num_gpus))
    module.fit(
        training,
        eval_data=testing,
        initializer=mx.init.Xavier(),
        optimizer="sgd",
        optimizer_params={"learning_rate": learning_rate},
        eval_metric="acc",
        num_epoch=epochs,
    )
    return module

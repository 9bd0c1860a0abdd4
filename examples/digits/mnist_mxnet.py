"""Digits with MXNet Gluon: trains a small network, and loads it again to serve it.

Runs unchanged in the SageMaker MXNet containers: as a training script, with the channels `train`
and `test`, and in the serving container, which calls `model_fn` and does the rest by itself.
"""
# ruff: noqa: T201  what a script prints is the job's log

import argparse
import gzip
import os
import shutil

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon


def read_idx(path):
    """Return the array in a gzipped file of the IDX format."""
    with gzip.open(path, "rb") as file:
        rank = file.read(4)[3]
        shape = np.frombuffer(file.read(4 * rank), dtype=">u4")
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def read_channel(folder):
    """Return images as rows of numbers from 0 to 1, and labels."""
    images = read_idx(os.path.join(folder, "images.gz"))
    labels = read_idx(os.path.join(folder, "labels.gz"))
    rows = images.reshape(len(images), -1).astype(np.float32) / 255
    return rows, labels.astype(np.float32)


def make_network():
    network = gluon.nn.HybridSequential()
    network.add(gluon.nn.Dense(128, activation="relu"))
    network.add(gluon.nn.Dense(64, activation="relu"))
    network.add(gluon.nn.Dense(10))
    network.initialize(mx.init.Xavier())
    network.hybridize()
    return network


def accuracy(network, images, labels):
    scores = network(mx.nd.array(images)).asnumpy()
    return float((scores.argmax(axis=1) == labels).mean())


def train(network, images, labels, arguments):
    """Train, yielding each epoch's number and mean loss."""
    order = np.random.RandomState(arguments.seed)
    trainer = gluon.Trainer(
        network.collect_params(), "adam", {"learning_rate": arguments.learning_rate}
    )
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(1, arguments.epochs + 1):
        losses = []
        shuffled = order.permutation(len(images))
        for start in range(0, len(images), arguments.batch_size):
            batch = shuffled[start : start + arguments.batch_size]
            with autograd.record():
                scores = network(mx.nd.array(images[batch]))
                loss = loss_of(scores, mx.nd.array(labels[batch]))
            loss.backward()
            trainer.step(len(batch))
            losses.append(loss.mean())
        yield epoch, float(np.mean([value.asscalar() for value in losses]))


def save(network, model_dir):
    """Save the model, with this script beside it: the serving container looks for it there."""
    network.export(os.path.join(model_dir, "model"))
    code = os.path.join(model_dir, "code")
    os.makedirs(code, exist_ok=True)
    shutil.copy(__file__, code)


def model_fn(model_dir):
    """Load the model; called by the serving container."""
    return gluon.SymbolBlock.imports(
        os.path.join(model_dir, "model-symbol.json"),
        ["data"],
        os.path.join(model_dir, "model-0000.params"),
        ctx=mx.cpu(),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    mx.random.seed(arguments.seed)
    images, labels = read_channel(os.environ["SM_CHANNEL_TRAIN"])
    held_out = read_channel(os.environ["SM_CHANNEL_TEST"])
    print(f"training on {len(images)} digits, testing on {len(held_out[0])}", flush=True)
    network = make_network()
    for epoch, loss in train(network, images, labels, arguments):
        reached = accuracy(network, *held_out)
        print(
            f"epoch {epoch} of {arguments.epochs}: loss={loss:.4f} accuracy={reached:.4f}",
            flush=True,
        )
    save(network, os.environ["SM_MODEL_DIR"])


if __name__ == "__main__":
    main()

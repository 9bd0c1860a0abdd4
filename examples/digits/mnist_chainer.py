"""Digits with Chainer: trains a small network, and loads it again to serve it.

Runs unchanged in the SageMaker Chainer containers: as a training script, with the channels `train`
and `test`, and in the serving container, which calls `model_fn` and does the rest by itself.
"""
# ruff: noqa: T201  what a script prints is the job's log

import argparse
import gzip
import os

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


class Network(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.first = L.Linear(None, 128)
            self.second = L.Linear(128, 64)
            self.third = L.Linear(64, 10)

    def forward(self, rows):
        return self.third(F.relu(self.second(F.relu(self.first(rows)))))


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
    return rows, labels.astype(np.int32)


def accuracy(network, images, labels):
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        return float(F.accuracy(network(images), labels).data)


def train(network, images, labels, arguments):
    """Train, yielding each epoch's number and mean loss."""
    order = np.random.RandomState(arguments.seed)
    optimizer = chainer.optimizers.Adam(alpha=arguments.learning_rate)
    optimizer.setup(network)
    for epoch in range(1, arguments.epochs + 1):
        losses = []
        shuffled = order.permutation(len(images))
        for start in range(0, len(images), arguments.batch_size):
            batch = shuffled[start : start + arguments.batch_size]
            loss = F.softmax_cross_entropy(network(images[batch]), labels[batch])
            network.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(float(loss.data))
        yield epoch, float(np.mean(losses))


def model_fn(model_dir):
    """Load the model; called by the serving container."""
    network = Network()
    chainer.serializers.load_npz(os.path.join(model_dir, "model.npz"), network)
    return network


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    np.random.seed(arguments.seed)  # Chainer draws the first weights from it
    images, labels = read_channel(os.environ["SM_CHANNEL_TRAIN"])
    held_out = read_channel(os.environ["SM_CHANNEL_TEST"])
    print(f"training on {len(images)} digits, testing on {len(held_out[0])}", flush=True)
    network = Network()
    for epoch, loss in train(network, images, labels, arguments):
        reached = accuracy(network, *held_out)
        print(
            f"epoch {epoch} of {arguments.epochs}: loss={loss:.4f} accuracy={reached:.4f}",
            flush=True,
        )
    model_dir = os.environ["SM_MODEL_DIR"]
    chainer.serializers.save_npz(os.path.join(model_dir, "model.npz"), network)


if __name__ == "__main__":
    main()

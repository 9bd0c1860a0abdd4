"""Trains a small Chainer network, on several hosts with ChainerMN, and says how to load it."""

import os

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import training
from chainer.training import extensions


class Network(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.hidden = L.Linear(4, 3)
            self.out = L.Linear(3, 2)

    def __call__(self, rows):
        return self.out(F.relu(self.hidden(rows)))


def model_fn(model_dir):
    network = Network()
    chainer.serializers.load_npz(os.path.join(model_dir, "model.npz"), network)
    return network


def train():
    model = L.Classifier(Network())
    optimizer = chainer.optimizers.Adam()
    rank = 0
    if len(os.environ["SM_HOSTS"].split(",")) > 1:
        import chainermn

        communicator = chainermn.create_communicator("naive")
        rank = communicator.rank
        optimizer = chainermn.create_multi_node_optimizer(optimizer, communicator)
    optimizer.setup(model)
    features = np.random.rand(100, 4).astype(np.float32)
    labels = (features.sum(axis=1) > 2).astype(np.int32)
    batches = chainer.iterators.SerialIterator(chainer.datasets.TupleDataset(features, labels), 10)
    updater = training.StandardUpdater(batches, optimizer)
    trainer = training.Trainer(updater, (2, "epoch"), out=os.environ["SM_OUTPUT_DATA_DIR"])
    if rank == 0:
        trainer.extend(extensions.LogReport())
        trainer.extend(extensions.PrintReport(["epoch", "main/loss"]))
        trainer.extend(extensions.PlotReport(["main/loss"], "epoch", file_name="loss.png"))
    trainer.run()
    if rank == 0:
        chainer.serializers.save_npz(
            os.path.join(os.environ["SM_MODEL_DIR"], "model.npz"), model.predictor
        )


if __name__ == "__main__":
    train()

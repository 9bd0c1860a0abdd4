"""MNIST with Chainer's trainer: the training and serving script of the notebook beside it.

Runs in the SageMaker Chainer containers: as a training script, with NumPy archives in the channels
`train` and `test`, and in the serving container, which calls `model_fn` and does the rest by
its defaults.
"""

import argparse
import os
import shutil

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import training
from chainer.training import extensions

UNITS = 1000
PLOTS = {
    "accuracy.png": ["main/accuracy", "validation/main/accuracy"],
    "loss.png": ["main/loss", "validation/main/loss"],
}


class Network(chainer.Chain):
    """A perceptron with two hidden layers."""

    def __init__(self, units):
        super().__init__()
        with self.init_scope():
            self.first = L.Linear(None, units)
            self.second = L.Linear(None, units)
            self.third = L.Linear(None, 10)

    def forward(self, images):
        return self.third(F.relu(self.second(F.relu(self.first(images)))))


def read_digits(path):
    """Return the digits in an archive with `images` and `labels`."""
    with np.load(path) as arrays:
        return chainer.datasets.TupleDataset(
            arrays["images"].astype(np.float32), arrays["labels"].astype(np.int32)
        )


def make_trainer(classifier, arguments, device):
    """Return what trains the classifier and draws its progress into the output directory."""
    train = chainer.iterators.SerialIterator(
        read_digits(os.path.join(arguments.train, "train.npz")), arguments.batch_size
    )
    test = chainer.iterators.SerialIterator(
        read_digits(os.path.join(arguments.test, "test.npz")),
        arguments.batch_size,
        repeat=False,
        shuffle=False,
    )
    optimizer = chainer.optimizers.Adam().setup(classifier)
    updater = training.updaters.StandardUpdater(train, optimizer, device=device)
    trainer = training.Trainer(updater, (arguments.epochs, "epoch"), out=arguments.output_data_dir)
    trainer.extend(extensions.Evaluator(test, classifier, device=device))
    trainer.extend(extensions.LogReport())
    for name, curves in PLOTS.items():
        trainer.extend(extensions.PlotReport(curves, "epoch", filename=name))
    columns = ["epoch", *PLOTS["loss.png"], *PLOTS["accuracy.png"], "elapsed_time"]
    trainer.extend(extensions.PrintReport(columns))
    return trainer


def keep_for_local_mode(output_data_dir, output_dir):
    """Copy the plots to where the SDK's local mode archives them without a folder.

    SageMaker archives what is in the output data directory, local mode the directory above it.
    """
    for name in PLOTS:
        shutil.copy(os.path.join(output_data_dir, name), output_dir)


def model_fn(model_dir):
    """Load the model; called by the serving container."""
    network = Network(UNITS)
    chainer.serializers.load_npz(os.path.join(model_dir, "model.npz"), network)
    return network


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    # The SDK passes a hyperparameter under the name that the notebook gave it.
    parser.add_argument("--batch-size", "--batch_size", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
    parser.add_argument("--test", default=os.environ["SM_CHANNEL_TEST"])
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--output-data-dir", default=os.environ["SM_OUTPUT_DATA_DIR"])
    arguments, _ = parser.parse_known_args()
    np.random.seed(arguments.seed)  # Chainer draws first weights and order from it
    device = chainer.get_device("@cupy:0" if int(os.environ["SM_NUM_GPUS"]) else "@numpy")
    device.use()
    network = Network(UNITS)
    classifier = L.Classifier(network)
    classifier.to_device(device)
    make_trainer(classifier, arguments, device).run()
    keep_for_local_mode(arguments.output_data_dir, os.environ["SM_OUTPUT_DIR"])
    network.to_cpu()
    chainer.serializers.save_npz(os.path.join(arguments.model_dir, "model.npz"), network)


if __name__ == "__main__":
    main()

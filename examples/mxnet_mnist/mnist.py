"""MNIST with MXNet's Module API: the training script of the notebook beside it.

Runs in the SageMaker MXNet training containers, on one host or, with a parameter server, on
several. The model is saved as the serving containers' default `model_fn` expects it, so this script
has no functions for serving.
"""

import argparse
import glob
import gzip
import json
import logging
import os

import mxnet as mx
import numpy as np

CHECKPOINTS = "/opt/ml/checkpoints"


def read_idx(path):
    """Return the array of bytes in a gzipped IDX file."""
    with gzip.open(path, "rb") as file:
        rank = file.read(4)[3]
        shape = np.frombuffer(file.read(4 * rank), dtype=">u4")
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def read_channel(folder):
    """Return the images of a channel, one plane of numbers from 0 to 1 each, and their labels."""
    images = read_idx(os.path.join(folder, "images.gz"))[:, np.newaxis]
    labels = read_idx(os.path.join(folder, "labels.gz"))
    return images.astype(np.float32) / 255, labels.astype(np.float32)


def own_share(images, labels, worker, workers):
    """Return what one of several workers trains on: as much as every other, or they would wait."""
    share = len(images) // workers
    return images[worker::workers][:share], labels[worker::workers][:share]


def build_graph():
    """Return a perceptron with hidden layers of 128 and 64 units."""
    layer = mx.sym.flatten(mx.sym.var("data"))
    for units in (128, 64):
        layer = mx.sym.FullyConnected(layer, num_hidden=units)
        layer = mx.sym.Activation(layer, act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(layer, num_hidden=10), name="softmax")


def contexts(gpus):
    return [mx.gpu(number) for number in range(gpus)] or mx.cpu()


def last_checkpoint(prefix):
    """Return the number of the epoch that was saved last, 0 if none was."""
    saved = glob.glob(prefix + "-*.params")
    return max((int(path[-len("0000.params") : -len(".params")]) for path in saved), default=0)


def checkpointing(module, hosts, host):
    """Return the arguments for `fit` that save each epoch and go on after the last that was saved.

    Without the directory, which the job's CheckpointConfig makes, nothing is saved. Each host
    has a directory of its own, but only the first writes: S3 has room for one.
    """
    if not os.path.isdir(CHECKPOINTS):
        return {}
    prefix = os.path.join(CHECKPOINTS, "model")
    chosen = {}
    if host == hosts[0]:
        # A parameter server keeps the optimizer's state to itself.
        chosen["epoch_end_callback"] = mx.callback.module_checkpoint(
            module, prefix, save_optimizer_states=len(hosts) == 1
        )
    epoch = last_checkpoint(prefix)
    if epoch:
        logging.info("Going on after epoch %d", epoch)
        _, weights, states = mx.model.load_checkpoint(prefix, epoch)
        chosen.update(begin_epoch=epoch, arg_params=weights, aux_params=states)
    return chosen


def train(arguments, hosts, host, gpus):
    """Train; returns the module."""
    kvstore = mx.kvstore.create("dist_sync" if len(hosts) > 1 else "local")
    images, labels = own_share(*read_channel(arguments.train), kvstore.rank, kvstore.num_workers)
    training = mx.io.NDArrayIter(images, labels, arguments.batch_size, shuffle=True)
    testing = mx.io.NDArrayIter(*read_channel(arguments.test), arguments.batch_size)
    logging.info("Training on %d digits, testing on %d", len(images), testing.num_data)
    module = mx.mod.Module(build_graph(), context=contexts(gpus))
    module.fit(
        training,
        eval_data=testing,
        kvstore=kvstore,
        initializer=mx.init.Xavier(),
        optimizer="sgd",
        optimizer_params={"learning_rate": arguments.learning_rate},
        eval_metric="acc",
        num_epoch=arguments.epochs,
        **checkpointing(module, hosts, host),
    )
    return module


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
    parser.add_argument("--test", default=os.environ["SM_CHANNEL_TEST"])
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    arguments, _ = parser.parse_known_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    hosts, host = json.loads(os.environ["SM_HOSTS"]), os.environ["SM_CURRENT_HOST"]
    module = train(arguments, hosts, host, int(os.environ["SM_NUM_GPUS"]))
    # Only the training containers have this: it writes the three files that the default model_fn
    # reads, on the first host alone.
    from sagemaker_mxnet_container.training_utils import save

    save(arguments.model_dir, module)


if __name__ == "__main__":
    main()

"""Trains a Module and saves it in the layout that the default functions of serving expect.

First it loads more than an engine's own /dev/shm holds, by a DataLoader with workers, which hand
their batches over in shared memory and wait for ever where that is too small.
"""

import argparse
import os
import sys

import mxnet as mx
import numpy as np
from mxnet import gluon
from sagemaker_mxnet_container.training_utils import save

arguments = argparse.ArgumentParser()
arguments.add_argument("--epochs", type=int, required=True)
arguments.add_argument("--learning-rate", type=float, required=True)
asked = arguments.parse_args()

pictures = gluon.data.ArrayDataset(np.ones((40, 1024, 1024), "float32"))  # 4 MiB each
batches = gluon.data.DataLoader(pictures, batch_size=8, num_workers=2)
loaded = sum(batch.shape[0] for batch in batches)
sys.stdout.write(f"loaded {loaded} pictures by workers\n")

features = np.random.rand(100, 4).astype("float32")
labels = (features.sum(axis=1) > 2).astype("float32")
network = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2)
module = mx.mod.Module(mx.sym.SoftmaxOutput(network, name="softmax"), context=mx.cpu())
module.fit(
    mx.io.NDArrayIter(features, labels, 10),
    num_epoch=asked.epochs,
    optimizer_params={"learning_rate": asked.learning_rate},
)
save(os.environ["SM_MODEL_DIR"], module)

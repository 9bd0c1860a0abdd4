"""Trains a Module over a parameter server on all hosts; `--endless` until somebody stops it."""

import argparse
import logging
import os

import mxnet as mx
import numpy as np
from sagemaker_mxnet_container.training_utils import save

logging.basicConfig(level=logging.INFO)
arguments = argparse.ArgumentParser()
arguments.add_argument("--endless", action="store_true")
asked, _ = arguments.parse_known_args()

store = mx.kv.create("dist_sync")
logging.info("worker %d of %d", store.rank, store.num_workers)
features = np.random.rand(100, 4).astype("float32")
labels = (features.sum(axis=1) > 2).astype("float32")
network = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2)
module = mx.mod.Module(mx.sym.SoftmaxOutput(network, name="softmax"), context=mx.cpu())
module.fit(
    mx.io.NDArrayIter(features, labels, 10),
    num_epoch=10**9 if asked.endless else 2,
    kvstore=store,
)
save(os.environ["SM_MODEL_DIR"], module)

"""Trains a Module over a parameter server on all hosts.

`--endless True` goes on until somebody stops it; `--fail-on algo-2` makes that host give up while
the others wait for it. It does so before it has a store: MXNet lets no worker with a store end
before all others do.
"""

import argparse
import logging
import os

import mxnet as mx
import numpy as np
from sagemaker_mxnet_container.training_utils import save

logging.basicConfig(level=logging.INFO)
arguments = argparse.ArgumentParser()
arguments.add_argument("--endless", default="False")
arguments.add_argument("--fail-on", default="")
asked = arguments.parse_args()

if asked.fail_on == os.environ["SM_CURRENT_HOST"]:
    raise ValueError("this host has had enough")
store = mx.kv.create("dist_sync")
logging.info("worker %d of %d", store.rank, store.num_workers)
features = np.random.rand(100, 4).astype("float32")
labels = (features.sum(axis=1) > 2).astype("float32")
network = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2)
module = mx.mod.Module(mx.sym.SoftmaxOutput(network, name="softmax"), context=mx.cpu())
module.fit(
    mx.io.NDArrayIter(features, labels, 10),
    num_epoch=10**9 if asked.endless == "True" else 2,
    kvstore=store,
)
save(os.environ["SM_MODEL_DIR"], module)

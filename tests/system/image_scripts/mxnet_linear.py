"""Trains y = 2 x1 + 1.5 x2 by regression, and saves it for the default functions of serving."""

import os

import mxnet as mx
import numpy as np
from sagemaker_mxnet_container.training_utils import save

mx.random.seed(7)
np.random.seed(7)
features = np.random.rand(200, 2).astype("float32")
answers = features @ np.array([2.0, 1.5], dtype="float32")
line = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=1, name="line")
symbol = mx.sym.LinearRegressionOutput(line, mx.sym.var("label"), name="y")
module = mx.mod.Module(symbol, label_names=["label"], context=mx.cpu())
module.fit(
    mx.io.NDArrayIter(features, answers, 20, shuffle=True, label_name="label"),
    num_epoch=50,
    optimizer_params={"learning_rate": 0.5},
    eval_metric="mse",
)
save(os.environ["SM_MODEL_DIR"], module)

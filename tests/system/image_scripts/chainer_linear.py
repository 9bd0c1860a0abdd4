"""Trains y = 2 x1 + 1.5 x2 by regression, and says how to load it.

With rows as an argument: prints what Chainer itself, without any server, says of them.
"""

import json
import os
import sys

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np


def model_fn(model_dir):
    line = L.Linear(2, 1)
    chainer.serializers.load_npz(os.path.join(model_dir, "line.npz"), line)
    return line


def train():
    np.random.seed(7)
    features = np.random.rand(200, 2).astype(np.float32)
    answers = features @ np.array([[2.0], [1.5]], dtype=np.float32)
    line = L.Linear(2, 1)
    optimizer = chainer.optimizers.SGD(lr=0.5).setup(line)
    for _ in range(300):
        optimizer.update(lambda: F.mean_squared_error(line(features), answers))
    chainer.serializers.save_npz(os.path.join(os.environ["SM_MODEL_DIR"], "line.npz"), line)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        rows = np.array(json.loads(sys.argv[1]), dtype=np.float32)
        predictions = model_fn("/opt/ml/model")(rows).data.ravel().tolist()
        sys.stdout.write(f"{predictions!r}\n")
    else:
        train()

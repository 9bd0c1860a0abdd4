"""Trains a Gluon block and serves it by `model_fn` and `transform_fn`."""

import json
import os

import mxnet as mx
from mxnet import autograd, gluon


def network():
    block = gluon.nn.HybridSequential()
    block.add(gluon.nn.Dense(8, activation="relu"), gluon.nn.Dense(2))
    return block


def train(model_dir):
    block = network()
    block.initialize()
    trainer = gluon.Trainer(block.collect_params(), "adam")
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    features = mx.nd.random.uniform(shape=(50, 4))
    labels = features.sum(axis=1) > 2
    for _ in range(3):
        with autograd.record():
            error = loss(block(features), labels)
        error.backward()
        trainer.step(50)
    block.save_parameters(os.path.join(model_dir, "gluon.params"))


def model_fn(model_dir):
    block = network()
    block.load_parameters(os.path.join(model_dir, "gluon.params"), ctx=mx.cpu())
    return block


def transform_fn(model, data, content_type, accept):
    prediction = model(mx.nd.array(json.loads(data)))
    return json.dumps(prediction.argmax(axis=1).asnumpy().tolist()), accept


if __name__ == "__main__":
    train(os.environ["SM_MODEL_DIR"])

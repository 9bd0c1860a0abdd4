"""All of the functions that serving calls, each of them the user's own."""

import mxnet as mx
from sagemaker_containers.beta.framework import worker


def model_fn(model_dir):
    block = mx.gluon.nn.Dense(1, in_units=1)
    block.initialize(mx.init.One())
    return block


def input_fn(data, content_type):
    return mx.nd.array([[float(word)] for word in data.decode().split(";")])


def predict_fn(rows, model):
    return model(rows) * 2


def output_fn(prediction, accept):
    body = ";".join(f"{value:g}" for value in prediction.asnumpy().ravel())
    return worker.Response(body, mimetype="text/x-semicolons")

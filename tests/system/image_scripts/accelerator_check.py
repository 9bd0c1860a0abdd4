"""What `mx.eia()` is, and that it computes what the device behind it does; runs in the image."""

import copy
import os
import pickle

import checks
import mxnet as mx
import numpy as np
from mxnet import gluon


def network() -> mx.sym.Symbol:
    data = mx.sym.var("data")
    convolved = mx.sym.Convolution(data, kernel=(3, 3), num_filter=8, name="convolved")
    normed = mx.sym.BatchNorm(convolved, name="normed", fix_gamma=False)
    pooled = mx.sym.Pooling(
        mx.sym.Activation(normed, act_type="relu"), kernel=(2, 2), stride=(2, 2)
    )
    dense = mx.sym.FullyConnected(mx.sym.flatten(pooled), num_hidden=10, name="dense")
    return mx.sym.softmax(dense, name="softmax")


def pixels() -> np.ndarray:
    return np.random.RandomState(5).rand(4, 1, 28, 28).astype("float32")


def by_module(context: mx.Context) -> np.ndarray:
    """Return what a Module predicts, whose weights are the same each time."""
    mx.random.seed(3)
    np.random.seed(3)
    module = mx.mod.Module(network(), label_names=None, context=context)
    module.bind([("data", (4, 1, 28, 28))], for_training=False)
    module.init_params(mx.init.Xavier())
    module.forward(mx.io.DataBatch([mx.nd.array(pixels(), ctx=context)]), is_train=False)
    return module.get_outputs()[0].asnumpy()


def by_gluon(context: mx.Context) -> np.ndarray:
    mx.random.seed(3)
    np.random.seed(3)
    block = gluon.nn.HybridSequential()
    block.add(gluon.nn.Conv2D(8, 3), gluon.nn.BatchNorm(), gluon.nn.Dense(10))
    block.initialize(mx.init.Xavier(), ctx=context)
    block.hybridize()
    return block(mx.nd.array(pixels(), ctx=context)).asnumpy()


@checks.check
def it_is_shown_as_an_accelerator_and_equal_to_its_device() -> None:
    assert repr(mx.eia()) == "eia(0)"
    assert repr(mx.eia(1)) == "eia(1)"
    assert mx.eia() == mx.cpu()
    assert hash(mx.eia()) == hash(mx.cpu())
    assert isinstance(mx.eia(), mx.Context)
    assert pickle.loads(pickle.dumps(mx.eia())) == copy.copy(mx.eia()) == mx.cpu()


@checks.check
def a_module_predicts_the_same() -> None:
    assert np.array_equal(by_module(mx.eia()), by_module(mx.cpu()))
    assert by_module(mx.eia()).std() > 0


@checks.check
def gluon_predicts_the_same() -> None:
    assert np.array_equal(by_gluon(mx.eia()), by_gluon(mx.cpu()))


@checks.check
def arrays_are_made_on_it() -> None:
    for array in (
        mx.nd.array([1, 2], ctx=mx.eia()),
        mx.nd.zeros((2,), ctx=mx.eia()),
        mx.nd.random.uniform(shape=(2,), ctx=mx.eia()),
        mx.nd.ones((2,)).as_in_context(mx.eia()),
    ):
        assert array.context == mx.eia()
    with mx.eia():
        assert repr(mx.current_context()) == "eia(0)"
        assert mx.nd.ones((2,)).context == mx.eia()


@checks.check
def a_gpu_that_is_not_there_is_the_cpu() -> None:
    os.environ["SAGEMAKER_EMULATOR_ACCELERATOR"] = "gpu:0"
    try:
        assert mx.eia() == mx.eia() == mx.cpu()
    finally:
        del os.environ["SAGEMAKER_EMULATOR_ACCELERATOR"]


checks.run()

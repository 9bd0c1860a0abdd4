"""Residual networks with pre-activation, of every depth the algorithm has (contract G1).

After He et al., "Identity Mappings in Deep Residual Networks", 2016. Layers are named as in MXNet's
published models, so that their weights fit, and those of Amazon's artifacts. Nothing here trains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import mxnet as mx

from image_classification.hyperparameters import LARGEST_SMALL_IMAGE

OUTPUT_LAYER = "fc1"
_EPSILON, _MOMENTUM = 2e-5, 0.9
_WORKSPACE_MB = 512
_UNIT = re.compile(r"(stage\d+_unit\d+)_")


@dataclass(frozen=True)
class Plan:
    """What a depth means.

    Attributes:
        units: residual units of each stage.
        channels: of the first convolution, then of each stage.
        bottleneck: whether a unit is 1x1, 3x3, 1x1 convolutions, rather than two of 3x3.
    """

    units: tuple[int, ...]
    channels: tuple[int, ...]
    bottleneck: bool


_NARROW = (64, 64, 128, 256, 512)
_WIDE = (64, 256, 512, 1024, 2048)
PLANS = {
    18: Plan((2, 2, 2, 2), _NARROW, bottleneck=False),
    34: Plan((3, 4, 6, 3), _NARROW, bottleneck=False),
    50: Plan((3, 4, 6, 3), _WIDE, bottleneck=True),
    101: Plan((3, 4, 23, 3), _WIDE, bottleneck=True),
    152: Plan((3, 8, 36, 3), _WIDE, bottleneck=True),
    200: Plan((3, 24, 36, 3), _WIDE, bottleneck=True),
    # For small pictures: six convolutions for each unit of a stage, and two more.
    **{
        6 * units + 2: Plan((units,) * 3, (16, 16, 32, 64), bottleneck=False)
        for units in (3, 5, 7, 9, 18)
    },
}


def _normalised(data: mx.sym.Symbol, suffix: str, *, prefix: str = "") -> mx.sym.Symbol:
    """Return batch normalisation and its rectifier: bn<suffix>, relu<suffix>."""
    normal = mx.sym.BatchNorm(
        data, fix_gamma=False, eps=_EPSILON, momentum=_MOMENTUM, name=f"{prefix}bn{suffix}"
    )
    return mx.sym.Activation(normal, act_type="relu", name=f"{prefix}relu{suffix}")


def _convolution(
    data: mx.sym.Symbol, channels: int, size: int, name: str, *, stride: int = 1
) -> mx.sym.Symbol:
    return mx.sym.Convolution(
        data,
        num_filter=channels,
        kernel=(size, size),
        stride=(stride, stride),
        pad=(size // 2, size // 2),
        no_bias=True,
        workspace=_WORKSPACE_MB,
        name=name,
    )


def _unit(
    data: mx.sym.Symbol, channels: int, name: str, *, bottleneck: bool, stride: int, first: bool
) -> mx.sym.Symbol:
    """Return a residual unit; the first of a stage projects its input to the new channels."""
    steps = (
        [(1, channels // 4, 1), (3, channels // 4, stride), (1, channels, 1)]
        if bottleneck
        else [(3, channels, stride), (3, channels, 1)]
    )
    active = branch = _normalised(data, "1", prefix=f"{name}_")
    for number, (size, width, step) in enumerate(steps, start=1):
        if number > 1:
            branch = _normalised(branch, str(number), prefix=f"{name}_")
        branch = _convolution(branch, width, size, f"{name}_conv{number}", stride=step)
    if first:
        data = _convolution(active, channels, 1, f"{name}_sc", stride=stride)
    return branch + data


def _stem(data: mx.sym.Symbol, channels: int, *, small: bool) -> mx.sym.Symbol:
    if small:
        return _convolution(data, channels, 3, "conv0")
    body = _convolution(data, channels, 7, "conv0", stride=2)
    return mx.sym.Pooling(
        _normalised(body, "0"), kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max"
    )


def scores(num_layers: int, image_shape: tuple[int, int, int], num_classes: int) -> mx.sym.Symbol:
    """Return the network up to its last layer: a score for each class.

    Args:
        num_layers: a key of PLANS.
        image_shape: channels, height and width in pixels.
    """
    plan = PLANS[num_layers]
    first, *widths = plan.channels
    # Too little of a small picture would be left after a wide first convolution and a pooling.
    small = max(image_shape[1:]) <= LARGEST_SMALL_IMAGE
    # Pictures come as 0 to 255: the first normalisation takes the place of a mean and a scale.
    data = mx.sym.identity(mx.sym.Variable("data"), name="id")
    data = mx.sym.BatchNorm(data, fix_gamma=True, eps=_EPSILON, momentum=_MOMENTUM, name="bn_data")
    body = _stem(data, first, small=small)
    for stage, (units, channels) in enumerate(zip(plan.units, widths), start=1):
        for unit in range(1, units + 1):
            body = _unit(
                body,
                channels,
                f"stage{stage}_unit{unit}",
                bottleneck=plan.bottleneck,
                stride=2 if unit == 1 and stage > 1 else 1,
                first=unit == 1,
            )
    body = _normalised(body, "1")
    body = mx.sym.Pooling(body, global_pool=True, kernel=(7, 7), pool_type="avg", name="pool1")
    flat = mx.sym.Flatten(body, name="flatten0")
    return mx.sym.FullyConnected(flat, num_hidden=num_classes, name=OUTPUT_LAYER)


def symbol(
    num_layers: int, image_shape: tuple[int, int, int], num_classes: int, multi_label: bool
) -> mx.sym.Symbol:
    """Return the network: from `data`, raw RGB of 0 to 255, to the probability of each class.

    The label's name is `softmax_label`; with `multi_label` each class has a sigmoid of its own,
    and the label is a 0 or 1 for each.
    """
    last = scores(num_layers, image_shape, num_classes)
    if multi_label:
        return mx.sym.LogisticRegressionOutput(last, name="softmax")
    return mx.sym.SoftmaxOutput(last, name="softmax")


def weighted(last: mx.sym.Symbol, num_classes: int) -> mx.sym.Symbol:
    """Return what trains a multi-label network by a weighted loss, given its scores.

    Outputs are the probabilities and the loss. The labels `label_weights` say how much each label
    of each picture counts.
    """
    label, weights = mx.sym.Variable("softmax_label"), mx.sym.Variable("label_weights")
    # Cross-entropy of a sigmoid, from its score: never the logarithm of 0.
    entropy = mx.sym.Activation(last, act_type="softrelu") - last * label
    loss = mx.sym.MakeLoss(weights * entropy, grad_scale=1 / num_classes, name="loss")
    return mx.sym.Group([mx.sym.BlockGrad(mx.sym.sigmoid(last), name="softmax"), loss])


def depth(parameters: Iterable[str]) -> int | None:
    """Return the number of layers of the network whose parameters have these names, if it is one.

    Args:
        parameters: bare names, such as `stage1_unit1_conv1_weight`.
    """
    names = set(parameters)
    found = {match[1] for name in names if (match := _UNIT.match(name))}
    bottleneck = "stage1_unit1_conv3_weight" in names
    for num_layers, plan in PLANS.items():
        stages = enumerate(plan.units, start=1)
        units = {f"stage{stage}_unit{unit + 1}" for stage, n in stages for unit in range(n)}
        if units == found and plan.bottleneck == bottleneck:
            return num_layers
    return None

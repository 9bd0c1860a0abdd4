"""Write a model that was never trained, for speed alone. Runs in the image-classification image.

`python3 model.py DIRECTORY IMAGE_SHAPE NUM_LAYERS`.
"""

import json
import sys

import mxnet as mx
from image_classification import network

CLASSES = 10


def main() -> None:
    directory, given_shape, layers = sys.argv[1:]
    shape = tuple(map(int, given_shape.split(",")))
    module = mx.mod.Module(network.symbol(int(layers), shape, CLASSES, False))
    module.bind(data_shapes=[("data", (1, *shape))], label_shapes=[("softmax_label", (1,))])
    module.init_params(mx.init.Xavier())
    module.save_checkpoint(f"{directory}/image-classification", 1)
    with open(f"{directory}/model-shapes.json", "w") as file:
        json.dump([{"name": "data", "shape": [1, *shape]}], file)


main()

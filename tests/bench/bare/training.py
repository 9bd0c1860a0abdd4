"""Bare MXNet: a Module, its own reader of records, a loop. Runs in the image-classification image.

`python3 training.py RECORDS IMAGE_SHAPE NUM_LAYERS NUM_CLASSES BATCH EPOCHS` prints the images per
second of each epoch as JSON.
"""

import json
import sys
import time

import mxnet as mx
from image_classification import network


def main() -> None:
    records, given_shape, layers, classes, batch_size, epochs = sys.argv[1:]
    shape, size = tuple(map(int, given_shape.split(","))), int(batch_size)
    reader = mx.io.ImageRecordIter(
        path_imgrec=records,
        data_shape=shape,
        batch_size=size,
        shuffle=True,
        preprocess_threads=2,
        verbose=False,
    )
    module = mx.mod.Module(network.symbol(int(layers), shape, int(classes), False))
    module.bind(data_shapes=reader.provide_data, label_shapes=reader.provide_label)
    module.init_params(mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2))
    module.init_optimizer(
        kvstore=None, optimizer_params={"learning_rate": 0.05, "momentum": 0.9, "wd": 0.0001}
    )
    rates = []
    for _ in range(int(epochs)):
        count, begun = 0, time.perf_counter()
        reader.reset()
        for batch in reader:
            module.forward_backward(batch)
            module.update()
            count += size - batch.pad
        # As in `train`, an epoch has ended when its last predictions are known.
        module.get_outputs()[0].wait_to_read()
        rates.append(count / (time.perf_counter() - begun))
        mx.nd.waitall()
    print(json.dumps(rates))


main()

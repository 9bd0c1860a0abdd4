"""Bare MXNet: decode, resize, predict, in a loop. Runs in the image-classification image.

`python3 predicting.py PREFIX PICTURE COUNT` prints the p50 of one prediction in milliseconds.
"""

import sys
import time
from pathlib import Path
from statistics import median

import cv2
import mxnet as mx
import numpy as np

HEIGHT, WIDTH = 224, 224
WARM_UP = 5


def main() -> None:
    prefix, picture, count = sys.argv[1:]
    cv2.setNumThreads(1)
    symbol, weights, statistics = mx.model.load_checkpoint(prefix, 1)
    bound = symbol.simple_bind(mx.cpu(), grad_req="null", data=(1, 3, HEIGHT, WIDTH))
    bound.copy_params_from(weights, statistics)
    content = Path(picture).read_bytes()
    took = []
    for _ in range(WARM_UP + int(count)):
        began = time.perf_counter()
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
        resized = cv2.resize(decoded, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        bound.forward(is_train=False, data=mx.nd.array(resized.transpose(2, 0, 1)[np.newaxis]))
        bound.outputs[0].asnumpy()
        took.append(time.perf_counter() - began)
    print(median(took[WARM_UP:]) * 1000)


main()

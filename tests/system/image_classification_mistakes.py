"""Data of image-classification jobs as users spoil it, and some that is good."""

import io
import json
import struct

import numpy as np
from framework_jobs import packed
from image_classification_jobs import records
from PIL import Image

SIDE, PICTURES = 32, 12
"""Of the good data: the pictures' height and width, and how many there are, of three classes."""


def png(width: int, height: int, colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (colour, 0, 255 - colour)).save(file, "PNG")
    return file.getvalue()


def weights(**arrays: np.ndarray) -> bytes:
    """Return a .params file with these arrays, in the binary format of MXNet's NDArray."""
    content = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        content += struct.pack("<IiI", 0xF993FAC9, 0, array.ndim)
        content += struct.pack(f"<{array.ndim}q", *array.shape)
        on_processor, float32 = (1, 0), 0
        content += struct.pack("<iii", *on_processor, float32) + array.astype("<f4").tobytes()
    content += struct.pack("<Q", len(arrays))
    for name in arrays:
        full = f"arg:{name}".encode()
        content += struct.pack("<Q", len(full)) + full
    return content


def objects(bucket: str) -> dict[str, bytes]:
    """Return what a bucket has of them, by key."""
    images = [png(SIDE, SIDE, 20 * number) for number in range(PICTURES)]
    classes = np.arange(PICTURES) % 3
    good = records(images, classes)
    small = [*images[:3], png(24, 20, 0), *images[4:]]
    broken = [*images[:5], b"no picture", *images[6:]]
    pairs = [
        json.dumps({"source-ref": f"s3://{bucket}/pictures/{number}.png", "class": int(shown)})
        for number, shown in enumerate(classes)
    ]
    return {
        "good/good.rec": good,
        "two/a.rec": good,
        "two/b.rec": good,
        "empty/empty.rec": b"",
        "truncated/truncated.rec": good[:-9],
        "noise/noise.rec": bytes(range(256)) * 20,
        "high/high.rec": records(images, np.array([*classes[:-1], 7])),
        "several/several.rec": records(images, np.eye(PICTURES, 5)),
        "small/small.rec": records(small, classes),
        "broken/broken.rec": records(broken, classes),
        **{f"pictures/{number}.png": image for number, image in enumerate(images)},
        "lists/good.lst": b"".join(b"%d\t%d\t%d.png\n" % (n, n % 3, n) for n in range(PICTURES)),
        "lists/missing.lst": b"0\t0\t0.png\n1\t1\tnowhere.png\n",
        "lists/spaces.lst": b"0 0 0.png\n",
        "lists/high.lst": b"0\t7\t0.png\n",
        "pairs": "\n".join(pairs).encode(),
        "other/model.tar.gz": packed(
            {"image-classification-0001.params": weights(fc1_weight=np.zeros((5, 64)))}
        ),
        "noise-model/model.tar.gz": b"no archive",
        "empty-model/model.tar.gz": packed({"readme.txt": b""}),
    }

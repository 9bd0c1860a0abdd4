"""Writes the digits that ship with the emulator, for its bucket of sample data.

They are scikit-learn's, scaled to 28x28 and written in MNIST's IDX form; the same every time. Run
it from the root of the repository: python -m scripts.sample_digits
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from examples.digits.dataset import Bytes, bundled, write_channels

TARGET = Path(__file__).parents[1] / "emulator" / "storage" / "bundled"
_STEP = 16
"""Between two greys. Scaling makes up greys that the source never had; without them the files
are less than half as large."""


def write(folder: Path) -> None:
    """Write train/ and test/, each with images.gz and labels.gz, below a folder."""
    digits = bundled()
    (train, train_labels), (test, test_labels) = digits.train, digits.test
    coarse = replace(
        digits, train=(_coarse(train), train_labels), test=(_coarse(test), test_labels)
    )
    write_channels(coarse, folder)


def _coarse(images: Bytes) -> Bytes:
    steps = (images.astype(np.uint16) + _STEP // 2) // _STEP
    return np.minimum(steps * _STEP, 255).astype(np.uint8)


if __name__ == "__main__":
    write(TARGET)

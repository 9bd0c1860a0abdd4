"""image-classification learns what it should: handwritten digits, by file and by pipe, photographs.

MNIST and photographs of five classes come from the directory that SAGEMAKER_EMULATOR_TEST_DATA
names. Without it, digits and photographs are those that come with scikit-learn.
"""

import gzip
import io
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from image_classification_jobs import completed, digits, history, learn, records
from PIL import Image
from running_emulator import Emulator
from sklearn.datasets import load_sample_images
from training_data import put

pytestmark = [pytest.mark.docker, pytest.mark.accuracy]

log = logging.getLogger(__name__)
DATA = os.environ.get("SAGEMAKER_EMULATOR_TEST_DATA", "")
Pictures = tuple[list[bytes], np.ndarray]


def mnist(name: str, most: int) -> Pictures:
    """Return the first digits of MNIST's `train` or `t10k` as JPEG files."""
    folder = Path(DATA) / "mnist"
    pixels = gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / f"{name}-labels-idx1-ubyte.gz").read_bytes())[8:]
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)[:most]
    return [jpeg(Image.fromarray(image)) for image in images], np.frombuffer(labels, np.uint8)[
        :most
    ]


def jpeg(picture: Image.Image) -> bytes:
    packed = io.BytesIO()
    picture.convert("RGB").save(packed, "JPEG", quality=95)
    return packed.getvalue()


def handwriting() -> tuple[Pictures, Pictures]:
    """Return digits to train and to validate with."""
    if DATA:
        return mnist("train", 5000), mnist("t10k", 1000)
    images, labels = digits(most=1797, side=28)
    return (images[:1500], labels[:1500]), (images[1500:], labels[1500:])


def photographs() -> Pictures:
    """Return a few photographs of each of some classes."""
    if DATA:
        folders = sorted((Path(DATA) / "photos" / "caltech101-5").iterdir())
        files = [
            (file, label)
            for label, folder in enumerate(folders)
            for file in sorted(folder.iterdir())
        ]
        return [file.read_bytes() for file, _ in files], np.array([label for _, label in files])
    # A corner of a photograph, a step further for each.
    taken = [
        (Image.fromarray(image[10 * step :, 20 * step :][:260, :260]), label)
        for label, image in enumerate(load_sample_images().images)
        for step in range(10)
    ]
    return [jpeg(picture) for picture, _ in taken], np.array([label for _, label in taken])


def uploaded(emulator: Emulator, **pictures: Pictures) -> dict[str, str]:
    """Put pictures into S3 as records; returns their URIs."""
    bucket = emulator.bucket()
    put(emulator, bucket, {f"{name}/{name}.rec": records(*each) for name, each in pictures.items()})
    return {name: f"s3://{bucket}/{name}/" for name in pictures}


@pytest.mark.timeout(600)
def test_digits_are_learned_as_well_by_pipe_as_by_file(emulator: Emulator) -> None:
    train, validation = handwriting()
    uris = uploaded(emulator, train=train, validation=validation)
    jobs = {
        mode: learn(
            emulator,
            uris["train"],
            uris["validation"],
            mode=mode,
            num_training_samples=len(train[0]),
            image_shape="3,28,28",
            num_layers=20,
            optimizer="sgd",
            learning_rate=0.1,
            lr_scheduler_step="4",
            mini_batch_size=50,
            epochs=6,
        )[0]
        for mode in ("File", "Pipe")
    }
    best = {}
    for mode, name in jobs.items():
        job = completed(emulator, name, within=500)
        best[mode] = max(history(emulator.output(name), "Validation"))
        log.info(
            "%d digits by %s: validation accuracy %.4f in %d s, both jobs at once on a core each",
            *(len(train[0]), mode, best[mode], job["TrainingTimeInSeconds"]),
        )
    assert min(best.values()) >= 0.97
    assert best["Pipe"] == pytest.approx(best["File"], abs=0.01)


@pytest.mark.timeout(600)
def test_a_few_augmented_photographs_are_learned_by_heart(emulator: Emulator) -> None:
    images, labels = photographs()
    uris = uploaded(emulator, train=(images, labels))
    name, _ = learn(
        emulator,
        uris["train"],
        uris["train"],
        num_classes=len(set(labels)),
        num_training_samples=len(images),
        resize=128,
        image_shape="3,112,112",
        num_layers=18,
        augmentation_type="crop_color_transform",
        optimizer="adam",
        learning_rate=0.001,
        lr_scheduler_step="45",
        mini_batch_size=len(images),
        epochs=60,
    )
    job = completed(emulator, name, within=500)
    accuracies = history(emulator.output(name), "Train")
    log.info(
        "%d photographs of %d classes: training accuracy %.4f after %d epochs, %d s",
        *(len(images), len(set(labels)), accuracies[-1], len(accuracies)),
        job["TrainingTimeInSeconds"],
    )
    assert accuracies[-1] >= 0.95

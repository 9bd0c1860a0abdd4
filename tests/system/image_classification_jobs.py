"""Jobs of image-classification as the tests run them: scikit-learn's digits, packed as records."""

import io
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from running_emulator import ROLE, Emulator, unique
from sklearn.datasets import load_digits
from training_data import channel

ALGORITHM = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
SIDE = 16
RECORDS = "application/x-recordio"
METRIC = re.compile(r"Epoch\[(\d+)\] (Train|Validation)-(\w+)=([0-9.]+)$")
SETTINGS = {
    "num_layers": "20",
    "image_shape": f"3,{SIDE},{SIDE}",
    "num_classes": "10",
    "optimizer": "adam",
    "learning_rate": "0.01",
    "mini_batch_size": "30",
}


def digits(most: int = 1000, side: int = SIDE) -> tuple[list[bytes], np.ndarray]:
    """Return handwritten digits as PNG files, in an order of no meaning, and what they show."""
    found = load_digits()
    order = np.random.RandomState(0).permutation(len(found.target))[:most]
    return [_png(found.images[index], side) for index in order], found.target[order]


def _png(image: np.ndarray, side: int) -> bytes:
    packed = io.BytesIO()
    picture = Image.fromarray((image * 15.9).astype("uint8")).resize((side, side))
    picture.convert("RGB").save(packed, "PNG")
    return packed.getvalue()


def several_labels(digits: np.ndarray) -> np.ndarray:
    """Return what else can be said of digits: odd, above four, eight (one in ten), round."""
    names = [digits % 2 == 1, digits > 4, digits == 8, np.isin(digits, (0, 6, 8, 9))]
    return np.stack(names, axis=1).astype(np.float32)


def records(images: Sequence[bytes], labels: np.ndarray) -> bytes:
    """Return a .rec file; `labels` has a row, or only a number, for each image."""
    written = io.BytesIO()
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        if np.ndim(label):
            head = struct.pack("<IfQQ", len(label), 0.0, number, 0)
            head += np.asarray(label, "<f4").tobytes()
        else:
            head = struct.pack("<IfQQ", 0, float(label), number, 0)
        record = head + image
        written.write(struct.pack("<II", 0xCED7230A, len(record)) + record)
        written.write(bytes(-len(record) % 4))
    return written.getvalue()


def learn(
    emulator: Emulator,
    train: str,
    validation: str,
    *,
    hosts: int = 1,
    mode: str = "File",
    model: str = "",
    **settings: object,
) -> tuple[str, str]:
    """Create a training job; returns its name and its bucket.

    Args:
        train, validation: URIs of .rec files.
        model: the URI of a model to start from.
        settings: hyperparameters; replace the plain ones.
    """
    name, bucket = unique("learns"), emulator.bucket()
    channels = [
        channel("train", train, ContentType=RECORDS),
        channel("validation", validation, ContentType=RECORDS),
    ]
    if model:
        kind = {"ContentType": "application/x-sagemaker-model", "InputMode": "File"}
        channels.append(channel("model", model, **kind))
    emulator.client("sagemaker").create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": ALGORITHM, "TrainingInputMode": mode},
        RoleArn=ROLE,
        InputDataConfig=channels,
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/out"},
        ResourceConfig={
            "InstanceType": "ml.p2.xlarge",
            "InstanceCount": hosts,
            "VolumeSizeInGB": 1,
        },
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        HyperParameters={**SETTINGS, **{key: str(value) for key, value in settings.items()}},
        # Tests share the processors with whatever else runs.
        Environment={"OMP_NUM_THREADS": "1"},
    )
    return name, bucket


def completed(emulator: Emulator, name: str, within: float = 120) -> dict[str, Any]:
    """Return the job once it has ended; fails unless it ended well within so many seconds."""
    job = emulator.ended(name, within=within)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    return job


def history(lines: Sequence[str], kind: str, metric: str = "accuracy") -> list[float]:
    """Return the values of a metric, epoch by epoch, as a job's log has them.

    Args:
        kind: Train or Validation.
    """
    found = [match.groups() for line in lines if (match := METRIC.search(line))]
    values = {int(epoch): float(v) for epoch, k, m, v in found if (k, m) == (kind, metric)}
    assert list(values) == list(range(len(values)))
    return list(values.values())


def parameters(files: Mapping[str, bytes | None]) -> list[str]:
    """Return the numbers of the epochs whose weights a model has."""
    return sorted(match[1] for name in files if (match := re.search(r"-(\d{4})\.params$", name)))

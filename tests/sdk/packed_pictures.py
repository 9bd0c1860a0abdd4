"""Folders of pictures, packed by `pack-images`, and a script that has an SDK train on them."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from environments import ROOT
from PIL import Image

PACKER = ROOT / "images" / "image-classification" / "bin" / "pack-images"
CLASSES = ("across", "down", "plain")
ESTIMATOR = """
import json
import sagemaker
from sagemaker.estimator import Estimator

first = sagemaker.__version__.startswith("1.")
session = sagemaker.Session()
if first:
    from sagemaker.amazon.amazon_estimator import get_image_uri
    from sagemaker.session import s3_input as Channel
    image = get_image_uri(session.boto_region_name, "image-classification")
else:
    from sagemaker.inputs import TrainingInput as Channel
    from sagemaker.serializers import IdentitySerializer
    image = sagemaker.image_uris.retrieve("image-classification", session.boto_region_name)

def estimator(mode, **arguments):
    prefix = "train_" if first else ""
    made = Estimator(
        image, role=sagemaker.get_execution_role(), input_mode=mode,
        **{prefix + "instance_count": 1, prefix + "instance_type": TRAIN_ON}, **arguments)
    made.set_hyperparameters(
        num_layers=20, image_shape="3,28,28", num_classes=3, num_training_samples=TRAINED,
        mini_batch_size=8, epochs=1, learning_rate=0.01)
    return made

def fitted(mode, **arguments):
    made = estimator(mode, **arguments)
    made.fit({
        channel: Channel(
            session.upload_data(path, key_prefix="stripes/" + channel),
            content_type="application/x-recordio", s3_data_type="S3Prefix")
        for channel, path in CHANNELS.items()
    })
    return made

def asked(made):
    predictor = made.deploy(1, SERVE_ON)
    if first:
        predictor.content_type = "application/x-image"
    else:
        predictor.serializer = IdentitySerializer("application/x-image")
    with open(PICTURE, "rb") as file:
        answer = json.loads(predictor.predict(file.read()))
    predictor.delete_endpoint()
    return answer
"""


@dataclass(frozen=True)
class Packed:
    """Pictures of some classes as RecordIO.

    Attributes:
        train, validation: the files.
        trained: how many pictures `train` has.
        classes: how many classes there are.
        picture: one that is a file.
    """

    train: Path
    validation: Path
    trained: int
    classes: int
    picture: Path

    def script(self, journey: str, *, local: bool = False) -> str:
        """Return a script for version 1 or 2 of the SDK.

        Args:
            journey: calls `fitted` and `asked`; the last line printed is its `told` as JSON.
            local: in the SDK's local mode.
        """
        known = {
            "TRAIN_ON": "local" if local else "ml.p2.xlarge",
            "SERVE_ON": "local" if local else "ml.m4.xlarge",
            "CHANNELS": {"train": str(self.train), "validation": str(self.validation)},
            "TRAINED": self.trained,
            "PICTURE": str(self.picture),
        }
        named = "".join(f"{name} = {value!r}\n" for name, value in known.items())
        return f"{named}{ESTIMATOR}{journey}\nprint()\nprint(json.dumps(told))\n"


def draw(folder: Path, *, each: int = 10, side: int = 32) -> Path:
    """Write pictures of stripes across, stripes down and none; returns their folder."""
    chance = np.random.default_rng(7)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = chance.integers(0, 60, (side, side, 3), dtype=np.uint8)
            if name == "across":
                pixels[::4] += 150
            if name == "down":
                pixels[:, ::4] += 150
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def pack(pictures: Path, packed: Path) -> Packed:
    """Pack a folder that has a folder of pictures for each class; a fifth of them validates."""
    done = subprocess.run(
        [sys.executable, str(PACKER), str(pictures), str(packed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trained = (packed / "train.lst").read_text().splitlines()
    return Packed(
        train=packed / "train.rec",
        validation=packed / "validation.rec",
        trained=len(trained),
        classes=len((packed / "classes.txt").read_text().splitlines()),
        picture=pictures / trained[0].split("\t")[2],
    )

"""A notebook that others wrote for AWS: image-classification by boto3, on Caltech-256.

It is in the folder that SAGEMAKER_EMULATOR_TEST_NOTEBOOKS names, the photographs are in `photos/`
of the one that SAGEMAKER_EMULATOR_TEST_DATA names; where these are not set, the tests in this file
do not exist. All cells run in their order. What differs from what the author wrote is the bucket,
which the notebook asks for, and the numbers in `scaled` and `SMALL`. The photographs lie where the
notebook would download others, `wget` copies a photograph instead of fetching it, and one cell more
shows the whole answer.
"""

import logging
import os
import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import notebooks
import packed_pictures
import pytest
from environments import Shell
from notebooks import Run
from packed_pictures import Packed
from PIL import Image

from tests.system.running_emulator import Emulator, eventually

NOTEBOOK = (
    Path(os.environ["SAGEMAKER_EMULATOR_TEST_NOTEBOOKS"])
    / "004-image-classification-elastic-inference.rst"
)
PHOTOS = Path(os.environ["SAGEMAKER_EMULATOR_TEST_DATA"], "photos").resolve()
ASKED = PHOTOS / "008_0007.jpg"
BUCKET = "photographs"
SHORTEST_SIDE = 256  # pixels
log = logging.getLogger(__name__)

Shells = Callable[..., Shell]

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]

SMALL = {'image_shape = "3,224,224"': 'image_shape = "3,28,28"', 'layers = "18"': 'layers = "20"'}
SHOW = 'print("probabilities", len(result), sum(result))'
AS_WRITTEN: dict[str, str] = {}
"""Of the network: 18 layers for pictures of 224x224."""


def scaled(photos: Packed) -> dict[str, str]:
    """Return what is smaller than on AWS whatever the network: the data, and so its numbers."""
    return {
        "'<<bucket-name>>'": repr(BUCKET),
        'num_training_samples = "15420"': f'num_training_samples = "{photos.trained}"',
        'num_classes = "257"': f'num_classes = "{photos.classes}"',
        'mini_batch_size =  "64"': 'mini_batch_size =  "5"',
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Photographs of five classes, as large as those of the notebook, packed."""
    folder = tmp_path_factory.mktemp("photos")
    for path in (PHOTOS / "caltech101-5").rglob("*.jpg"):
        enlarged = folder / "pictures" / path.parent.name / path.name
        enlarged.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as photo:
            scale = SHORTEST_SIDE / min(photo.size)
            size = [round(side * scale) for side in photo.size]
            photo.convert("RGB").resize((size[0], size[1])).save(enlarged)
    return packed_pictures.pack(folder / "pictures", folder / "packed")


@pytest.fixture(scope="module")
def bucket(emulator: Emulator) -> None:
    """The bucket that the user of the notebook has."""
    emulator.client("s3").create_bucket(Bucket=BUCKET)


def prepare(shell: Shell, photos: Packed) -> Path:
    """Return a folder with the data under the names that the notebook downloads them under."""
    folder = shell.home / "notebook"
    folder.mkdir()
    (folder / "caltech-256-60-train.rec").symlink_to(photos.train)
    (folder / "caltech-256-60-val.rec").symlink_to(photos.validation)
    commands = shell.home / "commands"
    commands.mkdir()
    wget = commands / "wget"
    wget.write_text(f'#!/bin/sh\n[ "$1" = -O ] && exec cp {shlex.quote(str(ASKED))} "$2"\n')
    wget.chmod(wget.stat().st_mode | stat.S_IXUSR)
    shell.environment["PATH"] = f"{commands}:{shell.environment['PATH']}"
    return folder


def names(run: Run) -> dict[str, str]:
    """Return the names that the notebook made up and printed."""
    printed = run.printed()
    found = {
        "job": re.search(r"^Training job name: (\S+)$", printed, re.MULTILINE),
        "model": re.search(r"^(DEMO-full-image-classification-model-\S+)$", printed, re.MULTILINE),
        "configuration": re.search(r"^Endpoint configuration name: (\S+)$", printed, re.MULTILINE),
        "endpoint": re.search(r"^Endpoint name: (\S+)$", printed, re.MULTILINE),
    }
    assert all(found.values()), printed[-3000:]
    return {what: match[1] for what, match in found.items() if match}


def channel(name: str) -> dict[str, Any]:
    """Return a channel as the notebook asks for it."""
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": f"s3://{BUCKET}/image-classification-full-training/{name}/",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "ContentType": "application/x-recordio",
        "CompressionType": "None",
    }


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    "version, network, shape, layers",
    [
        ("v1", SMALL, "3,28,28", "20"),
        ("v2", SMALL, "3,28,28", "20"),
        ("v2", AS_WRITTEN, "3,224,224", "18"),
    ],
    ids=["v1", "v2", "v2 at 224x224"],
)
def test_a_photograph_gets_a_label(
    version: str,
    network: dict[str, str],
    shape: str,
    layers: str,
    shell: Shells,
    photos: Packed,
    emulator: Emulator,
) -> None:
    opened = shell(version)
    notebook = notebooks.replaced(notebooks.read(NOTEBOOK), scaled(photos) | network)
    notebooks.with_cell(notebook, SHOW, before="sage.delete_endpoint(")
    run = notebooks.execute(notebook, opened, prepare(opened, photos))
    printed = run.printed()
    assert printed.count("Training job ended with status: Completed\n") == 2
    assert "Endpoint creation ended with EndpointStatus = InService\n" in printed
    result = re.search(r"^Result: label - (\S+), probability - (\S+)$", printed, re.MULTILINE)
    assert result, printed[-3000:]
    log.info("%s, %s: %.0f s; %s", version, shape, run.seconds, result[0])
    # The notebook's own names for the first five classes.
    assert result[1] in ("ak47", "american-flag", "backpack", "baseball-bat", "baseball-glove")
    assert 1 / photos.classes <= float(result[2]) <= 1
    answer = re.search(r"^probabilities (\d+) (\S+)$", printed, re.MULTILINE)
    assert answer, printed[-3000:]
    assert int(answer[1]) == photos.classes
    assert float(answer[2]) == pytest.approx(1, abs=1e-5)

    made, sagemaker = names(run), emulator.client("sagemaker")
    job = emulator.job(made["job"])
    asked_as_written(job)
    assert job["HyperParameters"] == {
        "image_shape": shape,
        "num_layers": layers,
        "num_training_samples": str(photos.trained),
        "num_classes": str(photos.classes),
        "mini_batch_size": "5",
        "epochs": "2",
        "learning_rate": "0.01",
    }
    model = sagemaker.describe_model(ModelName=made["model"])["PrimaryContainer"]
    assert model["Image"] == job["AlgorithmSpecification"]["TrainingImage"]
    assert model["ModelDataUrl"] == (
        f"s3://{BUCKET}/DEMO-imageclassification/output/{made['job']}/output/model.tar.gz"
    )
    [variant] = sagemaker.describe_endpoint_config(EndpointConfigName=made["configuration"])[
        "ProductionVariants"
    ]
    assert variant["InstanceType"] == "ml.m4.xlarge"
    assert variant["AcceleratorType"] == "ml.eia1.large"
    eventually(lambda: emulator.gone(made["endpoint"]), what="the notebook's endpoint is gone")


def asked_as_written(job: dict[str, Any]) -> None:
    """Assert that a job is what the notebook's author asks for on AWS."""
    specification = job["AlgorithmSpecification"]
    assert specification["TrainingImage"].endswith("/image-classification:1")
    assert specification["TrainingInputMode"] == "File"
    assert job["ResourceConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.p2.xlarge",
        "VolumeSizeInGB": 50,
    }
    assert job["StoppingCondition"]["MaxRuntimeInSeconds"] == 360000
    assert job["OutputDataConfig"]["S3OutputPath"] == (
        f"s3://{BUCKET}/DEMO-imageclassification/output"
    )
    wanted = [channel("train"), channel("validation")]
    described = [
        {key: value for key, value in each.items() if key in wanted[0]}
        for each in job["InputDataConfig"]
    ]
    assert described == wanted

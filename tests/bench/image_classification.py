"""The image-classification algorithm against bare MXNet in its own image, and Pipe against File."""

import http
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from emulator.catalogue.recipes import source_directory
from emulator.catalogue.table import local_name
from tests.bench.emulator import Emulator, client
from tests.bench.engine import PORT, Engine
from tests.bench.measure import Row, compare, milliseconds
from tests.bench.resources import BUCKET, Resources

IMAGE = local_name("image-classification")
BARE = Path(__file__).with_name("bare")
CLASSES = 4
BATCH = 32
_PACKER = source_directory() / "image-classification/bin/pack-images"
_EPOCH = re.compile(r"Epoch\[(\d+)\] Time cost=([0-9.]+)")


@dataclass(frozen=True)
class Drawn:
    """Pictures of noise, packed.

    Attributes:
        records: the folder of train.rec and validation.rec.
        count: pictures in train.rec, a multiple of the batch.
        side: of each picture, in pixels.
    """

    records: Path
    count: int
    side: int


def draw(folder: Path, count: int, side: int, *, different: int = 64) -> Drawn:
    """Pack so many pictures to train with and a batch to validate with.

    Args:
        different: pictures that are really drawn; the others are these again.
    """
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(different):
        packed = io.BytesIO()
        pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(packed, "JPEG", quality=95)
        drawn.append(packed.getvalue())
    every = count + BATCH
    for number in range(every):
        path = folder / f"pictures/{number % CLASSES}/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn[number % different])
    part = str(BATCH / every)
    command = [sys.executable, str(_PACKER), str(folder / "pictures"), str(folder / "records")]
    subprocess.run([*command, "--validation", part], check=True, stdout=subprocess.DEVNULL)
    return Drawn(folder / "records", count, side)


def hyperparameters(drawn: Drawn, layers: int, side: int, epochs: int) -> dict[str, str]:
    """Return what a job on these pictures is asked to do."""
    return {
        "num_layers": str(layers),
        "image_shape": f"3,{side},{side}",
        "num_classes": str(CLASSES),
        "num_training_samples": str(drawn.count),
        "mini_batch_size": str(BATCH),
        "epochs": str(epochs),
        "learning_rate": "0.05",
    }


def training(engine: Engine, repeats: int) -> Iterator[Row]:
    """Images per second of `train`, first epochs left out, against a loop over a Module."""
    for count, side, layers, epochs, times in (
        (960, 28, 20, 3, repeats),
        (96, 224, 18, 2, max(1, repeats - 1)),
    ):
        with tempfile.TemporaryDirectory() as directory:
            drawn = draw(Path(directory), count, side)
            asked = hyperparameters(drawn, layers, side, epochs)
            yield compare(
                f"train 3x{side}x{side}, {layers} layers, first epoch left out",
                partial(_built_in_rate, engine, Path(directory), drawn, asked),
                ("a Module and ImageRecordIter", partial(_bare_rate, engine, drawn, asked)),
                unit="img/s",
                repeats=times,
                goal=0.95,
                more_is_better=True,
                warm=True,
            )


def _built_in_rate(engine: Engine, folder: Path, drawn: Drawn, asked: dict[str, str]) -> float:
    root = folder / "ml"
    channel = {
        "ContentType": "application/x-recordio",
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    documents: dict[str, Any] = {
        "hyperparameters": asked,
        "inputdataconfig": {"train": channel, "validation": channel},
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "network_interface_name": "eth0",
        },
    }
    for name in ("input/config", "model", "output"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (root / f"input/config/{name}.json").write_text(json.dumps(document))
    for name in ("train", "validation"):
        link = root / f"input/data/{name}/{name}.rec"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        os.link(drawn.records / f"{name}.rec", link)
    log = engine.run(IMAGE, ["train"], {root: "/opt/ml"})
    took = [float(seconds) for _, seconds in _EPOCH.findall(log)]
    return drawn.count * len(took[1:]) / sum(took[1:])


def _bare_rate(engine: Engine, drawn: Drawn, asked: dict[str, str]) -> float:
    names = ("image_shape", "num_layers", "num_classes", "mini_batch_size", "epochs")
    words = [asked[name] for name in names]
    command = ["python3", "/bench/training.py", "/data/train.rec", *words]
    log = engine.run(IMAGE, command, {BARE: "/bench", drawn.records: "/data"})
    rates = json.loads(log.splitlines()[-1])[1:]
    return len(rates) / sum(1 / rate for rate in rates)


def predictions(engine: Engine, repeats: int, calls: int) -> Iterator[Row]:
    """A photograph through the server and the emulator, against decoding and predicting alone."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        command = ["python3", "/bench/model.py", "/made", "3,224,224", "18"]
        (folder / "model").mkdir()
        engine.run(IMAGE, command, {BARE: "/bench", folder / "model": "/made"})
        photograph = _photograph()
        (folder / "photograph.jpg").write_bytes(photograph)
        floor = "decode, resize, predict", partial(_bare_p50, engine, folder, calls)
        with (
            engine.serving(image=IMAGE, mounts={folder / "model": "/opt/ml/model"}) as address,
            Emulator() as emulator,
        ):
            yield compare(
                f"/invocations, 18 layers, {len(photograph) // 1024} KB JPEG: p50",
                partial(_p50, _direct(address, photograph), calls),
                floor,
                repeats=repeats,
                goal=1.15,
            )
            invoke = _deployed(emulator, folder / "model", photograph)
            yield compare(
                "the same by InvokeEndpoint, boto3: p50",
                partial(_p50, invoke, calls),
                floor,
                repeats=repeats,
            )


def _photograph() -> bytes:
    """Return a JPEG of 1600 by 1200 pixels, as coarse and fine as a camera's."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((1600, 1200), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.integers(-8, 9, pixels.shape, dtype=np.int16)
    packed = io.BytesIO()
    Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(packed, "JPEG", quality=85)
    return packed.getvalue()


def _bare_p50(engine: Engine, folder: Path, calls: int) -> float:
    # With what the image sets for its server.
    script = "exec env $EMULATOR_SERVE_DEFAULTS python3 /bench/predicting.py"
    script += f" /data/model/image-classification /data/photograph.jpg {calls}"
    log = engine.run(IMAGE, ["sh", "-c", script], {BARE: "/bench", folder: "/data"})
    return float(log.splitlines()[-1])


def _p50(invoke: Callable[[], object], calls: int) -> float:
    took = milliseconds(invoke)
    return median(took() for _ in range(calls))


def _direct(address: str, body: bytes) -> Callable[[], object]:
    connection = http.client.HTTPConnection(address, PORT)

    def invoke() -> object:
        connection.request("POST", "/invocations", body, {"Content-Type": "image/jpeg"})
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != http.HTTPStatus.OK:
            raise RuntimeError(answer)
        return answer

    return invoke


def _deployed(emulator: Emulator, model: Path, body: bytes) -> Callable[[], object]:
    resources = Resources(emulator)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        archive.add(model, arcname=".")
    resources.s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=packed.getvalue())
    url = f"s3://{BUCKET}/model.tar.gz"
    name = resources.deploy(resources.configure(Image=IMAGE, ModelDataUrl=url))
    runtime = client("sagemaker-runtime", emulator.url)

    def invoke() -> object:
        reply = runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="image/jpeg")
        return json.loads(reply["Body"].read())

    return invoke


@dataclass(frozen=True)
class Cost:
    """What a job took: seconds, and peaks in MB."""

    seconds: float
    container: float
    emulator: float
    disk: float


def input_modes(engine: Engine) -> Iterator[Row]:
    """One job on 200 MB of records by File and by Pipe mode, each with an emulator of its own."""
    with tempfile.TemporaryDirectory() as directory:
        drawn = draw(Path(directory), 4096, 208)
        size = (drawn.records / "train.rec").stat().st_size / 1e6
        by_file, by_pipe = (_cost(engine, drawn, mode) for mode in ("File", "Pipe"))
    for words, unit, name in (
        ("job", "s", "seconds"),
        ("memory of the container, peak", "MB", "container"),
        ("memory of the emulator, peak", "MB", "emulator"),
        ("disk besides S3's, peak", "MB", "disk"),
    ):
        ours = getattr(by_pipe, name)
        title = f"{size:.0f} MB of records by Pipe: {words}"
        yield Row(title, "by File", unit, ours, getattr(by_file, name), (ours, ours), 1)


def _cost(engine: Engine, drawn: Drawn, mode: str) -> Cost:
    with Emulator() as emulator:
        resources = Resources(emulator)
        for name in ("train", "validation"):
            path = drawn.records / f"{name}.rec"
            resources.s3.upload_file(str(path), BUCKET, f"{mode}/{name}/{name}.rec")
        channels = [
            {
                "ChannelName": name,
                "ContentType": "application/x-recordio",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{BUCKET}/{mode}/{name}",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for name in ("train", "validation")
        ]
        before = emulator.disk_mb()
        with _peaks(partial(engine.memory_mb, emulator.instance), emulator.disk_mb) as peaks:
            began = time.perf_counter()
            resources.train(
                AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": mode},
                HyperParameters=hyperparameters(drawn, 20, 28, 1),
                InputDataConfig=channels,
            )
            seconds = time.perf_counter() - began
        container, disk = peaks
        return Cost(seconds, container, emulator.memory_peak_mb(), disk - before)


@contextmanager
def _peaks(*measures: Callable[[], float]) -> Iterator[list[float]]:
    """Look many times each second; the list has the largest values that were seen."""
    peaks = [0.0 for _ in measures]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            for number, measure in enumerate(measures):
                peaks[number] = max(peaks[number], measure())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join()

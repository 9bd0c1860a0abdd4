"""Checks how the algorithm reads data, against MXNet, OpenCV and Pillow; prints what each found."""

import io
import itertools
import json
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
from checks import check, run
from image_classification import batches, hyperparameters, pictures, recordio, sources
from image_classification.channels import Channel
from image_classification.errors import CustomerError
from PIL import Image

MAGIC = struct.pack("<I", 0xCED7230A)
FOLDER = Path(tempfile.mkdtemp())


def colourful(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a smooth picture in RGB."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    packed = io.BytesIO()
    image.save(packed, form, **options)
    return packed.getvalue()


def png(array: np.ndarray) -> bytes:
    return encoded(Image.fromarray(array), "PNG")


def configured(**values: object) -> hyperparameters.Configuration:
    raw = {"num_classes": 5, "num_training_samples": 10, "image_shape": "3,20,30"}
    raw |= {"num_layers": 20, "mini_batch_size": 4} | values
    return hyperparameters.parse({name: str(value) for name, value in raw.items()})


class Examples:
    """A source of given images; counts those that have been asked for."""

    def __init__(self, images: list[bytes]) -> None:
        self.count, self._images, self.read, self.closed = len(images), images, 0, False

    def epoch(self, number: int) -> Iterator[sources.Example]:
        try:
            for index, image in enumerate(self._images):
                self.read += 1
                label = np.array([index % 5], np.float32)
                yield sources.Example(image, label, f"Image {index}")
        finally:
            self.closed = True


def refusal(run: Callable[[], object]) -> str:
    try:
        run()
    except CustomerError as error:
        return str(error)
    raise AssertionError("it was accepted")


@check
def records_are_mxnets_own_byte_for_byte() -> None:
    random = np.random.default_rng(0)
    plain = [b"", b"abcd", MAGIC, MAGIC * 5, b"ab" + MAGIC, b"abcd" + MAGIC + b"e"]
    plain += [random.bytes(size) for size in (1, 2, 3, 4, 70_001)]
    plain += [random.bytes(4_000) + MAGIC + random.bytes(11) + MAGIC * 2 + random.bytes(9)]
    # Of every four places, one splits the record.
    plain += [bytes(shift) + MAGIC + b"tail" for shift in range(8)]
    theirs = mx.recordio.MXRecordIO(str(FOLDER / "theirs.rec"), "w")
    with (FOLDER / "ours.rec").open("wb") as ours:
        for record in plain:
            theirs.write(record)
            recordio.write(ours, record)
    theirs.close()
    content = (FOLDER / "ours.rec").read_bytes()
    assert content == (FOLDER / "theirs.rec").read_bytes()
    assert list(recordio.read(io.BytesIO(content), "")) == plain
    reader = mx.recordio.MXRecordIO(str(FOLDER / "ours.rec"), "r")
    assert [reader.read() for _ in plain] == plain
    reader.close()


@check
def image_records_are_mxnets_own_byte_for_byte() -> None:
    for labels in ((3.0,), (0.0, 1.0, 0.0), (0.25, -2.0)):
        header = mx.recordio.IRHeader(0, labels[0] if len(labels) == 1 else labels, 17, 0)
        theirs = mx.recordio.pack(header, b"image")
        assert recordio.pack_image(labels, b"image", 17) == theirs
        assert recordio.unpack_image(theirs, "") == (labels, b"image")


@check
def pictures_of_every_kind_become_rgb() -> None:
    array = colourful(20, 30)
    rgb = Image.fromarray(array)
    clear = rgb.convert("RGBA")
    clear.putalpha(7)
    deep = cv2.imencode(".png", array[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    kinds = {
        "RGB PNG": (encoded(rgb, "PNG"), array),
        "transparent PNG": (encoded(clear, "PNG"), array),
        "grey PNG": (encoded(rgb.convert("L"), "PNG"), np.asarray(rgb.convert("L").convert("RGB"))),
        "palette PNG": (encoded(rgb.quantize(), "PNG"), np.asarray(rgb.quantize().convert("RGB"))),
        "16-bit PNG": (deep, array),
        "JPEG": (encoded(rgb, "JPEG", quality=100, subsampling=0), array),
        "grey JPEG": (
            encoded(rgb.convert("L"), "JPEG", quality=100),
            np.asarray(rgb.convert("L").convert("RGB")),
        ),
        "CMYK JPEG": (encoded(rgb.convert("CMYK"), "JPEG", quality=100), array),
    }
    for kind, (data, expected) in kinds.items():
        found = pictures.decode(data)
        assert found.dtype == np.uint8, kind
        assert found.shape == expected.shape, kind
        assert np.abs(found.astype(int) - expected).mean() < 2, kind


@check
def a_picture_is_turned_as_its_camera_was() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # to be rotated clockwise by 90 degrees
    found = pictures.decode(encoded(Image.fromarray(colourful(20, 30)), "JPEG", exif=turned))
    assert found.shape == (30, 20, 3)


@check
def what_is_no_picture_is_refused() -> None:
    whole = png(colourful(20, 30))
    for data in (b"", b"hello", whole[:20], b"\xff\xd8\xff", b"GIF89a"):
        try:
            pictures.decode(data)
        except pictures.NotAPicture:
            continue
        raise AssertionError(data)


@check
def the_shortest_side_is_resized_and_the_centre_is_cut_out() -> None:
    array = np.zeros((60, 90, 3), np.uint8)
    array[20:40, 30:60] = 255
    exact = pictures.Preparation((3, 20, 30)).of(png(array))
    assert exact.min() == 255
    for size in ((60, 90), (90, 60), (300, 450), (40, 61)):
        found = pictures.resized(colourful(*size), 40)
        assert min(found.shape[:2]) == 40, size
        assert abs(found.shape[0] / found.shape[1] - size[0] / size[1]) < 0.02, size
    half = pictures.Preparation((3, 10, 15), resize=30).of(png(array))
    assert half.shape == (10, 15, 3)
    assert half.min() == 255
    grey = pictures.Preparation((1, 20, 30)).of(png(colourful(60, 90)))
    assert grey.shape == (20, 30, 1)
    assert pictures.stretched(array, 7, 300).shape == (7, 300, 3)


@check
def a_crop_reaches_every_place_and_flips() -> None:
    # Each pixel says where it is.
    array = np.zeros((23, 34, 3), np.uint8)
    array[..., 0], array[..., 1] = np.arange(23)[:, np.newaxis], np.arange(34)
    cut = pictures.Preparation((3, 20, 30), augmentation="crop")
    seen = set()
    for chances in np.random.default_rng(0).random((2000, pictures.CHANCES)):
        found = cut.of(png(array), chances.tolist()).astype(int)
        flipped = bool(found[0, 0, 1] > found[0, -1, 1])
        upright = found[:, ::-1] if flipped else found
        top, left = upright[0, 0, :2]
        assert np.array_equal(upright, array[top : top + 20, left : left + 30])
        seen.add((top, left, flipped))
    assert seen == set(itertools.product(range(4), range(5), (False, True)))
    for chance in (0.0, 1.0, np.nextafter(1.0, 0.0)):
        assert cut.of(png(array), [chance] * pictures.CHANCES).shape == (20, 30, 3)


@check
def colours_shift_within_their_ranges() -> None:
    # A colour in the middle of each range, so that no shift meets a limit.
    middle = np.array([[[90, 128, 128]]], np.uint8)
    colour = cv2.cvtColor(middle, cv2.COLOR_HLS2RGB)
    data = png(np.tile(colour, (20, 30, 1)))
    shift = pictures.Preparation((3, 20, 30), augmentation="crop_color")
    chances = np.random.default_rng(0).random((3000, pictures.CHANCES))
    found = np.array([shift.of(data, row.tolist())[0, 0] for row in chances])[np.newaxis]
    shifts = cv2.cvtColor(found, cv2.COLOR_RGB2HLS)[0].astype(int) - middle[0, 0]
    # The way from HLS to RGB and back rounds.
    for channel, widest in enumerate((36, 50, 50)):
        reached = np.abs([shifts[:, channel].min(), shifts[:, channel].max()])
        assert (widest - 3 <= reached).all(), (channel, reached)
        assert (reached <= widest + 3).all(), (channel, reached)
    assert np.abs(shifts.mean(axis=0)).max() < 3
    still = shift.of(data, [0.5] * pictures.CHANCES)
    assert np.abs(still.astype(int) - colour).max() <= 2


@check
def a_transformed_picture_stays_within_its_angles() -> None:
    # Four dots show what the transformation did to two axes.
    array = np.zeros((101, 101, 3), np.uint8)
    dots = {"left": (50, 20), "right": (50, 80), "top": (20, 50), "bottom": (80, 50)}
    colours = {"left": (255, 0, 0), "right": (0, 255, 0), "top": (0, 0, 255), "bottom": (255,) * 3}
    for name, (row, column) in dots.items():
        cv2.circle(array, (column, row), 4, colours[name], -1)
    data = png(array)
    preparation = pictures.Preparation((3, 101, 101), augmentation="crop_color_transform")
    chances = np.random.default_rng(0).random((400, pictures.CHANCES))
    chances[:, 2] = 1  # not flipped
    chances[:, 3:6] = 0.5  # the colours stay
    angles, ratios = [], []
    for row in chances:
        found = preparation.of(data, row.tolist()).astype(int)
        at = {}
        for name, colour in colours.items():
            near = np.abs(found - np.array(colour)).sum(axis=2) < 200
            at[name] = np.argwhere(near).mean(axis=0)
        across, along = at["right"] - at["left"], at["bottom"] - at["top"]
        angles.append(np.degrees(np.arctan2(across[0], across[1])))
        ratios.append(np.linalg.norm(across) / np.linalg.norm(along))
        assert 30 < np.linalg.norm(across) < 90
    assert 8 < max(angles) < 11.5, max(angles)
    assert -11.5 < min(angles) < -8, min(angles)
    assert 1.15 < max(ratios) < 1.45, max(ratios)
    assert 0.65 < min(ratios) < 0.88, min(ratios)


@check
def batches_hold_what_mxnets_own_reader_gives() -> None:
    path = FOLDER / "ten.rec"
    with path.open("wb") as file:
        for number in range(10):
            image = encoded(Image.fromarray(colourful(40, 50, number)), "JPEG", quality=95)
            recordio.write(file, recordio.pack_image([number % 5], image, number))
    theirs = mx.io.ImageRecordIter(
        path_imgrec=str(path), data_shape=(3, 20, 30), batch_size=4, preprocess_threads=1
    )
    channel = Channel(
        "train", "application/x-recordio", "multi-hot", "File", "None", FOLDER, (path,)
    )
    source = sources.open_source(channel, None, configured(), part=0, parts=1, training=False)
    assert source.count == 10
    with closing(batches.batches(source, 0, configured(), training=False)) as found:
        ours = list(found)
    assert [batch.padding for batch in ours] == [0, 0, 2]
    for batch, their in zip(ours, theirs, strict=True):
        assert batch.data.dtype == batch.label.dtype == np.float32
        real = 4 - batch.padding
        assert np.array_equal(batch.label[:real], their.label[0].asnumpy()[:real])
        # MXNet's wheel decodes with another version of the same library.
        assert np.abs(batch.data - their.data[0].asnumpy())[:real].max() <= 4
    assert np.array_equal(ours[2].data[2:], ours[0].data[:2])
    assert ours[2].label.tolist() == [3, 4, 0, 1]


@check
def random_changes_depend_on_the_seed_and_the_epoch_alone() -> None:
    images = [png(colourful(40, 50, number)) for number in range(8)]

    def made(epoch: int, seed: int = 0) -> np.ndarray:
        configuration = configured(augmentation_type="crop_color_transform")
        found = batches.batches(Examples(images), epoch, configuration, training=True, seed=seed)
        return np.concatenate([batch.data for batch in found])

    first = made(0)
    for _ in range(3):
        assert np.array_equal(made(0), first)
    assert not np.array_equal(made(1), first)
    assert not np.array_equal(made(0, seed=1), first)


@check
def bad_images_are_refused_by_name() -> None:
    good = png(colourful(20, 30))
    small = png(colourful(19, 30))

    def run(*images: bytes, training: bool = True, **values: object) -> None:
        list(batches.batches(Examples(list(images)), 0, configured(**values), training=training))

    said = refusal(lambda: run(good, good, small, good))
    assert said == (
        "Image 2 is 19 pixels high and 30 wide, smaller than the image_shape 3,20,30; set resize "
        "to 30 or more, or give larger images."
    ), said
    run(good, good, small, good, resize=40)
    said = refusal(lambda: run(*[good] * 8, b"hello"))
    assert said.startswith("Image 8 is not a picture that can be decoded"), said
    said = refusal(lambda: run(*[good] * 3))
    assert said.startswith("The number of input images must be bigger or equal to"), said
    run(*[good] * 3, training=False)


@check
def reading_ahead_is_bounded_and_ends_with_the_iterator() -> None:
    before = threading.active_count()
    examples = Examples([png(colourful(20, 30))] * 400)
    found = batches.batches(examples, 0, configured(), training=True)
    assert threading.active_count() == before
    next(found)
    assert threading.active_count() > before
    for _ in range(10):
        next(found)
    ahead, deadline = (11 + 2) * 4, time.monotonic() + 30
    while examples.read < ahead:
        assert time.monotonic() < deadline, examples.read
        time.sleep(0.05)
    found.close()
    assert examples.read == ahead, examples.read
    assert threading.active_count() == before
    assert examples.closed


@check
def listed_images_are_packed_smaller() -> None:
    folder, lists = FOLDER / "images", FOLDER / "lists"
    (folder / "a").mkdir(parents=True)
    lists.mkdir()
    large = encoded(Image.fromarray(colourful(80, 120)), "JPEG", quality=95)
    (folder / "a/large.jpg").write_bytes(large)
    (folder / "small.png").write_bytes(png(colourful(20, 30)))
    (lists / "x.lst").write_text("5\t1\ta/large.jpg\n7\t0\tsmall.png\n")
    images = Channel("train", "application/x-image", "multi-hot", "File", "None", folder, ())
    lst = Channel(
        "train_lst", "application/x-image", "multi-hot", "File", "None", lists, (lists / "x.lst",)
    )
    found = sources.open_source(images, lst, configured(resize=40), part=0, parts=1, training=False)
    first, second = found.epoch(0)
    assert pictures.decode(first.image).shape == (40, 60, 3)
    assert len(first.image) < len(large)
    assert second.image == (folder / "small.png").read_bytes()
    assert [first.label.tolist(), second.label.tolist()] == [[1], [0]]


@check
def a_stream_fills_batches() -> None:
    fifo = FOLDER / "piped_3"
    os.mkfifo(fifo)

    def feed() -> None:
        with fifo.open("wb") as stream:
            for number in range(6):
                recordio.write(stream, png(colourful(20, 30, number)))
                recordio.write(stream, json.dumps(number % 5).encode())

    writer = threading.Thread(target=feed)
    writer.start()
    channel = Channel(
        "piped", "application/x-recordio", "class-id", "Pipe", "RecordIO", FOLDER / "piped", ()
    )
    source = sources.open_source(channel, None, configured(), part=0, parts=1, training=True)
    assert source.count is None
    first, second = batches.batches(source, 3, configured(), training=True)
    writer.join()
    assert (first.padding, second.padding) == (0, 2)
    assert second.label.tolist() == [4, 0, 0, 1]
    assert np.array_equal(second.data[1], colourful(20, 30, 5).transpose(2, 0, 1))


run()

"""A folder of pictures, packed into the RecordIO files that the algorithm trains with.

The command line is `pack-images`. Each sub-folder is a class. Pictures stay as they are unless they
are to be made smaller: the standard library of Python 3.8 or newer is all that needs.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from image_classification import recordio

# How the files of the formats begin that the algorithm takes (contract G2).
_FORMATS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_MINI_BATCH_SIZE = 32  # the hyperparameter's default
_PROGRESS_EVERY_PICTURES = 1000

Shrink = Callable[[bytes], bytes]


class CannotPack(Exception):
    """The folder can't be packed; the message names what is wrong with it."""


class Picture(NamedTuple):
    """A picture of the folder and the number of its class."""

    path: Path
    label: int


class Packed(NamedTuple):
    """What has been written."""

    classes: Sequence[str]
    train: Sequence[Picture]
    validation: Sequence[Picture]


def find(folder: Path) -> tuple[list[str], list[Picture]]:
    """Return the classes of a folder, sorted by name, and the pictures of each.

    Raises:
        CannotPack: there are no classes, an empty one, or files that are no JPEG or PNG pictures.
    """
    if not folder.is_dir():
        raise CannotPack(f"{folder} is not a folder.")
    folders = [path for path in _visible(folder) if path.is_dir()]
    if not folders:
        raise CannotPack(f"{folder} has no folders: it must have one for each class of pictures.")
    pictures, others = [], [path for path in _visible(folder) if not path.is_dir()]
    for label, of_class in enumerate(folders):
        found = _visible(of_class)
        if not found:
            raise CannotPack(f"The class {of_class.name} has no pictures: {of_class} is empty.")
        for path in found:
            if any(character in str(path) for character in "\t\r\n"):
                raise CannotPack(f"A .lst file can't hold this name; change it: {str(path)!r}")
            if _is_picture(path):
                pictures.append(Picture(path, label))
            else:
                others.append(path)
    if others:
        named = "\n".join(f"  {path}" for path in others[:10])
        named += f"\n  and {len(others) - 10} more" if len(others) > 10 else ""
        raise CannotPack(
            f"These are not JPEG or PNG pictures in a class's folder; move them away:\n{named}"
        )
    return [path.name for path in folders], pictures


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8).startswith(_FORMATS)


def split(
    pictures: Sequence[Picture], validation: float, seed: int
) -> tuple[list[Picture], list[Picture]]:
    """Return pictures to train with and pictures to validate with, each in random order.

    Of each class, the part `validation` (0 to 1) is for validation, but never all, and at least
    one if the part is not 0.

    Raises:
        CannotPack: a class has one picture, which can't be for both.
    """
    chance = random.Random(seed)
    by_class: dict[int, list[Picture]] = {}
    for picture in pictures:
        by_class.setdefault(picture.label, []).append(picture)
    trains: list[Picture] = []
    validates: list[Picture] = []
    for of_class in by_class.values():
        chance.shuffle(of_class)
        count = 0
        if validation:
            if len(of_class) == 1:
                raise CannotPack(
                    f"The class {of_class[0].path.parent.name} has only one picture: a class "
                    "needs two, one of them for validation. Or choose --validation 0."
                )
            count = min(max(round(len(of_class) * validation), 1), len(of_class) - 1)
        validates += of_class[:count]
        trains += of_class[count:]
    chance.shuffle(trains)
    chance.shuffle(validates)
    return trains, validates


def pack(
    folder: Path, output: Path, *, validation: float = 0.2, seed: int = 0, shrink: Shrink | None
) -> Packed:
    """Write train and validation `.rec` and `.lst` files, and classes.txt, into `output`.

    Args:
        folder: has one folder for each class.
        output: is made when it is missing; files of these names are replaced or removed.
        validation: the part of each class that is for validation; 0 for no such files.
        seed: of the split and the order.
        shrink: gives the picture to pack instead; None packs each as it is.

    Raises:
        CannotPack: see `find` and `split`.
    """
    root, target = folder.resolve(), output.resolve()
    if root == target or root in target.parents:
        raise CannotPack(f"{output} is inside of {folder}, where it would be taken for a class.")
    classes, pictures = find(folder)
    trains, validates = split(pictures, validation, seed)
    output.mkdir(parents=True, exist_ok=True)
    (output / "classes.txt").write_text("".join(f"{name}\n" for name in classes), "utf-8")
    first = 0
    for name, some in (("train", trains), ("validation", validates)):
        records, listing = output / f"{name}.rec", output / f"{name}.lst"
        # What an earlier run validated with may be among the pictures to train with now.
        records.unlink(missing_ok=True)
        listing.unlink(missing_ok=True)
        if some:
            _write(records, some, first, shrink)
            _list(listing, some, first, folder)
        first += len(some)
    return Packed(classes, trains, validates)


def _write(records: Path, pictures: Sequence[Picture], first: int, shrink: Shrink | None) -> None:
    """Write a record file, whole or not at all; the images' numbers start with `first`."""
    unfinished = records.with_suffix(".rec.part")
    try:
        with unfinished.open("wb") as file:
            for done, picture in enumerate(pictures, 1):
                content = picture.path.read_bytes()
                if shrink:
                    content = _shrunk(picture.path, content, shrink)
                number = first + done - 1
                recordio.write(file, recordio.pack_image([picture.label], content, number))
                if done % _PROGRESS_EVERY_PICTURES == 0:
                    print(f"{records.name}: {done} of {len(pictures)} pictures", flush=True)
        os.replace(unfinished, records)
    finally:
        unfinished.unlink(missing_ok=True)


def _shrunk(path: Path, content: bytes, shrink: Shrink) -> bytes:
    try:
        return shrink(content)
    except ValueError as error:
        raise CannotPack(f"{path} can't be made smaller: {error}") from None


def _list(listing: Path, pictures: Sequence[Picture], first: int, folder: Path) -> None:
    with listing.open("w", encoding="utf-8", newline="\n") as lines:
        for number, picture in enumerate(pictures, first):
            path = picture.path.relative_to(folder).as_posix()
            lines.write(f"{number}\t{picture.label}\t{path}\n")


def shrink_to(size: int, quality: int) -> Shrink:
    """Return what makes pictures smaller whose shortest side is longer than `size` pixels.

    Raises:
        CannotPack: Pillow, which does it, is not installed.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise CannotPack("--size needs Pillow: install it with `pip install pillow`.") from None

    def shrink(content: bytes) -> bytes:
        try:
            with Image.open(io.BytesIO(content)) as stored:
                scale = size / min(stored.size)
                if scale >= 1:
                    return content
                # Cameras store how they were held beside the pixels; the new file says nothing.
                upright = ImageOps.exif_transpose(stored).convert("RGB")
                width, height = (max(round(side * scale), 1) for side in upright.size)
                packed = io.BytesIO()
                upright.resize((width, height), Image.Resampling.LANCZOS).save(
                    packed, "JPEG", quality=quality
                )
                return packed.getvalue()
        except (OSError, Image.DecompressionBombError) as error:
            raise ValueError(error) from None

    return shrink


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `pack-images`; returns the exit code."""
    given = _parser().parse_args(arguments)
    folder, output = Path(given.folder), Path(given.output)
    try:
        shrink = shrink_to(given.size, given.quality) if given.size else None
        packed = pack(folder, output, validation=given.validation, seed=given.seed, shrink=shrink)
    except (CannotPack, OSError) as error:
        print(f"pack-images: {error}", file=sys.stderr)
        return 1
    _report(packed, output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pack-images",
        description="Pack a folder of JPEG and PNG pictures into RecordIO files for the "
        "image-classification algorithm. Each folder in it is a class; classes are numbered from "
        "0 in the order of their names.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="has one folder of pictures a class")
    parser.add_argument(
        "output",
        metavar="OUTPUT",
        help="folder for train.rec, validation.rec, train.lst, validation.lst and classes.txt",
    )
    parser.add_argument(
        "--validation",
        metavar="PART",
        type=_number(float, 0, 0.99),
        default=0.2,
        help="part of each class to validate with; 0 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="of the split and the random order (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        metavar="N",
        type=_number(int, 1, 1 << 16),
        help="make the shortest side N pixels where it is longer; needs Pillow",
    )
    parser.add_argument(
        "--quality",
        metavar="N",
        type=_number(int, 1, 100),
        default=95,
        help="of JPEG pictures that --size makes (default: %(default)s)",
    )
    return parser


def _number(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return value

    parse.__name__ = "number"  # argparse names it in its message
    return parse


def _report(packed: Packed, output: Path) -> None:
    for name, pictures in (("train.rec", packed.train), ("validation.rec", packed.validation)):
        if pictures:
            print(f"{output / name}: {len(pictures)} pictures")
    print(f"{output / 'classes.txt'}: {len(packed.classes)} classes")
    print("Hyperparameters for these files:")
    print(f"  num_classes={len(packed.classes)}")
    print(f"  num_training_samples={len(packed.train)}")
    if len(packed.train) < _MINI_BATCH_SIZE:
        print(
            f"  mini_batch_size={len(packed.train)}  (or less: the default is {_MINI_BATCH_SIZE})"
        )

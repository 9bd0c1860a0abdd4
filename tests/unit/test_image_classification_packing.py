"""A folder of pictures becomes record files, with `pack-images` run as users run it."""

import io
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from image_classification_package import FOLDER, Load, imported, picture
from PIL import Image


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    yield from imported(monkeypatch)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes: ten pictures of dogs, three of cats, and a hidden file."""
    folder = tmp_path / "pictures"
    for name, count in (("dog", 10), ("cat", 3)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            form = "PNG" if number % 2 else "JPEG"
            content = picture(40, 20 + number, number * 20, form)
            (folder / name / f"{number}.{form.lower()}").write_bytes(content)
    (folder / "cat/.hidden").touch()
    return folder


def pack_images(*arguments: Any, flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, str(FOLDER / "bin/pack-images"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def listed(path: Path) -> list[tuple[int, int, str]]:
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [(int(index), int(label), name) for index, label, name in rows]


def test_a_folder_is_packed_without_any_package(load: Load, pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "new/packed"
    before = sorted(FOLDER.rglob("*"))
    # -S: with the standard library alone.
    ran = pack_images(pictures, output, flags=["-S"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        f"{output}/train.rec: 10 pictures",
        f"{output}/validation.rec: 3 pictures",
        f"{output}/classes.txt: 2 classes",
        "Hyperparameters for these files:",
        "  num_classes=2",
        "  num_training_samples=10",
        "  mini_batch_size=10  (or less: the default is 32)",
    ]
    assert (output / "classes.txt").read_text() == "cat\ndog\n"
    train, validation = listed(output / "train.lst"), listed(output / "validation.lst")
    assert [index for index, _, _ in train + validation] == list(range(13))
    assert [sum(label == n for _, label, _ in validation) for n in (0, 1)] == [1, 2]
    assert {name for _, _, name in train + validation} == {
        str(path.relative_to(pictures)) for path in pictures.glob("*/[!.]*")
    }
    recordio = load("recordio")
    for name, rows in (("train", train), ("validation", validation)):
        with (output / f"{name}.rec").open("rb") as file:
            records = [recordio.unpack_image(one, "") for one in recordio.read(file, name)]
        assert records == [((float(n),), (pictures / path).read_bytes()) for _, n, path in rows]
        assert rows != sorted(rows, key=lambda row: row[2])
    assert sorted(FOLDER.rglob("*")) == before


def test_the_same_seed_packs_the_same_and_another_does_not(pictures: Path, tmp_path: Path) -> None:
    def packed(name: str, *options: Any) -> bytes:
        assert pack_images(pictures, tmp_path / name, *options).returncode == 0
        return (tmp_path / name / "train.rec").read_bytes()

    first = packed("a")
    assert packed("b") == first
    assert packed("c", "--seed", 1) != first


@pytest.mark.parametrize("part, counts", [(0.01, [1, 1]), (0.5, [2, 5]), (0.99, [2, 9])])
def test_each_class_is_split_and_the_classes_are_mixed(
    pictures: Path, tmp_path: Path, part: float, counts: list[int]
) -> None:
    assert pack_images(pictures, tmp_path / "packed", "--validation", part).returncode == 0
    labels = [label for _, label, _ in listed(tmp_path / "packed/validation.lst")]
    assert [labels.count(label) for label in (0, 1)] == counts
    labels = [label for _, label, _ in listed(tmp_path / "packed/train.lst")]
    assert [labels.count(label) for label in (0, 1)] == [3 - counts[0], 10 - counts[1]]
    if len(labels) > 2:
        assert labels not in (sorted(labels), sorted(labels, reverse=True))


def test_without_validation_an_earlier_split_is_removed(pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "packed"
    assert pack_images(pictures, output).returncode == 0
    assert pack_images(pictures, output, "--validation", 0).returncode == 0
    assert {path.name for path in output.iterdir()} == {"train.rec", "train.lst", "classes.txt"}
    assert len(listed(output / "train.lst")) == 13


def test_pictures_are_made_smaller_on_demand(load: Load, pictures: Path, tmp_path: Path) -> None:
    assert pack_images(pictures, tmp_path / "packed", "--size", 25).returncode == 0
    recordio = load("recordio")
    rows = listed(tmp_path / "packed/train.lst")
    with (tmp_path / "packed/train.rec").open("rb") as file:
        for record, (_, _, name) in zip(recordio.read(file, ""), rows, strict=True):
            content = recordio.unpack_image(record, "").image
            original = (pictures / name).read_bytes()
            size = Image.open(io.BytesIO(original)).size
            if min(size) <= 25:
                assert content == original
            else:
                with Image.open(io.BytesIO(content)) as smaller:
                    assert min(smaller.size) == 25
                    assert smaller.size[0] == round(40 * 25 / size[1])


def no_classes(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


def all_but_one(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name != "0.jpeg"]


@pytest.mark.parametrize(
    "spoil, options, sentence",
    [
        (shutil.rmtree, (), "is not a folder."),
        (no_classes, (), "has no folders: it must have one for each class of pictures."),
        (lambda f: (f / "bird").mkdir(), (), "The class bird has no pictures"),
        (lambda f: (f / "cat/a.txt").write_text("hello"), (), "cat/a.txt"),
        (lambda f: (f / "cat/a.jpg").write_bytes(b""), (), "cat/a.jpg"),
        (lambda f: (f / "cat/more").mkdir(), (), "cat/more"),
        (lambda f: (f / "notes.txt").touch(), (), "notes.txt"),
        (lambda f: (f / "cat/a\tb.jpg").write_bytes(picture()), (), r"cat/a\tb.jpg"),
        (
            lambda f: shutil.copytree(f / "cat", f / "ant", ignore=all_but_one),
            (),
            "The class ant has only one picture",
        ),
        (
            lambda f: (f / "cat/a.jpg").write_bytes(picture(90, 90)[:-200]),
            ("--size", 8),
            "cat/a.jpg can't be made smaller",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_folder_that_cannot_be_packed_is_refused(
    pictures: Path,
    tmp_path: Path,
    spoil: Callable[[Path], Any],
    options: tuple[Any, ...],
    sentence: str,
) -> None:
    spoil(pictures)
    ran = pack_images(pictures, tmp_path / "packed", *options)
    assert ran.returncode == 1
    assert ran.stderr.startswith("pack-images: ")
    assert sentence in ran.stderr
    assert not list(tmp_path.glob("packed/*.rec*"))


def test_packing_into_the_folder_itself_is_refused(pictures: Path) -> None:
    ran = pack_images(pictures, pictures / "packed")
    assert ran.returncode == 1
    assert "where it would be taken for a class" in ran.stderr


def test_making_smaller_without_pillow_says_what_is_missing(pictures: Path, tmp_path: Path) -> None:
    ran = pack_images(pictures, tmp_path / "packed", "--size", 8, flags=["-S"])
    assert ran.returncode == 1
    assert ran.stderr.startswith("pack-images: --size needs Pillow")

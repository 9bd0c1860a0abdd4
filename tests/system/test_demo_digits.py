"""The demo's digits and report, without containers."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.digits import dataset, report
from examples.digits.dataset import NoDigits

FILES = {
    "train-images-idx3-ubyte": np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8),
    "train-labels-idx1-ubyte": np.array([1, 2, 3], np.uint8),
    "t10k-images-idx3-ubyte": np.zeros(28 * 28, np.uint8),
    "t10k-labels-idx1-ubyte": np.array([9], np.uint8),
}


def write(folder: Path, *, packed: bool) -> None:
    for name, values in FILES.items():
        array = values.reshape(-1, 28, 28) if "images" in name else values
        target = folder / f"{name}.gz"
        dataset.write_idx(target, array)
        if not packed:
            target.with_suffix("").write_bytes(gzip.decompress(target.read_bytes()))
            target.unlink()


def test_the_bundled_digits_are_scaled_and_split_the_same_way_each_time() -> None:
    first, second = dataset.bundled(), dataset.bundled()
    assert first.train[0].shape == (1437, 28, 28)
    assert first.test[0].shape == (360, 28, 28)
    assert (first.train[0].min(), first.train[0].max()) == (0, 255)
    assert set(first.test[1]) == set(range(10))
    assert (first.test[0] == second.test[0]).all()


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_from_its_files(tmp_path: Path, packed: bool) -> None:
    write(tmp_path, packed=packed)
    digits = dataset.mnist(tmp_path)
    assert digits.train[0].shape == (3, 28, 28)
    assert digits.train[0].ravel().tolist() == FILES["train-images-idx3-ubyte"].tolist()
    assert digits.train[1].tolist() == [1, 2, 3]
    assert digits.test[1].tolist() == [9]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x01\0\0\0\x05ab",
        b"\0\0\x0d\x01\0\0\0\0",
        b"\x1f\x8b",
        b"<html>",
    ],
)
def test_a_file_that_is_no_idx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(NoDigits, match="file"):
        dataset.read_idx(tmp_path / "file")


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path: Path) -> None:
    write(tmp_path, packed=True)
    dataset.write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([1], np.uint8))
    with pytest.raises(NoDigits, match="one per label"):
        dataset.mnist(tmp_path)


def test_the_channels_hold_what_the_scripts_read(tmp_path: Path) -> None:
    write(tmp_path / "mnist", packed=True)
    digits = dataset.mnist(tmp_path / "mnist")
    dataset.write_channels(digits, tmp_path / "data")
    files = sorted(path.relative_to(tmp_path / "data") for path in tmp_path.glob("data/*/*"))
    assert [str(file) for file in files] == [
        "test/images.gz",
        "test/labels.gz",
        "train/images.gz",
        "train/labels.gz",
    ]
    read = dataset.read_idx(tmp_path / "data" / "train" / "images.gz")
    assert (read == digits.train[0]).all()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that MNIST is fetched from, with files and digests of the test's own."""
    folder = tmp_path / "mirror"
    write(folder, packed=True)
    digests = {
        part: (name, hashlib.sha256((folder / f"{name}.gz").read_bytes()).hexdigest())
        for part, (name, _) in dataset._MNIST.items()
    }
    monkeypatch.setattr(dataset, "_MNIST", digests)
    monkeypatch.setattr(dataset, "_MNIST_URL", f"{folder.as_uri()}/")
    return folder


def test_what_is_missing_is_fetched_once(tmp_path: Path, mirror: Path) -> None:
    said: list[str] = []
    dataset.download(tmp_path / "mnist", said.append)
    dataset.download(tmp_path / "mnist", said.append)
    assert len(said) == 4
    assert dataset.mnist(tmp_path / "mnist").train[1].tolist() == [1, 2, 3]


def test_a_fetched_file_that_is_not_mnist_is_refused_and_not_kept(
    tmp_path: Path, mirror: Path
) -> None:
    (mirror / "train-images-idx3-ubyte.gz").write_bytes(b"<html>")
    with pytest.raises(NoDigits, match="not the MNIST that is expected"):
        dataset.download(tmp_path / "mnist", lambda _: None)
    assert list((tmp_path / "mnist").iterdir()) == []


def test_without_the_network_the_reason_is_told(tmp_path: Path, mirror: Path) -> None:
    (mirror / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(NoDigits, match="can't be fetched"):
        dataset.download(tmp_path / "mnist", lambda _: None)


@pytest.mark.parametrize(
    "predicted, share", [([1, 2, 3, 4], 1.0), ([1, 2, 3, 0], 0.75), ([0, 0, 0, 0], 0.0)]
)
def test_accuracy_is_the_share_of_right_ones(predicted: list[int], share: float) -> None:
    labels = np.array([1, 2, 3, 4], np.uint8)
    assert report.accuracy(np.array(predicted), labels) == share


def test_the_picture_shows_wrong_predictions_in_red_and_right_ones_in_green(tmp_path: Path) -> None:
    digits = dataset.bundled()

    def colours(predicted: np.ndarray) -> set[tuple[int, ...]]:
        report.draw(digits, predicted, tmp_path / "digits.png")
        with Image.open(tmp_path / "digits.png") as picture:
            return {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}

    red, green = (0xC0, 0x27, 0x1F), (0x1F, 0x7A, 0x3D)
    right = digits.test[1].astype(np.int64)
    assert green in colours(right)
    assert red not in colours(right)
    wrong = right.copy()
    wrong[200] = (wrong[200] + 1) % 10
    assert {red, green} <= colours(wrong)

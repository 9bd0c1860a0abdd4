"""What the image-classification algorithm reads: records and labels."""

import io
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from image_classification_package import Load, framed, imported

MAGIC = bytes.fromhex("0a23d7ce")
RECORDS = [b"", b"a", b"abcd", b"abcde", MAGIC, MAGIC * 3, b"x" + MAGIC, b"abcd" + MAGIC + b"ef"]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    yield from imported(monkeypatch)


def test_records_are_read_as_they_were_written(load: Load, tmp_path: Path) -> None:
    recordio = load("recordio")
    records = [*RECORDS, np.random.default_rng(0).bytes(100_001)]
    content = framed(recordio, records)
    (tmp_path / "a.rec").write_bytes(content)
    begins = recordio.offsets(tmp_path / "a.rec")
    assert list(recordio.read(io.BytesIO(content), "a.rec")) == records
    assert begins[-1] == len(content)
    slices = [content[i:j] for i, j in pairwise(begins)]
    assert [recordio.unframed(one, "a.rec") for one in slices] == records


@pytest.mark.parametrize(
    "record, content",
    [
        (b"", "0a23d7ce 00000000"),
        (b"abcde", "0a23d7ce 05000000 6162636465 000000"),
        (MAGIC, "0a23d7ce 00000020  0a23d7ce 00000060"),
        (
            b"abcd" + MAGIC + MAGIC + b"e",
            "0a23d7ce 04000020 61626364  0a23d7ce 00000040  0a23d7ce 01000060 65000000",
        ),
        (b"a" + MAGIC, "0a23d7ce 05000000 61 0a23d7ce 000000"),
    ],
    ids=["empty", "padded", "the magic number", "two of them", "one elsewhere"],
)
def test_a_record_is_framed_to_the_byte(load: Load, record: bytes, content: str) -> None:
    assert framed(load("recordio"), [record]) == bytes.fromhex(content)


def test_a_file_cut_anywhere_but_between_records_is_refused(load: Load, tmp_path: Path) -> None:
    recordio = load("recordio")
    content = framed(recordio, [b"abcde", b"abcd" + MAGIC + b"ef"])
    whole = {0, 16, len(content)}
    path = tmp_path / "train.rec"
    for length in set(range(len(content) + 1)) - whole:
        path.write_bytes(content[:length])
        for reading in (
            lambda: recordio.offsets(path),
            lambda cut=content[:length]: list(recordio.read(io.BytesIO(cut), "train.rec")),
        ):
            with pytest.raises(recordio.BrokenRecords, match=r"^train.rec is truncated: .* byte "):
                reading()


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"\x89PNG and more", "x.rec is not a RecordIO file: no record begins at byte 0."),
        (
            MAGIC + struct.pack("<I", 4) + b"abcdnonsense",
            "x.rec is damaged: no record begins at byte 12.",
        ),
        (
            MAGIC + struct.pack("<I", 3 << 29),
            "x.rec is not a RecordIO file: no record begins at byte 0.",
        ),
        (
            MAGIC + struct.pack("<I", 8) + b"abcd",
            "x.rec is truncated: the record at byte 0",
        ),
    ],
    ids=["a picture", "damage", "a last part alone", "a record cut off"],
)
def test_what_is_no_record_is_refused_with_its_place(
    load: Load, tmp_path: Path, content: bytes, sentence: str
) -> None:
    recordio = load("recordio")
    (tmp_path / "x.rec").write_bytes(content)
    with pytest.raises(recordio.BrokenRecords) as scanned:
        recordio.offsets(tmp_path / "x.rec")
    with pytest.raises(recordio.BrokenRecords) as streamed:
        list(recordio.read(io.BytesIO(content), "x.rec"))
    assert str(scanned.value).startswith(sentence)
    assert str(streamed.value).startswith(sentence)


@pytest.mark.parametrize("labels", [(3.0,), (0.0, 1.0, 1.0), ()])
def test_an_image_record_keeps_labels_and_image(load: Load, labels: tuple[float, ...]) -> None:
    recordio = load("recordio")
    record = recordio.pack_image(labels, b"image", 7)
    assert recordio.unpack_image(record, "it") == (labels or (0.0,), b"image")
    assert struct.unpack("<IfQQ", record[:24])[2:] == (7, 0)


@pytest.mark.parametrize("record", [b"", b"short", struct.pack("<IfQQ", 9, 0, 0, 0)])
def test_a_record_of_something_else_is_refused(load: Load, record: bytes) -> None:
    recordio = load("recordio")
    with pytest.raises(recordio.BrokenRecords, match=r"^it is not an image record: "):
        recordio.unpack_image(record, "it")


@pytest.mark.parametrize(
    "multi_label, class_ids, text, label",
    [
        (False, False, "3", [3]),
        (False, False, '"3"', [3]),
        (False, False, "3.0", [3]),
        (False, True, "[2]", [2]),
        (True, False, "[0, 1, 0, 1]", [0, 1, 0, 1]),
        (True, False, '"[0, 1, 0, 1]"', [0, 1, 0, 1]),
        (True, True, "[1, 3]", [0, 1, 0, 1]),
        (True, True, '"[1,3]"', [0, 1, 0, 1]),
        (True, True, "2", [0, 0, 1, 0]),
        (True, True, "[]", [0, 0, 0, 0]),
    ],
)
def test_a_label_is_read(
    load: Load, multi_label: bool, class_ids: bool, text: str, label: list[float]
) -> None:
    found = load("labels").Labels(4, multi_label, class_ids).parse(text.encode(), "it")
    assert found.dtype == np.float32
    assert found.tolist() == label


@pytest.mark.parametrize(
    "multi_label, class_ids, text, sentence",
    [
        (False, False, "4", "it has the label 4, but the num_classes parameter is 4: "),
        (False, False, "-1", "it has the label -1, but the num_classes parameter is 4: "),
        (False, False, "1.5", "it has the label 1.5, which is not a whole number."),
        (False, False, "NaN", "it has the label nan, which is not a whole number."),
        (False, False, "1e999", "it has the label inf, which is not a whole number."),
        (False, False, "[0, 1]", "it has 2 labels, but multi_label is 0: "),
        (False, False, "[]", "it has 0 labels, but multi_label is 0: "),
        (False, False, '"cat"', "it has no label: "),
        (False, False, "true", "it has no label: "),
        (False, False, '{"a": 1}', "it has no label: "),
        (False, False, "[" * 10_000, "it has no label: "),
        (False, False, "\xff\xd8\xff", "it has no label: "),
        (
            True,
            False,
            "[1, 0, 1]",
            "Mismatch between number of labels in the multi-label data (3) and the num_classes "
            "parameter (4).",
        ),
        (True, False, "[0, 0, 2, 0]", "it has labels other than 0 and 1: 0, 0, 2, 0. "),
        (True, True, "[1, 4]", "it has the label 4, but the num_classes parameter is 4: "),
    ],
)
def test_a_label_that_does_not_fit_is_refused(
    load: Load, multi_label: bool, class_ids: bool, text: str, sentence: str
) -> None:
    labels = load("labels").Labels(4, multi_label, class_ids)
    with pytest.raises(load("errors").CustomerError) as refused:
        labels.parse(text.encode("latin-1"), "it")
    assert str(refused.value).startswith(sentence)

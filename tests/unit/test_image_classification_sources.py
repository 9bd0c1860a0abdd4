"""Where the image-classification algorithm gets its examples from, on each host of a job."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from image_classification_package import Load, framed, imported, picture

RECORD, IMAGE = "application/x-recordio", "application/x-image"
NOTHING_PIPED = (
    "Got empty batch from pipe. Please check if the manifest file contains valid batches and the "
    "value of training job parameter AttributeNames matches attributes names in the augmented "
    "manifest."
)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    yield from imported(monkeypatch)


def configured(load: Load, **values: Any) -> Any:
    raw = {"num_classes": 5, "num_training_samples": 99, "image_shape": "3,4,4", "num_layers": 20}
    given = {name: str(value) for name, value in (raw | values).items()}
    return load("hyperparameters").parse(given)


def channel(load: Load, directory: Path, *files: Path, name: str = "train", **values: Any) -> Any:
    fields = {
        "content_type": RECORD,
        "label_format": "multi-hot",
        "mode": "File",
        "record_wrapper": "None",
    }
    return load("channels").Channel(
        name=name, directory=directory, files=tuple(files), **(fields | values)
    )


def records_of(load: Load, path: Path, *labels: Sequence[float]) -> Path:
    """Write a record file of images that are numbered in the order of their labels."""
    recordio = load("recordio")
    records = [recordio.pack_image(row, b"%d" % n, n) for n, row in enumerate(labels)]
    path.write_bytes(framed(recordio, records))
    return path


def opened(load: Load, path: Path, part: int = 0, parts: int = 1, **options: Any) -> Any:
    values = options.pop("values", {})
    options = {"training": True} | options
    return load("sources").open_source(
        channel(load, path.parent, path),
        None,
        configured(load, **values),
        part=part,
        parts=parts,
        **options,
    )


# Record files


def test_training_reads_each_image_once_in_an_order_of_the_epochs_own(
    load: Load, tmp_path: Path
) -> None:
    path = records_of(load, tmp_path / "a.rec", *[[n % 5] for n in range(50)])

    def orders(**options: Any) -> list[list[int]]:
        with closing(opened(load, path, **options)) as source:
            assert source.count == 50
            found = [list(source.epoch(number)) for number in (0, 1, 0)]
        for example in found[0]:
            assert example.label.tolist() == [int(example.image) % 5]
        return [[int(example.image) for example in epoch] for epoch in found]

    first, second, again = orders()
    assert sorted(first) == sorted(second) == list(range(50))
    assert first == again != second
    assert orders(seed=1)[0] not in (first, list(range(50)))
    assert orders(training=False)[0] == list(range(50))


@pytest.mark.parametrize("images, hosts", [(10, 1), (10, 2), (11, 3), (3, 3)])
def test_hosts_share_a_file_and_read_equally_many(
    load: Load, tmp_path: Path, images: int, hosts: int
) -> None:
    path = records_of(load, tmp_path / "a.rec", *[[0]] * images)
    for number in (0, 1):
        read: list[int] = []
        for part in range(hosts):
            with closing(opened(load, path, part, hosts)) as source:
                share = [int(example.image) for example in source.epoch(number)]
            assert len(share) == source.count == images // hosts
            read += share
        assert len(set(read)) == len(read) == images // hosts * hosts


@pytest.mark.parametrize(
    "labels, hosts, values, sentence",
    [
        ([], 1, {}, "a.rec holds no images."),
        ([[0], [1]], 3, {}, "a.rec holds 2 images, fewer than the 3 hosts of the job."),
        (
            [[0], [5]],
            1,
            {},
            "Image 1 of a.rec has the label 5, but the num_classes parameter is 5: "
            "labels go from 0 to 4.",
        ),
        ([[0], [0, 1]], 1, {}, "Image 1 of a.rec has 2 labels, but multi_label is 0: "),
        (
            [[1, 0, 1, 0, 0, 0]],
            1,
            {"multi_label": 1},
            "Mismatch between number of labels in the multi-label data (6) and the num_classes "
            "parameter (5).",
        ),
    ],
    ids=["empty", "more hosts than images", "label too high", "two labels", "a label too many"],
)
def test_a_record_file_is_refused_before_any_training(
    load: Load,
    tmp_path: Path,
    labels: list[list[float]],
    hosts: int,
    values: dict[str, Any],
    sentence: str,
) -> None:
    path = records_of(load, tmp_path / "a.rec", *labels)
    with pytest.raises(load("errors").CustomerError) as refused:
        opened(load, path, 0, hosts, values=values)
    assert str(refused.value).startswith(sentence)


def test_a_channel_with_several_record_files_is_refused(load: Load, tmp_path: Path) -> None:
    train = channel(load, tmp_path, tmp_path / "a.rec", tmp_path / "b.rec")
    with pytest.raises(load("errors").CustomerError, match=r"exactly one \.rec file, but has 2"):
        load("sources").open_source(train, None, configured(load), part=0, parts=1, training=True)


def test_labels_behind_what_is_read_at_first_are_judged_in_the_epoch(
    load: Load, tmp_path: Path
) -> None:
    path = records_of(load, tmp_path / "a.rec", [0.0] * 2000)
    with (
        closing(opened(load, path, values={"multi_label": 1})) as source,
        pytest.raises(load("errors").CustomerError, match=r"multi-label data \(2000\)"),
    ):
        list(source.epoch(0))


# Streams


def piped(
    load: Load, root: Path, content: bytes, *, part: int = 0, parts: int = 1, **given: Any
) -> list[Any]:
    """Read what is fed through the FIFO of epoch 2, which is made as the reader looks for it."""
    values = given.pop("values", {})
    train = channel(load, root / "train", mode="Pipe", **given)
    source = load("sources").open_source(
        train, None, configured(load, **values), part=part, parts=parts, training=True
    )
    assert source.count is None
    fifo = root / "train_2"

    def feed() -> None:
        os.mkfifo(fifo)
        # A reader that refuses what it read does not read on.
        with suppress(BrokenPipeError):
            fifo.write_bytes(content)

    writer = threading.Thread(target=feed)
    writer.start()
    try:
        return list(source.epoch(2))
    finally:
        writer.join()
        fifo.unlink()


def test_a_record_file_streams_in_its_own_order(load: Load, tmp_path: Path) -> None:
    content = records_of(load, tmp_path / "a.rec", *[[n % 5] for n in range(20)]).read_bytes()
    found = piped(load, tmp_path, content)
    assert [int(example.image) for example in found] == list(range(20))
    assert [example.label.tolist() for example in found] == [[n % 5] for n in range(20)]


@pytest.mark.parametrize(
    "label_format, values, labels, expected",
    [
        ("multi-hot", {}, ["1", '"3"'], [[1], [3]]),
        ("class-id", {}, ["[1]", '"3"'], [[1], [3]]),
        (
            "multi-hot",
            {"multi_label": 1},
            ["[0,1,0,0,1]", '"[1, 0, 0, 0, 0]"'],
            [[0, 1, 0, 0, 1], [1, 0, 0, 0, 0]],
        ),
        (
            "class-id",
            {"multi_label": 1},
            ["[1, 4]", "0"],
            [[0, 1, 0, 0, 1], [1, 0, 0, 0, 0]],
        ),
    ],
)
def test_an_augmented_manifest_streams_images_and_labels(
    load: Load,
    tmp_path: Path,
    label_format: str,
    values: dict[str, Any],
    labels: list[str],
    expected: list[list[float]],
) -> None:
    records = [record for n, text in enumerate(labels) for record in (b"%d" % n, text.encode())]
    content = framed(load("recordio"), records)
    found = piped(
        load,
        tmp_path,
        content,
        record_wrapper="RecordIO",
        label_format=label_format,
        values=values,
    )
    assert [example.image for example in found] == [b"0", b"1"]
    assert [example.label.tolist() for example in found] == expected


@pytest.mark.parametrize("wrapper", ["None", "RecordIO"])
def test_hosts_share_a_stream_and_read_equally_many(
    load: Load, tmp_path: Path, wrapper: str
) -> None:
    if wrapper == "None":
        content = records_of(load, tmp_path / "a.rec", *[[0]] * 11).read_bytes()
    else:
        pairs = [record for n in range(11) for record in (b"%d" % n, b"0")]
        content = framed(load("recordio"), pairs)
    read = [
        [
            int(example.image)
            for example in piped(
                load, tmp_path, content, part=part, parts=3, record_wrapper=wrapper
            )
        ]
        for part in range(3)
    ]
    assert read == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


@pytest.mark.parametrize(
    "wrapper, records, sentence",
    [
        ("RecordIO", [], NOTHING_PIPED),
        ("None", [], "Channel train has no images"),
        ("RecordIO", [picture()], "Image 0 of the stream of channel train, the last one, has no"),
        ("RecordIO", [picture(), picture()], "Image 0 of the stream of channel train has no label"),
        ("RecordIO", [b"0", picture()], "Image 0 of the stream of channel train has no label"),
        (
            "RecordIO",
            [picture(), b"0", b"{}", picture()],
            "Image 1 of the stream of channel train has no label",
        ),
        (
            "RecordIO",
            [bytes.fromhex("0a23d7ce00000000")],
            "Image 0 of the stream of channel train is a RecordIO file in a record: ",
        ),
        ("None", [picture()], "Image 0 of the stream of channel train "),
        ("None", [b"0"], "Image 0 of the stream of channel train is not an image record: "),
    ],
    ids=[
        "an empty manifest",
        "an empty file",
        "no last label",
        "images alone",
        "label first",
        "three attributes",
        "a record file, wrapped",
        "images, wrapped elsewhere",
        "short records",
    ],
)
def test_a_stream_that_cannot_be_trained_with_is_refused(
    load: Load, tmp_path: Path, wrapper: str, records: list[bytes], sentence: str
) -> None:
    content = framed(load("recordio"), records)
    with pytest.raises(load("errors").CustomerError) as refused:
        piped(load, tmp_path, content, record_wrapper=wrapper)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("wrapper", ["None", "RecordIO"])
@pytest.mark.parametrize(
    "content, sentence",
    [
        (picture(), "the stream of channel train is not a RecordIO file: no record begins at 0"),
        (bytes.fromhex("0a23d7ce ff000000") + b"abc", "the stream of channel train is truncated: "),
    ],
)
def test_a_stream_of_something_else_is_refused(
    load: Load, tmp_path: Path, wrapper: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(load("errors").CustomerError) as refused:
        piped(load, tmp_path, content, record_wrapper=wrapper)
    assert str(refused.value).replace("at byte", "at").startswith(sentence)


def test_a_stream_that_never_comes_is_not_the_customers_fault(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = load("sources")
    monkeypatch.setattr(sources, "_FIFO_DEADLINE_SECONDS", 0.1)
    train = channel(load, tmp_path / "train", mode="Pipe")
    source = sources.open_source(train, None, configured(load), part=0, parts=1, training=True)
    with pytest.raises(TimeoutError, match="train_0 in time"):
        list(source.epoch(0))


# Raw images with a list


def listed(load: Load, root: Path, text: str, **values: Any) -> Any:
    """Open raw images a.jpg and sub/b.jpg with the text of a .lst file."""
    (root / "train/sub").mkdir(parents=True)
    (root / "train/a.jpg").write_bytes(picture(colour=1))
    (root / "train/sub/b.jpg").write_bytes(picture(colour=200))
    (root / "secret").write_bytes(b"secret")
    path = root / "x.lst"
    path.write_bytes(text.encode("utf-8-sig"))
    images = channel(load, root / "train", content_type=IMAGE)
    lst = channel(load, root, path, name="train_lst", content_type=IMAGE)
    return load("sources").open_source(
        images, lst, configured(load, **values), part=0, parts=1, training=False
    )


@pytest.mark.parametrize(
    "text, values, labels",
    [
        ("7\t1\tsub/b.jpg\n3\t0.0\ta.jpg\n", {}, [[1], [0]]),
        ("7\t1.000000\t./sub/b.jpg\r\n\r\n3\t0\ta.jpg", {}, [[1], [0]]),
        (
            "7\t0\t1\tsub/b.jpg\n\n3\t1\t1\ta.jpg\n",
            {"multi_label": 1, "num_classes": 2},
            [[0, 1], [1, 1]],
        ),
    ],
    ids=["plain", "floats, blank lines and carriage returns", "several labels"],
)
def test_listed_images_are_packed_and_read(
    load: Load,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    text: str,
    values: dict[str, Any],
    labels: list[list[float]],
) -> None:
    with closing(listed(load, tmp_path, text, **values)) as source:
        assert source.count == 2
        found = list(source.epoch(0))
    assert [example.image for example in found] == [picture(colour=200), picture(colour=1)]
    assert [example.label.tolist() for example in found] == labels
    said = "".join(capfd.readouterr())
    assert said.index("Creating record files for x.lst") < said.index("Done creating record files")


@pytest.mark.parametrize(
    "text, values, sentence",
    [
        ("", {}, "x.lst holds no images."),
        ("\n\n", {}, "x.lst holds no images."),
        ("1 0 a.jpg", {}, "Line 1 of x.lst has 1 columns, but needs at least three"),
        ("1\t0\ta.jpg\n2\ta.jpg", {}, "Line 2 of x.lst has 2 columns, but needs at least three"),
        ("1\tcat\ta.jpg", {}, "Line 1 of x.lst has an index or a label that is not a number"),
        ("x\t1\ta.jpg", {}, "Line 1 of x.lst has an index or a label that is not a number"),
        ("inf\t1\ta.jpg", {}, "Line 1 of x.lst has an index or a label that is not a number"),
        ("1\t0\ta.jpg\n\n2\t0\tb.jpg", {}, "Line 3 of x.lst names 'b.jpg', but the channel train"),
        ("1\t0\tsub", {}, "Line 1 of x.lst names 'sub', but the channel train has no such image"),
        ("1\t0\t../secret", {}, "Line 1 of x.lst names '../secret', which leads out of"),
        ("1\t0\t/etc/hosts", {}, "Line 1 of x.lst names '/etc/hosts', which leads out of"),
        ("1\t5\ta.jpg", {}, "Line 1 of x.lst (a.jpg) has the label 5, but the num_classes"),
        ("1\t-1\ta.jpg", {}, "Line 1 of x.lst (a.jpg) has the label -1, but the num_classes"),
        ("1\t0\t1\ta.jpg", {}, "Line 1 of x.lst (a.jpg) has 2 labels, but multi_label is 0"),
        (
            "1\t0\t1\ta.jpg",
            {"multi_label": 1},
            "Mismatch between number of labels in the multi-label data (2) and the num_classes "
            "parameter (5).",
        ),
    ],
)
def test_a_list_that_does_not_fit_is_refused_with_its_line(
    load: Load, tmp_path: Path, text: str, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(load("errors").CustomerError) as refused:
        listed(load, tmp_path, text, **values)
    assert str(refused.value).startswith(sentence)

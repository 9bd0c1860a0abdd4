"""The buckets of sample data: there when they are used, with MNIST or with the bundled digits."""

import functools
import gzip
import hashlib
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from storage_server import ACCOUNT, OTHER_ACCOUNT, client, serving_of

from emulator.call import Scope
from emulator.storage import Storage, digits
from scripts import sample_digits

WEST, IRELAND = "sagemaker-sample-data-us-west-2", "sagemaker-sample-data-eu-west-1"
KEYS = [
    f"mxnet/mnist/{channel}/{content}.gz"
    for channel in ("test", "train")
    for content in ("images", "labels")
]
STAND_INS = {name: f"what {name} holds".encode() for name in digits.MNIST}
"""MNIST's files for these tests: the emulator is told their checksums."""


class Handler(SimpleHTTPRequestHandler):
    """Serves a directory, and notes what it was asked for."""

    def __init__(self, asked: list[str], *args: Any, **options: Any) -> None:
        self.asked = asked
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: Any) -> None:
        self.asked.append(self.path)


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with the stand-ins for MNIST's files; nothing answers as the mirror."""
    known = {
        name: replace(file, digest=hashlib.sha256(STAND_INS[name]).hexdigest())
        for name, file in digits.MNIST.items()
    }
    monkeypatch.setattr(digits, "MNIST", known)
    monkeypatch.setattr(digits, "MIRROR", f"http://127.0.0.1:{closed_port()}/")
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, file in known.items():
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(STAND_INS[name]))
    return folder


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let a local server stand for the public mirror; gives the paths that it is asked for."""
    asked: list[str] = []
    handler = functools.partial(Handler, asked, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setattr(digits, "MIRROR", f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Client = Callable[..., Any]


@contextmanager
def emulator(root: Path, sample_data: str) -> Iterator[Client]:
    """Serve a Storage; gives S3 clients by account and region."""
    storage = Storage(root, sample_data=sample_data)
    try:
        with serving_of(storage) as url:
            yield functools.partial(client, url, "s3")
    finally:
        storage.close()


def content(s3: Any, bucket: str = WEST) -> dict[str, bytes]:
    """Return the unzipped objects by the name of their file in digits.MNIST."""
    return {
        key.removeprefix("mxnet/mnist/"): gzip.decompress(
            s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        )
        for key in KEYS
    }


def said(caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    (record,) = [entry for entry in caplog.records if entry.name == "emulator.storage.samples"]
    return record.levelno, record.getMessage()


def buckets(s3: Any) -> list[str]:
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    "use",
    [
        lambda s3: s3.head_bucket(Bucket=WEST),
        lambda s3: s3.head_object(Bucket=WEST, Key=KEYS[0]),
        lambda s3: s3.get_object(Bucket=WEST, Key=KEYS[0])["Body"].read(),
        lambda s3: s3.list_objects(Bucket=WEST, Prefix="mxnet/"),
        lambda s3: s3.copy_object(
            Bucket="my-bucket", Key="copy", CopySource={"Bucket": WEST, "Key": KEYS[0]}
        ),
    ],
    ids=["head-bucket", "head", "get", "list", "copy"],
)
def test_the_bucket_appears_filled_when_it_is_first_used(tmp_path: Path, use: Any) -> None:
    with emulator(tmp_path, "bundled") as s3_as:
        s3 = s3_as(region="us-west-2")
        s3.create_bucket(
            Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        assert buckets(s3) == ["my-bucket"]
        use(s3)
        assert buckets(s3) == ["my-bucket", WEST]
        assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=WEST)["Contents"]] == KEYS


def test_every_region_has_its_bucket_and_every_account_may_read_it(tmp_path: Path) -> None:
    with emulator(tmp_path, "bundled") as s3_as:
        first = content(s3_as(account=OTHER_ACCOUNT, region="us-west-2"))
        assert content(s3_as(account=ACCOUNT, region="eu-west-1"), IRELAND) == first
        assert content(s3_as(account=ACCOUNT, region="us-west-2")) == first
        where = s3_as(region="eu-west-1").get_bucket_location(Bucket=IRELAND)
        assert where["LocationConstraint"] == "eu-west-1"


def test_after_a_reset_the_bucket_appears_anew(tmp_path: Path) -> None:
    storage = Storage(tmp_path, sample_data="bundled")
    try:
        with serving_of(storage) as url:
            s3 = client(url, "s3")
            before = content(s3)
            storage.reset()
            assert buckets(s3) == []
            assert content(s3) == before
    finally:
        storage.close()


def test_other_names_are_not_made(tmp_path: Path) -> None:
    with emulator(tmp_path, "bundled") as s3_as:
        for name in ("sagemaker-sample-data-", "sagemaker-sample-data-nowhere", "x" + WEST):
            with pytest.raises(ClientError) as error:
                s3_as().head_bucket(Bucket=name)
            assert error.value.response["Error"]["Code"] == "404"


def test_a_job_finds_the_bucket_too(tmp_path: Path) -> None:
    storage = Storage(tmp_path, sample_data="bundled")
    try:
        objects = storage.objects(Scope(OTHER_ACCOUNT, "us-west-2"))
        assert [info.key for info in objects.list(WEST, "mxnet/mnist/train")] == KEYS[2:]
        assert storage.objects().any_under(IRELAND, "mxnet/mnist/test/")
    finally:
        storage.close()


def test_the_bundled_digits_are_mnist_s_form(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with emulator(tmp_path, "bundled") as s3_as:
        files = content(s3_as())
    for channel, count in (("train", 1437), ("test", 360)):
        images, labels = files[f"{channel}/images.gz"], files[f"{channel}/labels.gz"]
        assert struct.unpack(">4I", images[:16]) == (2051, count, 28, 28)
        assert len(images) == 16 + count * 28 * 28
        assert struct.unpack(">2I", labels[:8]) == (2049, count)
        assert len(labels) == 8 + count
        assert set(labels[8:]) == set(range(10))
    assert said(caplog) == (logging.INFO, f"s3://{WEST} was filled with the bundled digits")


def test_the_bundled_digits_are_what_the_script_writes(tmp_path: Path) -> None:
    sample_digits.write(tmp_path)
    size = 0
    for name in digits.MNIST:
        shipped = (sample_digits.TARGET / name).read_bytes()
        size += len(shipped)
        # Compared unzipped: how zlib packs them may differ from machine to machine.
        assert gzip.decompress(shipped) == gzip.decompress((tmp_path / name).read_bytes())
        assert shipped[4:8] == bytes(4)  # no time, so that writing them again changes nothing
    assert size < 400_000


def test_the_page_names_the_objects_and_the_files() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sample-data.md").read_text()
    for name in (*KEYS, *(file.name for file in digits.MNIST.values())):
        assert f"`{name}`" in page
    assert f"waits longer than {digits.PATIENCE:.0f} seconds in all" in " ".join(page.split())


@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_comes_from_a_directory(
    tmp_path: Path, mnist: Path, caplog: pytest.LogCaptureFixture, zipped: bool
) -> None:
    caplog.set_level(logging.INFO)
    if not zipped:
        for name, file in digits.MNIST.items():
            (mnist / f"{file.name}.gz").unlink()
            (mnist / file.name).write_bytes(STAND_INS[name])
    with emulator(tmp_path / "storage", str(mnist)) as s3_as:
        assert content(s3_as()) == STAND_INS
    assert said(caplog) == (logging.INFO, f"s3://{WEST} was filled with MNIST from {mnist}")


def missing(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()


def wrong(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))


def truncated(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (missing, "has neither t10k-labels-idx1-ubyte.gz nor t10k-labels-idx1-ubyte"),
        (wrong, "t10k-labels-idx1-ubyte.gz is not MNIST's: its checksum is wrong"),
        (truncated, "t10k-labels-idx1-ubyte.gz is not MNIST's: its checksum is wrong"),
    ],
)
def test_a_directory_without_mnist_is_a_warning(
    tmp_path: Path,
    mnist: Path,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    spoil(mnist)
    with emulator(tmp_path / "storage", str(mnist)) as s3_as:
        assert content(s3_as()) != STAND_INS
    level, sentence = said(caplog)
    assert level == logging.WARNING
    assert sentence.startswith(
        f"s3://{WEST} was filled with the bundled digits, not with MNIST: {mnist}"
    )
    assert sentence.endswith(reason)


def test_mnist_comes_from_the_network_once(
    tmp_path: Path, mnist: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    with mirror(mnist, monkeypatch) as asked:
        with emulator(tmp_path / "storage", "auto") as s3_as:
            s3_as().list_buckets()
            assert asked == []
            assert content(s3_as()) == STAND_INS
            assert said(caplog) == (
                logging.INFO,
                f"s3://{WEST} was filled with MNIST from {digits.MIRROR}",
            )
        assert sorted(asked) == sorted(f"/{file.name}.gz" for file in digits.MNIST.values())
    caplog.clear()
    with emulator(tmp_path / "storage", "auto") as s3_as:
        assert content(s3_as(), IRELAND) == STAND_INS
    assert "MNIST fetched earlier" in said(caplog)[1]


def test_a_mirror_with_something_else_is_a_warning(
    tmp_path: Path, mnist: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong(mnist)
    with mirror(mnist, monkeypatch) as asked, emulator(tmp_path / "storage", "auto") as s3_as:
        assert content(s3_as()) != STAND_INS
        level, sentence = said(caplog)
        before = list(asked)
        assert content(s3_as(), IRELAND) != STAND_INS
        assert asked == before  # one failure is enough
    assert level == logging.WARNING
    assert sentence.endswith("t10k-labels-idx1-ubyte.gz is not MNIST's: its checksum is wrong")


@pytest.mark.usefixtures("mnist")
def test_without_a_network_the_bundled_digits_are_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with emulator(tmp_path / "storage", "auto") as s3_as:
        assert content(s3_as()) != STAND_INS
        level, sentence = said(caplog)
    assert level == logging.WARNING
    assert f"not with MNIST: {digits.MIRROR} can't be reached" in sentence


@pytest.mark.usefixtures("mnist")
def test_a_mirror_that_never_ends_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(digits, "MIRROR", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with emulator(tmp_path / "storage", "auto") as s3_as:
            # It would be silent for good: who waits for it never gets on.
            s3_as().head_bucket(Bucket=WEST)
            s3_as().head_bucket(Bucket=IRELAND)
    assert "takes too long" in caplog.text


def test_many_clients_at_once_fill_the_bucket_once(
    tmp_path: Path, mnist: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    with mirror(mnist, monkeypatch) as asked, emulator(tmp_path / "storage", "auto") as s3_as:
        found: list[dict[str, bytes]] = []
        s3 = s3_as()
        clients = [
            threading.Thread(target=lambda: found.append(content(s3)), name=f"client-{number}")
            for number in range(6)
        ]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        assert found == [STAND_INS] * len(clients)
        assert len(asked) == len(KEYS)
    assert said(caplog)


def test_a_bucket_of_the_user_s_own_is_left_alone(tmp_path: Path) -> None:
    with emulator(tmp_path, "bundled") as s3_as:
        s3 = s3_as(account=OTHER_ACCOUNT)
        s3.create_bucket(Bucket=WEST)
        assert "Contents" not in s3.list_objects_v2(Bucket=WEST)
        s3.put_object(Bucket=WEST, Key=KEYS[0], Body=b"mine")
        assert s3.get_object(Bucket=WEST, Key=KEYS[0])["Body"].read() == b"mine"
        assert s3.head_bucket(Bucket=WEST, ExpectedBucketOwner=OTHER_ACCOUNT)


def test_the_bucket_survives_a_restart_and_is_not_filled_again(
    tmp_path: Path, mnist: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with emulator(tmp_path / "storage", "bundled") as s3_as:
        before = content(s3_as())
        s3_as().delete_object(Bucket=WEST, Key=KEYS[0])
    caplog.clear()
    with emulator(tmp_path / "storage", str(mnist)) as s3_as:
        s3 = s3_as()
        kept = [entry["Key"] for entry in s3.list_objects_v2(Bucket=WEST)["Contents"]]
        assert kept == KEYS[1:]
        body = s3.get_object(Bucket=WEST, Key=KEYS[1])["Body"].read()
        assert gzip.decompress(body) == before["test/labels.gz"]
        assert "was filled" not in caplog.text
        for key in kept:
            s3.delete_object(Bucket=WEST, Key=key)
        s3.delete_bucket(Bucket=WEST)
        assert content(s3) == STAND_INS

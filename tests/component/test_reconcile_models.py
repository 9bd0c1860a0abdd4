"""A model's data on its way from S3 to a serving container's directory."""

import errno
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.call import Scope
from emulator.errors import PermanentError
from emulator.reconcile.models import Models
from emulator.storage import Storage

SCOPE = Scope("123456789012", "us-east-1")
BUCKET = "models"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    storage = Storage(tmp_path_factory.mktemp("storage"))
    storage.objects(SCOPE).create_bucket_if_absent(BUCKET)
    yield storage
    storage.close()


def put_archive(storage: Storage, key: str, *members: tarfile.TarInfo) -> None:
    """Put a tar.gz of these members; regular files hold their own names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for member in members:
            content = member.name.encode() if member.isreg() else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    storage.objects(SCOPE).put_bytes(BUCKET, key, packed.getvalue())


@pytest.mark.parametrize(
    "spelt",
    [
        f"s3://{BUCKET}/",
        f"https://s3.us-east-1.amazonaws.com/{BUCKET}/",
        f"https://{BUCKET}.s3.amazonaws.com/",
    ],
)
def test_every_spelling_of_a_place_leads_to_the_model(
    storage: Storage, tmp_path: Path, spelt: str
) -> None:
    put_archive(storage, "tree/model.tar.gz", tarfile.TarInfo("weights"))
    models = Models(storage.objects)
    packed = models.stage(SCOPE, {"ModelDataUrl": f"{spelt}tree/model.tar.gz"}, tmp_path / "a")
    assert (packed / "weights").read_text() == "weights"
    source = {"S3Uri": f"{spelt}tree/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"ModelDataSource": {"S3DataSource": source}}
    assert (models.stage(SCOPE, container, tmp_path / "b") / "model.tar.gz").is_file()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "members, why",
    [
        ([member("w"), member("latest", tarfile.SYMTYPE, "w")], "'latest' is a symbolic link"),
        ([member("l", tarfile.LNKTYPE, "nothing")], "linkname 'nothing' not found"),
        ([member("a/../b")], "'a/../b' may be written outside"),
        ([member("n" * 300)], "File name too long"),
        ([member("d/" * 1500 + "f")], "more than 500 directories"),
    ],
    ids=["symlink", "link to nothing", "two dots", "300 bytes", "deep"],
)
def test_an_archive_that_cannot_be_extracted_has_the_words_of_sagemaker(
    storage: Storage,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    members: list[tarfile.TarInfo],
    why: str,
) -> None:
    put_archive(storage, "bad.tar.gz", *members)
    url = f"s3://{BUCKET}/bad.tar.gz"
    with pytest.raises(PermanentError) as error:
        Models(storage.objects).stage(SCOPE, {"ModelDataUrl": url}, tmp_path / "endpoint")
    assert str(error.value) == (
        f'Failed to extract model data archive for container "container_1" from URL "{url}".'
        " Please ensure that the object located at the URL is a valid tar.gz archive."
    )
    assert any(why in line for line in caplog.messages)


@pytest.mark.parametrize("compression", ["Gzip", "None"])
def test_a_model_that_this_disk_cannot_hold_is_too_large(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    put_archive(storage, "large.tar.gz", member("w"))
    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    monkeypatch.setattr("emulator.staging.inputs.os.link", full)
    source = {
        "S3Uri": f"s3://{BUCKET}/large.tar.gz",
        "S3DataType": "S3Object",
        "CompressionType": compression,
    }
    container = {"ModelDataSource": {"S3DataSource": source}}
    with pytest.raises(PermanentError, match="The model data archive is too large"):
        Models(storage.objects).stage(SCOPE, container, tmp_path / "endpoint")

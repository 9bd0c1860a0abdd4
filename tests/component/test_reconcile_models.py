"""A model's data on its way from S3 to a serving container's directory."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.call import Scope
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

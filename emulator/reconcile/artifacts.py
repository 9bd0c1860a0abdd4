"""A training job's data: channels in, archives out; S3 on one side, its workspaces on the other."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from emulator import channels, trees
from emulator.call import Document, Record, Scope
from emulator.errors import PermanentError
from emulator.reconcile.workspace import Workspace
from emulator.staging.archive import pack, pack_output, walk
from emulator.staging.inputs import ObjectLike, Source, keep_manifest, split_uri, stage
from emulator.staging.inputs import Objects as Readable


class Objects(Protocol):
    """What the artifacts need of S3; ``storage.ScopedObjects`` provides it."""

    def bucket_exists(self, bucket: str) -> bool: ...

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectLike]: ...

    def stat(self, bucket: str, key: str) -> ObjectLike: ...

    def read_bytes(self, bucket: str, key: str) -> bytes: ...

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        content_type: str | None = None,
        kms_key_id: str | None = None,
    ) -> None: ...

    def delete(self, bucket: str, key: str) -> None: ...


class Artifacts:
    """Stages channels and uploads what a job leaves (contract B7, B9).

    Args:
        objects: S3 as a scope sees it.
    """

    def __init__(self, objects: Callable[[Scope], Objects]) -> None:
        self._objects = objects

    def stage_channels(self, record: Record, workspace: Workspace, host: int, hosts: int) -> None:
        """Put the objects of every channel into the workspace, afresh; not those of pipes.

        Raises:
            PermanentError: a channel can't be staged; the message says why.
            TemporaryError: an object changed meanwhile.
        """
        objects = self._objects(record.scope)
        for channel in channels.staged(record.document):
            place_manifest(objects, record.document, channel, workspace)
            data = channel["DataSource"]["S3DataSource"]
            source = Source.of(data, host=host, hosts=hosts)
            stage(objects, source, workspace.fresh_channel(channel["ChannelName"]))

    def warnings(self, record: Record) -> list[str]:
        """Return what will cost the job its artifacts unless it is mended while the job runs."""
        bucket, _ = split_uri(record.document["OutputDataConfig"]["S3OutputPath"])
        if self._objects(record.scope).bucket_exists(bucket):
            return []
        return [f"The bucket '{bucket}' of S3OutputPath does not exist: artifacts can't be saved."]

    def upload(self, record: Record, workspaces: Sequence[Workspace]) -> None:
        """Write model.tar.gz and output.tar.gz to the job's output path; twice does no harm.

        Raises:
            PermanentError: the bucket is missing, or something can't be an object of it.
        """
        config = record.document["OutputDataConfig"]
        bucket, prefix = split_uri(config["S3OutputPath"])
        folder = "/".join(filter(None, (prefix.rstrip("/"), record.name, "output")))
        models = [workspace.model for workspace in workspaces]
        if config.get("CompressionType") == "NONE":
            self._upload_files(record, models, bucket, f"{folder}/model")
        else:
            archive = workspaces[0].root / "model.tar.gz"
            if pack(models, archive):
                self._put(record, bucket, f"{folder}/model.tar.gz", archive)
        archive = workspaces[0].root / "output.tar.gz"
        if pack_output([workspace.output for workspace in workspaces], archive):
            self._put(record, bucket, f"{folder}/output.tar.gz", archive)

    def discard(self, directory: Path) -> None:
        """Remove a job's directory; absent is fine."""
        trees.remove(directory)

    def _put(self, record: Record, bucket: str, key: str, archive: Path) -> None:
        self._objects(record.scope).put_file(
            bucket,
            key,
            archive,
            content_type="application/x-gzip",
            kms_key_id=_kms_key(record),
        )

    def _upload_files(
        self, record: Record, directories: Sequence[Path], bucket: str, folder: str
    ) -> None:
        """Move the files themselves to S3, for OutputDataConfig.CompressionType NONE.

        Of equal names the first directory's is kept, as in an archive: it is written last. A file
        that can't be an object is told of at the end: it must not cost the others.
        """
        objects, problems = self._objects(record.scope), list[PermanentError]()
        key = _kms_key(record)
        for directory in reversed(directories):
            for name, path in walk(directory):
                if path.is_file() and not path.is_symlink():
                    try:
                        objects.put_file(bucket, f"{folder}/{name}", path, kms_key_id=key)
                    except PermanentError as problem:
                        problems.append(problem)
        if problems:
            raise problems[0]


def _kms_key(record: Record) -> str | None:
    """Return the key that artifacts say they are encrypted with (contract B7)."""
    return record.document["OutputDataConfig"].get("KmsKeyId") or None


def place_manifest(
    objects: Readable, document: Document, channel: Document, workspace: Workspace
) -> None:
    """Copy the channel's manifest, if it has one, beside its data (contract B7).

    A channel of the same name goes first.

    Raises:
        PermanentError: the manifest is missing.
    """
    target = workspace.manifest(channel["ChannelName"])
    if target.name not in {other["ChannelName"] for other in document["InputDataConfig"]}:
        target.parent.mkdir(parents=True, exist_ok=True)
        keep_manifest(objects, Source.of(channel["DataSource"]["S3DataSource"]), target)

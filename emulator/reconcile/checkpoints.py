"""Checkpoints: /opt/ml/checkpoints restored at the start and mirrored to S3 (contract B10)."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from emulator.call import Record, Scope
from emulator.reconcile.artifacts import Objects
from emulator.reconcile.workspace import Workspace
from emulator.staging.archive import walk
from emulator.staging.inputs import local_path, split_uri

Version = tuple[int, int]


class Checkpoints:
    """Mirrors the checkpoint directories of running jobs.

    Files of the workspace are copied, never linked: the container goes on writing to its own.

    Args:
        objects: S3 as a scope sees it.
    """

    def __init__(self, objects: Callable[[Scope], Objects]) -> None:
        self._objects = objects
        self._seen: dict[Path, dict[str, Version]] = {}

    def restore(self, record: Record, workspace: Workspace) -> None:
        """Copy what S3 has into the workspace; a job without CheckpointConfig needs nothing."""
        if "CheckpointConfig" not in record.document:
            return
        bucket, prefix = split_uri(record.document["CheckpointConfig"]["S3Uri"])
        workspace.checkpoints.mkdir(parents=True, exist_ok=True)
        for info in self._objects(record.scope).list(bucket, _folder(prefix)):
            path = local_path(_folder(prefix), info.key)
            if path is not None:
                target = workspace.checkpoints / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(info.path, target)
        self._seen[workspace.root] = _versions(workspace)

    def mirror(self, record: Record, workspaces: Sequence[Workspace]) -> None:
        """Upload what is new or changed since the last call, and delete what is gone.

        Raises:
            PermanentError: the bucket is missing.
        """
        if "CheckpointConfig" not in record.document:
            return
        bucket, prefix = split_uri(record.document["CheckpointConfig"]["S3Uri"])
        objects = self._objects(record.scope)
        for workspace in workspaces:
            now, seen = _versions(workspace), self._seen.get(workspace.root, {})
            for name in now:
                if now[name] != seen.get(name):
                    copy = workspace.root / "checkpoint.upload"
                    shutil.copyfile(workspace.checkpoints / name, copy)
                    objects.put_file(bucket, _folder(prefix) + name, copy)
            for name in seen.keys() - now.keys():
                objects.delete(bucket, _folder(prefix) + name)
            self._seen[workspace.root] = now

    def forget(self, directory: Path) -> None:
        """Drop what is remembered of the workspaces below a job's directory."""
        for root in [root for root in self._seen if root.is_relative_to(directory)]:
            del self._seen[root]


def _folder(prefix: str) -> str:
    return prefix.rstrip("/") + "/" if prefix else ""


def _versions(workspace: Workspace) -> dict[str, Version]:
    """Return size and modification time of each regular file, by its path."""
    found = {}
    for name, path in walk(workspace.checkpoints):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            found[name] = status.st_size, status.st_mtime_ns
    return found

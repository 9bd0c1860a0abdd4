"""Checkpoints: /opt/ml/checkpoints restored at the start and mirrored to S3 (contract B10)."""

import contextlib
import json
import logging
import os
import shutil
import stat
from collections.abc import Callable, Sequence

from emulator.call import Record, Scope
from emulator.errors import PermanentError
from emulator.reconcile import reasons
from emulator.reconcile.artifacts import Objects
from emulator.reconcile.workspace import Workspace, open_regular
from emulator.staging.archive import walk
from emulator.staging.inputs import local_path, split_uri

log = logging.getLogger(__name__)

Version = tuple[int, int]


class Checkpoints:
    """Mirrors the checkpoint directories of running jobs.

    Files of the workspace are copied, never linked: the container goes on writing to its own.
    What S3 has of them is noted in a file of the workspace, so that the next run goes on there.

    Args:
        objects: S3 as a scope sees it.
    """

    def __init__(self, objects: Callable[[Scope], Objects]) -> None:
        self._objects = objects

    def check(self, record: Record) -> None:
        """Raise PermanentError if the job has a CheckpointConfig and its bucket is missing."""
        if "CheckpointConfig" in record.document:
            bucket, _ = split_uri(record.document["CheckpointConfig"]["S3Uri"])
            if not self._objects(record.scope).bucket_exists(bucket):
                raise PermanentError(f"The S3 bucket '{bucket}' does not exist")

    def restore(self, record: Record, workspace: Workspace) -> None:
        """Copy what S3 has into the workspace; a job without CheckpointConfig needs nothing.

        As on AWS, that is every key that begins with the URI's: ``…/trial-1`` restores
        ``…/trial-10/x``, too, as ``trial-10/x``, and ``…/trial-1/`` does not.
        """
        if "CheckpointConfig" not in record.document:
            return
        bucket, prefix = split_uri(record.document["CheckpointConfig"]["S3Uri"])
        workspace.checkpoints.mkdir(parents=True, exist_ok=True)
        for info in self._objects(record.scope).list(bucket, prefix):
            path = local_path(prefix, info.key)
            if path is not None:
                target = workspace.checkpoints / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(info.path, target)
        _note(workspace, _versions(workspace))

    def mirror(self, record: Record, workspaces: Sequence[Workspace]) -> None:
        """Upload what is new or changed since the last call, and delete what is gone.

        Raises:
            PermanentError: the bucket is missing, or a file can't be an object of it; what can is
                up to date all the same.
        """
        if "CheckpointConfig" not in record.document:
            return
        bucket, prefix = split_uri(record.document["CheckpointConfig"]["S3Uri"])
        objects, problems = self._objects(record.scope), list[PermanentError]()
        for workspace in workspaces:
            now, seen = _versions(workspace), _noted(workspace)
            if now == seen:
                continue
            for name in [name for name in now if now[name] != seen.get(name)]:
                try:
                    self._save(objects, workspace, name, (bucket, _folder(prefix) + name))
                except PermanentError as problem:
                    problems.append(problem)
                except _Changing as error:
                    log.debug("checkpoint %s changed while it was read: %s", name, error)
                else:
                    continue
                # As S3 has it, if it does: the next look finds the difference again.
                now.pop(name)
                now.update({name: seen[name]} if name in seen else {})
            for name in seen.keys() - now.keys():
                objects.delete(bucket, _folder(prefix) + name)
            _note(workspace, now)
        if problems:
            raise problems[0]

    def _save(
        self, objects: Objects, workspace: Workspace, name: str, target: tuple[str, str]
    ) -> None:
        copy = workspace.root / "checkpoint.upload"
        try:
            file = open_regular(workspace.checkpoints / name)
        except OSError as error:
            raise _Changing(str(error)) from None
        try:
            with file, copy.open("wb") as to:
                shutil.copyfileobj(file, to)
            objects.put_file(*target, copy)
        except OSError as error:
            raise PermanentError(reasons.detail(error)) from error
        finally:
            copy.unlink(missing_ok=True)


class _Changing(Exception):
    """A file is no longer what it was when its directory was read."""


def _folder(prefix: str) -> str:
    return prefix.rstrip("/") + "/" if prefix else ""


def _note(workspace: Workspace, versions: dict[str, Version]) -> None:
    new = workspace.root / "checkpoints.new"
    new.write_text(json.dumps(versions))
    os.replace(new, workspace.root / "checkpoints.json")


def _noted(workspace: Workspace) -> dict[str, Version]:
    try:
        noted = json.loads((workspace.root / "checkpoints.json").read_bytes())
    except FileNotFoundError:
        return {}
    return {name: (size, changed) for name, (size, changed) in noted.items()}


def _versions(workspace: Workspace) -> dict[str, Version]:
    """Return size and modification time of each regular file, by its path."""
    found = {}
    for name, path in walk(workspace.checkpoints):
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found[name] = status.st_size, status.st_mtime_ns
    return found

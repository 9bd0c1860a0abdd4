"""Between moto's memory and the index of S3: writes what changed, or takes it back.

Whoever changes something has it written before the lock is given up, so what is pending is always
one writer's. It is written as a whole or not at all: what the index refuses is taken out of
memory, too, and only its writer hears of it. Nothing is kept to be tried again in front of others.
"""

import errno
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.s3.models import s3_backends

from emulator.errors import PermanentError
from emulator.storage import index as rows
from emulator.storage import records, stored
from emulator.storage.index import Index, Row

logger = logging.getLogger(__name__)


class NotStored(PermanentError):
    """What a writer asked for could not be kept, and nothing of it was.

    Args:
        message: why, fit for a client and for a FailureReason.
        code, status: what a client of S3 is answered.
    """

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def not_stored(error: Exception) -> NotStored:
    """Return what to tell the writer whose change failed with this error."""
    if is_disk_full(error):
        # No SDK tries a 507 again, and MinIO answers it, too.
        return NotStored("Insufficient disk space", "InsufficientStorage", 507)
    if isinstance(error, sqlite3.Error | OSError):
        reason = error.strerror if isinstance(error, OSError) else error
        return NotStored(f"Nothing was stored: {reason}", "InternalError", 500)
    return NotStored(f"This can't be stored: {error}", "InvalidRequest", 400)


def is_disk_full(error: Exception) -> bool:
    """Tell whether SQLite or the operating system has no room left."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def find_bucket(name: str) -> Any | None:
    """Return a bucket of whichever account owns the name, or None."""
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        return None
    partition, account = owner
    return s3_backends[account][partition].buckets.get(name)


class Ledger:
    """The index, read into moto and written from it; whoever calls holds S3's lock.

    Args:
        path: the index file; created if absent.
    """

    def __init__(self, path: Path) -> None:
        self._index = Index(path)
        self.complete = True
        """Whether every row could be read; if not, its body is among those that nothing names."""

    def write(self, changes: stored.Changes) -> None:
        """Write what changed, in one transaction.

        Raises:
            NotStored: it could not be written; memory is as it was before the change, too.
        """
        try:
            self._index.write(list(_statements(changes)))
        except Exception as error:
            try:
                self.take_back(changes)
            except Exception:
                logger.exception("s3 can't go back to what its index holds")
            raise not_stored(error) from error
        _remove_bodies(changes.doomed)

    def take_back(self, changes: stored.Changes) -> None:
        """Put what changed back to what the index holds, and remove the bodies that came new."""
        written = {*changes.doomed, *_files(changes)}
        for name in changes.buckets:
            self._restore_bucket(name)
        for name, key in changes.keys:
            self._restore_object(name, key)
        for name, upload_id in changes.uploads | {part[:2] for part in changes.parts}:
            self._restore_upload(name, upload_id)
        # Going back is no change.
        stored.Here.changes = stored.Changes()
        _remove_bodies(written - _files(changes))

    def load(self) -> set[str]:
        """Read everything into moto; returns the bodies that it names.

        A row that can't be read is left where it is and logged: it must not cost the others.
        """
        used: set[str] = set()
        for name, account, partition, state in self._index.rows("buckets"):
            with _Reading(self, "the bucket", name):
                _put_bucket(name, account, partition, state)
        for name, key, state in self._index.rows("objects"):
            with _Reading(self, "the object", f"{name}/{key}"):
                used |= _put_object(name, key, state)
        for name, upload_id, state in self._index.rows("uploads"):
            with _Reading(self, "the upload", f"{name} {upload_id}"):
                _put_upload(name, upload_id, state)
        for name, upload_id, number, state in self._index.rows("parts"):
            with _Reading(self, "a part of the upload", f"{name} {upload_id}"):
                used |= _put_part(name, upload_id, number, state)
        stored.Here.changes = stored.Changes()
        return used

    def forget(self, bucket: Any) -> None:
        """Take a bucket out of memory, with all that is in it; the next `write` makes it last."""
        tags = _tagger(bucket).tags
        tags.pop(bucket.arn, None)
        doomed = set[str]()
        for key in bucket.keys:
            versions = bucket.keys.getlist(key)
            doomed |= _bodies_of(versions)
            for version in versions:
                tags.pop(getattr(version, "arn", None), None)
        for upload in bucket.multiparts.values():
            doomed |= _bodies_of(upload.parts.values())
        _remove_bucket(bucket)
        stored.Here.changes.buckets.add(bucket.name)
        stored.Here.changes.doomed.extend(doomed)

    def clear(self) -> None:
        self._index.clear()

    def close(self) -> None:
        self._index.close()

    def _restore_bucket(self, name: str) -> None:
        """Put a bucket back that was made, removed or configured; its keys stay as they are."""
        now = find_bucket(name)
        row = self._index.row("buckets", name=name)
        if row is None:
            if now is not None:
                _tagger(now).tags.pop(now.arn, None)
                _remove_bucket(now)
            return
        _, account, partition, state = row
        before = _put_bucket(name, account, partition, state)
        if now is not None:
            before.keys, before.multiparts = now.keys, now.multiparts
            return
        for _, key, state in self._index.rows("objects", bucket=name):
            _put_object(name, key, state)
        for _, upload_id, _ in self._index.rows("uploads", bucket=name):
            self._restore_upload(name, upload_id)

    def _restore_object(self, name: str, key: str) -> None:
        bucket = find_bucket(name)
        if bucket is None:
            return
        tags = _tagger(bucket).tags
        for version in bucket.keys.getlist(key, []):
            tags.pop(getattr(version, "arn", None), None)
        row = self._index.row("objects", bucket=name, key=key)
        if row is None:
            dict.pop(bucket.keys, key, None)
        else:
            _put_object(name, key, row[2])

    def _restore_upload(self, name: str, upload_id: str) -> None:
        bucket = find_bucket(name)
        if bucket is None:
            return
        dict.pop(bucket.multiparts, upload_id, None)
        row = self._index.row("uploads", bucket=name, id=upload_id)
        if row is None:
            return
        _put_upload(name, upload_id, row[2])
        for _, _, number, state in self._index.rows("parts", bucket=name, upload=upload_id):
            _put_part(name, upload_id, number, state)


class _Reading:
    """Around the reading of one row: what is wrong with it is logged, and nothing more."""

    def __init__(self, ledger: Ledger, what: str, name: str) -> None:
        self._ledger, self._what, self._name = ledger, what, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self._ledger.complete = False
        logger.error("s3 can't read %s %s from its index: %r", self._what, self._name, error)
        return True


def _statements(changes: stored.Changes) -> Iterator[tuple[str, Row]]:
    for name in changes.buckets:
        bucket = find_bucket(name)
        if bucket is None:
            yield rows.DROP_BUCKET, (name,)
            yield rows.DROP_OBJECTS, (name,)
            yield rows.DROP_UPLOADS, (name,)
            yield rows.DROP_BUCKET_PARTS, (name,)
        else:
            tags = _tagger(bucket).tags.get(bucket.arn)
            state = records.dump((bucket, tags))
            yield rows.PUT_BUCKET, (name, bucket.account_id, bucket.partition, state)
    for name, key in changes.keys:
        bucket = find_bucket(name)
        versions = bucket.keys.getlist(key) if bucket else None
        if versions:
            yield rows.PUT_OBJECT, (name, key, _object_state(bucket, versions))
        else:
            yield rows.DROP_OBJECT, (name, key)
    yield from _upload_statements(changes)


def _upload_statements(changes: stored.Changes) -> Iterator[tuple[str, Row]]:
    for name, upload_id in changes.uploads:
        upload = _upload(name, upload_id)
        if upload is None:
            yield rows.DROP_UPLOAD, (name, upload_id)
            yield rows.DROP_PARTS, (name, upload_id)
        else:
            yield rows.PUT_UPLOAD, (name, upload_id, records.dump(upload))
    for name, upload_id, number in changes.parts:
        upload = _upload(name, upload_id)
        if upload is not None and number in upload.parts:
            part = records.dump(upload.parts[number])
            yield rows.PUT_PART, (name, upload_id, number, part)


def _object_state(bucket: Any, versions: list[Any]) -> bytes:
    tags = _tagger(bucket).tags
    arns = [version.arn for version in versions if isinstance(version, stored.StoredKey)]
    return records.dump((versions, {arn: tags[arn] for arn in arns if arn in tags}))


def _files(changes: stored.Changes) -> set[str]:
    """Return the bodies that memory names for what changed."""
    files = set()
    for name, key in changes.keys:
        bucket = find_bucket(name)
        versions = bucket.keys.getlist(key, []) if bucket else []
        files |= _bodies_of(versions)
    for name, upload_id in changes.uploads | {part[:2] for part in changes.parts}:
        upload = _upload(name, upload_id)
        files |= _bodies_of(upload.parts.values() if upload else ())
    return files


def _bodies_of(versions: Any) -> set[str]:
    return {version.file for version in versions if isinstance(version, stored.StoredKey)}


def _upload(name: str, upload_id: str) -> Any | None:
    bucket = find_bucket(name)
    return bucket.multiparts.get(upload_id) if bucket else None


def _tagger(bucket: Any) -> Any:
    return s3_backends[bucket.account_id][bucket.partition].tagger


def _put_bucket(name: str, account: str, partition: str, state: bytes) -> Any:
    bucket, tags = records.load(state)
    backend = s3_backends[account][partition]
    backend.buckets[name] = bucket
    s3_backends.bucket_accounts[name] = (partition, account)
    backend.tagger.tags.pop(bucket.arn, None)
    if tags:
        backend.tagger.tags[bucket.arn] = tags
    return bucket


def _remove_bucket(bucket: Any) -> None:
    del s3_backends[bucket.account_id][bucket.partition].buckets[bucket.name]
    s3_backends.bucket_accounts.pop(bucket.name, None)


def _put_object(name: str, key: str, state: bytes) -> set[str]:
    bucket = find_bucket(name)
    versions, tags = records.load(state)
    if bucket is not None:
        bucket.keys.restore(key, versions)
        _tagger(bucket).tags.update(tags)
    return _bodies_of(versions)


def _put_upload(name: str, upload_id: str, state: bytes) -> None:
    bucket = find_bucket(name)
    if bucket is not None:
        bucket.multiparts.restore(upload_id, records.load(state))


def _put_part(name: str, upload_id: str, number: int, state: bytes) -> set[str]:
    part, upload = records.load(state), _upload(name, upload_id)
    if upload is None:
        return set()
    upload.parts[number] = part
    upload.partlist = sorted(upload.parts)
    return {part.file}


def _remove_bodies(names: Any) -> None:
    """Remove bodies that nothing names; one that can't be removed goes at the next start."""
    for name in names:
        try:
            stored.Here.bodies.remove(name)
        except OSError as error:
            logger.warning("s3 can't remove the body %s yet: %s", name, error)

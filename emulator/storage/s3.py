"""moto's S3 in this process: answers requests, and writes what they changed to the index.

One lock covers moto and the index together, so the index always holds a state that requests have
seen. Bodies stream in before the lock is taken and out after it is released.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.utilities.utils import get_partition

from emulator.call import Scope
from emulator.storage import index as rows
from emulator.storage import records, stored
from emulator.storage.bodies import Bodies, Body
from emulator.storage.index import Index, Row
from emulator.storage.replies import Reply
from emulator.storage.requests import MotoRequest

logger = logging.getLogger(__name__)


class _Response(S3Response):
    """moto's S3 front without a guess at the Host header, and with the streamed body."""

    request: Any

    def setup_class(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().setup_class(request, *args, **kwargs)
        self.region = request.scope.region
        self.partition = get_partition(self.region)
        if request.streamed is not None:
            self.body = request.streamed

    @staticmethod
    def subdomain_based_buckets(request: Any) -> bool:
        return False

    def parse_bucket_name_from_url(self, request: Any, url: str) -> str:
        return str(request.bucket)

    def parse_key_name(self) -> str:
        return str(self.request.key)


class S3:
    """The S3 service of every account.

    Args:
        root: directory of the index and the bodies.
    """

    def __init__(self, root: Path) -> None:
        self.lock = threading.RLock()
        stored.install(root / "bodies")
        self._index = Index(root / "index.sqlite")
        self._load()

    @property
    def bodies(self) -> Bodies:
        return stored.Here.bodies

    def backend(self, scope: Scope) -> Any:
        return s3_backends[scope.account][get_partition(scope.region)]

    def bucket(self, name: str) -> Any | None:
        """Return a bucket of whichever account owns the name, or None."""
        owner = s3_backends.bucket_accounts.get(name)
        if owner is None:
            return None
        partition, account = owner
        return s3_backends[account][partition].buckets.get(name)

    def upload_algorithm(self, bucket: str, upload_id: str) -> str | None:
        """Return the checksum algorithm that an upload in progress was created with."""
        with self.lock:
            owner = self.bucket(bucket)
            upload = owner.multiparts.get(upload_id) if owner else None
            return upload.metadata.get("x-amz-checksum-algorithm") if upload else None

    def answer(self, request: MotoRequest) -> Reply:
        """Let moto answer, and make the outcome durable before it is returned."""
        response: Any = _Response()
        handler = response.key_response if request.key else response.bucket_response
        self._digest_ahead(request)
        joined = self._join_ahead(request)
        try:
            with self.changing():
                status, headers, body = handler(request, request.raw_url, request.headers)
                if request.method not in ("GET", "HEAD", "OPTIONS"):
                    self._touch(request.bucket, request.key)
                if isinstance(body, Body):
                    # Opened under the lock: the object may be gone a moment later.
                    body = body.blocks()
        finally:
            if joined is not None and joined.fresh:
                joined.path.unlink(missing_ok=True)
        return int(status), headers, body

    def _join_ahead(self, request: MotoRequest) -> Body | None:
        """Join all parts of an upload that is about to complete, before the lock is taken.

        A guess that saves others the wait: moto still checks the request, and joins by itself if
        it names other parts.
        """
        upload_id = request.args.get("uploadId")
        if request.method != "POST" or not upload_id:
            return None
        with self.lock:
            bucket = self.bucket(request.bucket)
            upload = bucket.multiparts.get(upload_id) if bucket else None
            if upload is None:
                return None
            parts = [upload.parts[number] for number in upload.partlist]
        try:
            joined = self.bodies.join(part.body for part in parts)
        except FileNotFoundError:
            # Replaced or aborted meanwhile.
            return None
        upload.joined = [part.file for part in parts], joined
        return joined

    def _digest_ahead(self, request: MotoRequest) -> None:
        """Compute the MD5 that the copy of a multipart object will have, before the lock is taken.

        Also a guess: whoever needs the digest and finds none computes it.
        """
        source = request.headers.get("x-amz-copy-source", "")
        if not source or "uploadId" in request.args:
            return
        path, _, query = source.partition("?")
        name, _, key = unquote(path).lstrip("/").partition("/")
        with self.lock:
            bucket = self.bucket(name)
            versions = bucket.keys.getlist(key, []) if bucket else []
            version = query.removeprefix("versionId=")
            found = [v for v in versions if not version or v.version_id == version]
        if found and isinstance(found[-1], stored.StoredKey):
            with contextlib.suppress(FileNotFoundError):
                found[-1].digest()

    def _touch(self, bucket: str, key: str) -> None:
        """Note what a request may have changed in place: tags, ACL, settings, locks."""
        if key:
            stored.Here.changes.keys.add((bucket, key))
        elif bucket:
            stored.Here.changes.buckets.add(bucket)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock, and write what changed to the index before giving it up."""
        with self.lock:
            try:
                yield
            finally:
                self.flush()

    def flush(self) -> None:
        """Write pending changes; then remove the bodies that nothing names any more."""
        with self.lock:
            changes = stored.Here.changes
            if not changes:
                return
            self._index.write(list(self._statements(changes)))
            stored.Here.changes = stored.Changes()
            for name in changes.doomed:
                self.bodies.remove(name)

    def _statements(self, changes: stored.Changes) -> Iterator[tuple[str, Row]]:
        for name in changes.buckets:
            bucket = self.bucket(name)
            if bucket is None:
                yield rows.DROP_BUCKET, (name,)
                yield rows.DROP_OBJECTS, (name,)
                yield rows.DROP_UPLOADS, (name,)
                yield rows.DROP_BUCKET_PARTS, (name,)
            else:
                tags = self._tagger(bucket).tags.get(bucket.arn)
                state = records.dump((bucket, tags))
                yield rows.PUT_BUCKET, (name, bucket.account_id, bucket.partition, state)
        for name, key in changes.keys:
            bucket = self.bucket(name)
            versions = bucket.keys.getlist(key) if bucket else None
            if versions:
                yield rows.PUT_OBJECT, (name, key, self._object_state(bucket, versions))
            else:
                yield rows.DROP_OBJECT, (name, key)
        yield from self._upload_statements(changes)

    def _upload_statements(self, changes: stored.Changes) -> Iterator[tuple[str, Row]]:
        for name, upload_id in changes.uploads:
            bucket = self.bucket(name)
            upload = bucket.multiparts.get(upload_id) if bucket else None
            if upload is None:
                yield rows.DROP_UPLOAD, (name, upload_id)
                yield rows.DROP_PARTS, (name, upload_id)
            else:
                yield rows.PUT_UPLOAD, (name, upload_id, records.dump(upload))
        for name, upload_id, number in changes.parts:
            bucket = self.bucket(name)
            upload = bucket.multiparts.get(upload_id) if bucket else None
            if upload is not None and number in upload.parts:
                part = records.dump(upload.parts[number])
                yield rows.PUT_PART, (name, upload_id, number, part)

    def _object_state(self, bucket: Any, versions: list[Any]) -> bytes:
        tags = self._tagger(bucket).tags
        arns = [version.arn for version in versions if isinstance(version, stored.StoredKey)]
        return records.dump((versions, {arn: tags[arn] for arn in arns if arn in tags}))

    def _tagger(self, bucket: Any) -> Any:
        return s3_backends[bucket.account_id][bucket.partition].tagger

    def _load(self) -> None:
        used: set[str] = set()
        for name, account, partition, state in self._index.rows("buckets"):
            bucket, tags = records.load(state)
            backend = s3_backends[account][partition]
            backend.buckets[name] = bucket
            s3_backends.bucket_accounts[name] = (partition, account)
            if tags:
                backend.tagger.tags[bucket.arn] = tags
        for name, key, state in self._index.rows("objects"):
            bucket = self.bucket(name)
            if bucket is None:
                continue
            versions, tags = records.load(state)
            bucket.keys.restore(key, versions)
            self._tagger(bucket).tags.update(tags)
            used.update(v.file for v in versions if isinstance(v, stored.StoredKey))
        self._load_uploads(used)
        removed = self.bodies.remove_all_but(used)
        if removed:
            logger.info("s3 removed %d bodies that no object names", removed)
        stored.Here.changes = stored.Changes()

    def _load_uploads(self, used: set[str]) -> None:
        for name, upload_id, state in self._index.rows("uploads"):
            bucket = self.bucket(name)
            if bucket is not None:
                bucket.multiparts[upload_id] = records.load(state)
        for name, upload_id, number, state in self._index.rows("parts"):
            bucket = self.bucket(name)
            upload = bucket.multiparts.get(upload_id) if bucket else None
            if upload is not None:
                part = records.load(state)
                upload.parts[number] = part
                upload.partlist = sorted(upload.parts)
                used.add(part.file)

    def reset(self) -> None:
        """Forget every bucket and remove every body."""
        with self.lock:
            self._forget()
            self._index.clear()
            self.bodies.remove_all_but(set())

    def close(self) -> None:
        with self.lock:
            self.flush()
            self._forget()
            self._index.close()

    def _forget(self) -> None:
        s3_backends.clear()
        s3_backends.bucket_accounts.clear()
        stored.Here.changes = stored.Changes()

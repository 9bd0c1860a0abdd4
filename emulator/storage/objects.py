"""S3 for the emulator's own parts: the same objects as over HTTP, without HTTP and without copies.

Bucket names are global: an object is found whichever account or region owns its bucket. A scope
only says who will own a new bucket.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from emulator.call import Scope
from emulator.errors import PermanentError
from emulator.storage.bodies import Body, md5_of
from emulator.storage.keys import BadKey, check_key

if TYPE_CHECKING:
    from emulator.storage.s3 import S3


@dataclass(frozen=True)
class ObjectInfo:
    """One object.

    Attributes:
        size: bytes.
        etag: without quotes.
        path: the file that holds the body. Link it or read it; never write to it. It goes away
            when the object is replaced or removed.
    """

    key: str
    size: int
    etag: str
    path: Path


class Ensure(Protocol):
    """Has a bucket, and what is asked of it, be there; ``SampleBuckets.ensure`` is it."""

    def __call__(
        self, bucket: str, *, key: str | None = None, prefix: str | None = None
    ) -> None: ...


class ScopedObjects:
    """Objects as one account sees them; answers ``call.Objects`` too.

    Args:
        s3: returns the service; waits until it is loaded.
        ensure: called before a bucket is read, without any lock; may make it, and the object or
            the objects below a prefix that are about to be read.
        scope: the owner of buckets made here.
    """

    def __init__(self, s3: "Callable[[], S3]", ensure: "Ensure", scope: Scope) -> None:
        self._s3 = s3
        self._ensure = ensure
        self._scope = scope

    def bucket_exists(self, bucket: str) -> bool:
        self._ensure(bucket)
        return self._s3().bucket(bucket) is not None

    def object_exists(self, bucket: str, key: str) -> bool:
        self._ensure(bucket, key=key)
        with self._s3().lock:
            return self._find(bucket, key) is not None

    def any_under(self, bucket: str, prefix: str) -> bool:
        self._ensure(bucket, prefix=prefix)
        s3 = self._s3()
        with s3.lock:
            owner = s3.bucket(bucket)
            found = owner.keys if owner else {}
            return any(name.startswith(prefix) and _is_object(found[name]) for name in found)

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with `prefix`, in key order.

        A missing bucket has no objects.
        """
        self._ensure(bucket, prefix=prefix)
        s3 = self._s3()
        with s3.lock:
            owner = s3.bucket(bucket)
            found = owner.keys if owner else {}
            names = sorted(name for name in found if name.startswith(prefix))
            infos = [self._info(found[name]) for name in names if _is_object(found[name])]
        yield from infos

    def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Return one object; raises PermanentError if it or its bucket is missing."""
        self._ensure(bucket, key=key)
        with self._s3().lock:
            return self._info(self._get(bucket, key))

    def body(self, bucket: str, key: str) -> Path:
        """Return the file that holds the body; see ObjectInfo.path.

        Raises:
            PermanentError: the bucket or the object is missing.
        """
        return self.stat(bucket, key).path

    def read_bytes(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """Return the whole body; raises PermanentError if it, or that version, is missing."""
        self._ensure(bucket, key=key)
        with self._s3().lock:
            return bytes(self._get(bucket, key, version).body)

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        content_type: str | None = None,
        kms_key_id: str | None = None,
    ) -> None:
        """Move a file in as the object's body; afterwards `path` is gone.

        Args:
            kms_key_id: the key that the object says it is encrypted with (contract B7); nothing
                is.

        Raises:
            PermanentError: the bucket is missing, or no object can have this key; the file stays
                where it was. Or the object could not be stored (ledger.NotStored).
        """
        self._require_bucket(bucket)
        _require_key(key)
        md5 = md5_of(path)
        body = self._s3().bodies.adopt(path)
        body.md5 = md5
        self._put(bucket, key, body, content_type, kms_key_id)

    def put_bytes(
        self, bucket: str, key: str, data: bytes, *, content_type: str | None = None
    ) -> None:
        """Write an object; raises PermanentError as `put_file` does."""
        self._require_bucket(bucket)
        _require_key(key)
        self._put(bucket, key, self._s3().bodies.write(data), content_type, None)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object as a client's DeleteObject does; absent is fine."""
        s3 = self._s3()
        with s3.changing():
            owner = s3.bucket(bucket)
            if owner is not None:
                self._backend(owner).delete_object(bucket, key)

    def create_bucket_if_absent(self, bucket: str) -> None:
        """Make a bucket of this scope, unless anybody has one of that name."""
        s3 = self._s3()
        with s3.changing():
            if s3.bucket(bucket) is None:
                s3.backend(self._scope).create_bucket(bucket, self._scope.region)

    def _put(
        self,
        bucket: str,
        key: str,
        body: Body,
        content_type: str | None,
        kms_key_id: str | None,
    ) -> None:
        s3 = self._s3()
        try:
            with s3.changing():
                owner = self._require_bucket(bucket)
                encryption = "aws:kms" if kms_key_id else None
                stored = self._backend(owner).put_object(
                    bucket, key, body, encryption=encryption, kms_key_id=kms_key_id
                )
                if content_type:
                    stored.set_metadata({"Content-Type": content_type})
        finally:
            if body.fresh:
                body.path.unlink(missing_ok=True)

    def _require_bucket(self, bucket: str) -> Any:
        owner = self._s3().bucket(bucket)
        if owner is None:
            raise PermanentError(f"The S3 bucket '{bucket}' does not exist")
        return owner

    def _backend(self, owner: Any) -> Any:
        return self._s3().backend(Scope(owner.account_id, owner.region_name))

    def _find(self, bucket: str, key: str, version: str | None = None) -> Any | None:
        owner = self._s3().bucket(bucket)
        if owner is None:
            return None
        stored = owner.keys.get(key)
        if version is not None:
            versions = owner.keys.getlist(key, default=[])
            stored = next((one for one in versions if str(one.version_id) == version), None)
        return stored if stored is not None and _is_object(stored) else None

    def _get(self, bucket: str, key: str, version: str | None = None) -> Any:
        self._require_bucket(bucket)
        stored = self._find(bucket, key, version)
        if stored is None:
            raise PermanentError(f"The S3 object 's3://{bucket}/{key}' does not exist")
        return stored

    def _info(self, stored: Any) -> ObjectInfo:
        return ObjectInfo(stored.name, stored.size, stored.etag.strip('"'), stored.body.path)


def _require_key(key: str) -> None:
    try:
        check_key(key)
    except BadKey as error:
        raise PermanentError(str(error)) from None


def _is_object(stored: Any) -> bool:
    """Tell an object from a delete marker."""
    return hasattr(stored, "body")

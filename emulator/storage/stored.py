"""moto's S3 models with bodies in files and changes remembered.

Every class replaces one of moto's by name (`install`), because moto constructs them in one place
each. Nothing here answers requests or writes the index.
"""

import base64
import copy
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import moto.core.common_models
import moto.s3.models
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import (
    EntityTooSmall,
    InvalidContinuationToken,
    InvalidPart,
    MalformedXML,
    NoSuchUpload,
    RangeNotSatisfiable,
)

from emulator.storage import receive
from emulator.storage.bodies import Bodies, Body, md5_of

# moto's own types say that bodies are bytes in memory, which is what this module changes.
moto_s3: Any = moto.s3.models

_MINIMUM_PART: int = moto_s3.S3_UPLOAD_PART_MIN_SIZE


@dataclass
class Changes:
    """What the index does not know yet.

    Attributes:
        doomed: bodies that nothing names once the index is written.
    """

    buckets: set[str] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)
    uploads: set[tuple[str, str]] = field(default_factory=set)
    parts: set[tuple[str, str, int]] = field(default_factory=set)
    doomed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.buckets or self.keys or self.uploads or self.parts or self.doomed)


class Here:
    """Where bodies are kept and changes are remembered.

    Class attributes, because moto constructs its models without a way to pass anything in and
    keeps them in process-wide registries itself.
    """

    bodies: ClassVar[Bodies]
    changes: ClassVar[Changes] = Changes()


class StoredKey(moto_s3.FakeKey):
    """One version of an object, or one part of an upload; its body is a file.

    Attributes:
        file: the body's name.
        md5: of the body, if it was needed and the ETag is none.
        checksums: a part's checksums by algorithm, for the checksum of the whole.
    """

    file: str
    md5: str | None = None
    disposed: bool
    _etag: str | None
    checksums: Mapping[str, str] = MappingProxyType({})

    def __init__(self, name: str, value: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, value, *args, **kwargs)
        # Both serve only the in-memory body that this class does not have.
        self._value_buffer.close()
        del self._value_buffer, self.lock

    @property
    def body(self) -> Body:
        return Body(Here.bodies.path(self.file), 0, self.contentsize, md5=self._known_md5())

    @property
    def value(self) -> Body:
        return self.body

    @value.setter
    def value(self, new: Any) -> None:
        if isinstance(new, str):
            new = new.encode()
        if not isinstance(new, Body):
            new = Here.bodies.write(bytes(new))
        elif not new.fresh:
            new = Here.bodies.link(new)
        new.fresh = False
        self.file = new.path.name
        self.contentsize = len(new)
        self.md5 = new.md5
        self._etag = self._etag or new.md5

    def _known_md5(self) -> str | None:
        plain = self._etag is not None and "-" not in self._etag
        return self._etag if plain else self.md5

    def digest(self) -> str:
        """Return the MD5 of the body, which is not what the ETag of a multipart upload holds.

        Raises FileNotFoundError if the body was removed meanwhile.
        """
        known = self._known_md5()
        if known is None:
            known = self.md5 = md5_of(Here.bodies.path(self.file))
        return known

    @property
    def etag(self) -> str:
        if self._etag is None:
            self._etag = self.digest()
        return f'"{self._etag}"'

    def dispose(self, garbage: bool = False) -> None:
        if not garbage and not self.disposed:
            Here.changes.doomed.append(self.file)
            self.disposed = True

    def __del__(self) -> None:
        """Nothing to close: a body outlives the object that names it until it is disposed."""

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class CompletedUpload:
    """What a completed object remembers of its upload: its id and the sizes of its parts."""

    def __init__(self, upload: "StoredUpload", key: StoredKey, numbers: Iterable[int]) -> None:
        self.id = upload.id
        self.key = key
        self.partlist = list(numbers)
        self.sizes = {number: upload.parts[number].size for number in self.partlist}

    @property
    def parts(self) -> "_Parts":
        return _Parts(self)

    def dispose(self) -> None:
        """Its parts went when the upload completed."""


class _Parts:
    """A completed upload's parts as moto reads them: keys that know their size."""

    def __init__(self, upload: CompletedUpload) -> None:
        self._upload = upload

    def __getitem__(self, number: int) -> StoredKey:
        if number not in self._upload.sizes:
            raise RangeNotSatisfiable()
        part = copy.copy(self._upload.key)
        part.contentsize = self._upload.sizes[number]
        return part


class StoredUpload(moto_s3.FakeMultipart):
    """A multipart upload in progress; each part is a file.

    Attributes:
        joined: the files of the parts that a completion has joined ahead, and their whole.
    """

    bucket = ""
    joined: tuple[list[str], Body | None] = ([], None)

    def set_part(self, part_id: int, value: Any) -> StoredKey:
        key: StoredKey = super().set_part(part_id, value)
        key.checksums = dict(value.checksums) if isinstance(value, Body) else {}
        Here.changes.parts.add((self.bucket, self.id, part_id))
        return key

    def complete(
        self, body: Iterable[tuple[int, str]]
    ) -> tuple[Body, str, tuple[str, str, int] | None]:
        parts = list(self._checked(body))
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
        md5 = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        files, whole = self.joined
        if whole is None or files != [part.file for part in parts]:
            whole = Here.bodies.join(part.body for part in parts)
        return whole, f"{md5}-{len(parts)}", self._checksum(parts, whole)

    def _checked(self, body: Iterable[tuple[int, str]]) -> Iterator[StoredKey]:
        last: StoredKey | None = None
        for number, etag in body:
            part = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart()
            if last is not None and last.size < _MINIMUM_PART:
                raise EntityTooSmall()
            last = part
            yield part
        if last is None:
            raise MalformedXML()

    def _checksum(self, parts: list[StoredKey], whole: Body) -> tuple[str, str, int] | None:
        algorithm = self.metadata.get("x-amz-checksum-algorithm", "")
        if algorithm not in receive.COMPUTABLE:
            return None
        running = receive.digest(algorithm)
        if self.metadata.get("x-amz-checksum-type") == "FULL_OBJECT":
            for block in whole.blocks():
                running.update(block)
            return "FULL_OBJECT", base64.b64encode(running.digest()).decode(), 1
        for part in parts:
            running.update(base64.b64decode(self._part_checksum(part, algorithm)))
        return "COMPOSITE", base64.b64encode(running.digest()).decode(), len(parts)

    def _part_checksum(self, part: StoredKey, algorithm: str) -> str:
        if algorithm in part.checksums:
            return part.checksums[algorithm]
        running = receive.digest(algorithm)
        for block in part.body.blocks():
            running.update(block)
        return base64.b64encode(running.digest()).decode()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "parts": {}, "partlist": [], "joined": ([], None)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class KeyStore(moto_s3._VersionedKeyStore):
    """The keys of one bucket; remembers which changed."""

    def __init__(self, bucket: str) -> None:
        super().__init__()
        self.bucket = bucket

    def _changed(self, key: str) -> None:
        Here.changes.keys.add((self.bucket, key))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._changed(key)

    def setlist(self, key: Any, list_: Any) -> None:
        super().setlist(key, list_)
        self._changed(key)

    def pop(self, key: str) -> None:
        for version in self.getlist(key, []):
            if isinstance(version, StoredKey):
                version.dispose()
        dict.pop(self, key)
        self._changed(key)

    def restore(self, key: str, versions: list[Any]) -> None:
        """Put back what the index holds; that is no change."""
        dict.__setitem__(self, key, versions)


class Uploads(moto_s3.MultipartDict):
    """The unfinished uploads of one bucket; remembers which changed."""

    def __init__(self, bucket: str) -> None:
        super().__init__()
        self.bucket = bucket

    def __missing__(self, upload_id: str) -> StoredUpload:
        raise NoSuchUpload(upload_id=upload_id)

    def __setitem__(self, upload_id: str, upload: StoredUpload) -> None:
        upload.bucket = self.bucket
        super().__setitem__(upload_id, upload)
        Here.changes.uploads.add((self.bucket, upload_id))

    def restore(self, upload_id: str, upload: StoredUpload) -> None:
        """Put back what the index holds; that is no change."""
        dict.__setitem__(self, upload_id, upload)

    def __delitem__(self, upload_id: str) -> None:
        super().__delitem__(upload_id)
        Here.changes.uploads.add((self.bucket, upload_id))


class StoredBucket(moto_s3.FakeBucket):
    """A bucket whose keys and uploads remember what changed."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self.keys = KeyStore(name)
        self.multiparts = Uploads(name)
        Here.changes.buckets.add(name)

    def get_permission(self, action: str, resource: str) -> Any:
        """Deny nothing: moto would, and takes no notice of a policy's conditions.

        A bucket that refuses plain HTTP, as many do, would then refuse everything.
        """
        return PermissionResult.NEUTRAL

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("keys", "multiparts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.keys = KeyStore(self.name)
        self.multiparts = Uploads(self.name)


def _complete_multipart_upload(
    backend: Any, bucket_name: str, multipart_id: str, body: Iterable[tuple[int, str]]
) -> Any:
    """moto's method, with the parts forgotten once they are joined."""
    parts = list(body)
    upload = backend.get_bucket(bucket_name).multiparts[multipart_id]
    completed = _moto_complete(backend, bucket_name, multipart_id, iter(parts))
    completed.multipart = CompletedUpload(upload, completed, (number for number, _ in parts))
    return completed


def _copy_object(backend: Any, src_key: StoredKey, bucket: str, key: str, **options: Any) -> None:
    """moto's method, without the composite checksum: it does not describe the copy."""
    _moto_copy(backend, src_key, bucket, key, **options)
    if src_key.checksum_type == "COMPOSITE":
        copied = backend.get_object(bucket, key)
        copied.checksum_value = copied.checksum_algorithm = None


def _list_objects_v2(
    backend: Any,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    continuation_token: str | None,
    start_after: str | None,
    max_keys: int,
) -> tuple[Any, bool, str | None]:
    """moto's method, with tokens that say where to go on, also to the emulator's next run."""
    if continuation_token:
        start_after = _place(continuation_token)
    names, truncated, last = _moto_list(
        backend, bucket, prefix, delimiter, None, start_after, max_keys
    )
    return names, truncated, None if last is None else _token(last)


def _truncate_result(backend: Any, names: Any, most: int) -> tuple[Any, bool, str | None]:
    """moto's method, which gives the last name itself instead of a key to it in memory."""
    names, truncated, token = _moto_truncate(backend, names, most)
    return names, truncated, token and backend._pagination_tokens.pop(token)


def _token(last: str) -> str:
    data = last.encode()
    return base64.urlsafe_b64encode(zlib.crc32(data).to_bytes(4, "big") + data).decode()


def _place(token: str) -> str:
    """Return the name after which a listing goes on; raises S3's error for a foreign token."""
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
        if zlib.crc32(data[4:]).to_bytes(4, "big") == data[:4]:
            return data[4:].decode()
    except ValueError:
        pass
    raise InvalidContinuationToken()


_moto_list = moto_s3.S3Backend.list_objects_v2
_moto_truncate = moto_s3.S3Backend._truncate_result
_moto_complete = moto_s3.S3Backend.complete_multipart_upload
_moto_copy = moto_s3.S3Backend.copy_object


def _untracked(cls: type, *args: Any, **kwargs: Any) -> Any:
    return object.__new__(cls)


def install(bodies: Path) -> None:
    """Make moto use these classes, with bodies kept in this directory."""
    Here.bodies = Bodies(bodies)
    Here.changes = Changes()
    moto_s3.FakeKey = StoredKey
    moto_s3.FakeMultipart = StoredUpload
    moto_s3.FakeBucket = StoredBucket
    moto_s3.S3Backend.complete_multipart_upload = _complete_multipart_upload
    moto_s3.S3Backend.copy_object = _copy_object
    moto_s3.S3Backend.list_objects_v2 = _list_objects_v2
    moto_s3.S3Backend._truncate_result = _truncate_result
    # moto keeps every model it ever made in a list, for tests; a server cannot afford that.
    models: Any = moto.core.common_models
    models.BaseModel.__new__ = staticmethod(_untracked)

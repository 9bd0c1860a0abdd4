"""Training input in File mode: which object of a channel goes where (contract B9).

Never writes outside the destination, and never copies bytes when it can link them.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from emulator import s3_uri
from emulator.errors import PermanentError, TemporaryError
from emulator.s3_uri import Place

T = TypeVar("T")

# Another file system, a file system without links, or the most links that a file may have.
_NO_LINKS = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP})

FAILED = "ClientError: Data download failed:"


class NoSpace(PermanentError):
    """The disk is full, or what of it one may use; the words are SageMaker's (contract B4).

    Args:
        prefix: what could not be done.
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__(f"{prefix}Insufficient disk space")


class ObjectLike(Protocol):
    """One object: its key, its size in bytes, and the file that holds its body."""

    @property
    def key(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def path(self) -> Path: ...


class Objects(Protocol):
    """What staging asks of S3; ``storage.ScopedObjects`` provides it."""

    def bucket_exists(self, bucket: str) -> bool: ...

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectLike]: ...

    def stat(self, bucket: str, key: str) -> ObjectLike: ...

    def read_bytes(self, bucket: str, key: str) -> bytes: ...


@dataclass(frozen=True)
class Source:
    """The S3DataSource of one channel, and which host of how many asks.

    Attributes:
        uri: the prefix's or the manifest's, as `emulator.s3_uri` reads it.
        data_type: S3Prefix, ManifestFile or AugmentedManifestFile.
        distribution: FullyReplicated or ShardedByS3Key.
    """

    uri: str
    data_type: str = "S3Prefix"
    distribution: str = "FullyReplicated"
    host: int = 0
    hosts: int = 1

    @classmethod
    def of(cls, source: Mapping[str, Any], *, host: int = 0, hosts: int = 1) -> "Source":
        """Read a request's ``S3DataSource``."""
        return cls(
            source["S3Uri"],
            source.get("S3DataType", "S3Prefix"),
            source.get("S3DataDistributionType", "FullyReplicated"),
            host,
            hosts,
        )


@dataclass(frozen=True)
class Staged:
    """What was staged: files and their bytes."""

    files: int
    size: int


def local_path(prefix: str, key: str) -> str | None:
    """Return where an object goes, relative to the channel's directory; pure.

    The prefix is removed from the key, then a leading ``/``; a prefix that is the whole key keeps
    its base name; where the prefix ends inside a name, the path starts after the prefix's last
    ``/``. Folder markers (keys that end in ``/``) go nowhere: None.

    Raises:
        PermanentError: the key cannot be a file below a directory.
    """
    if key.endswith("/"):
        return None
    rest = key[len(prefix) :]
    if rest and (not prefix or prefix.endswith("/") or rest.startswith("/")):
        path = rest.removeprefix("/")
    else:
        path = key[prefix.rfind("/") + 1 :]
    _check(path, key)
    return path


def _check(path: str, key: str) -> None:
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise PermanentError(f"{FAILED}The object key '{key}' is not a valid file path")
    if "\0" in path:
        raise PermanentError(f"{FAILED}The object key {key!r} contains a null character")
    if any(len(segment.encode("utf-8", "surrogatepass")) > 255 for segment in segments):
        raise PermanentError(f"{FAILED}File name too long: '{key}'")


def stage(
    objects: Objects,
    source: Source,
    destination: Path,
    *,
    on_progress: Callable[[Staged], None] | None = None,
) -> Staged:
    """Put a channel's objects under `destination`, which is made if absent.

    Files are hard links to the store's bodies where the file system allows it. A container must
    therefore never write through them: the launcher mounts such a directory read-only or
    copy-on-write. Staging again into the same directory ends in the same files.

    Args:
        on_progress: called after every 1000 files and at the end.

    Raises:
        PermanentError: bad URI or manifest, missing bucket or object, no object at all, a key
            that cannot be a file. The message is fit for a FailureReason.
        TemporaryError: an object was replaced while it was being staged.
    """
    paths = _paths(_chosen(objects, source))
    try:
        destination.mkdir(parents=True, exist_ok=True)
        return _link_all(paths, destination, on_progress or _ignore)
    except OSError as error:
        raise _failure(error) from error


def _ignore(staged: Staged) -> None:
    """Nobody wants to know."""


def _link_all(
    paths: Mapping[str, ObjectLike], destination: Path, on_progress: Callable[[Staged], None]
) -> Staged:
    made: set[str] = set()
    size = 0
    for count, (path, info) in enumerate(paths.items(), start=1):
        parent = path.rpartition("/")[0]
        if parent and parent not in made:
            (destination / parent).mkdir(parents=True, exist_ok=True)
            made.add(parent)
        _place(info, f"{destination}/{path}")
        size += info.size
        if count % 1000 == 0:
            on_progress(Staged(count, size))
    staged = Staged(len(paths), size)
    on_progress(staged)
    return staged


def _chosen(objects: Objects, source: Source) -> list[tuple[str, ObjectLike]]:
    """Return ``(local path, object)`` of this host's share, in key order."""
    match source.data_type:
        case "S3Prefix":
            found = list(_under_prefix(objects, source.uri))
        case "ManifestFile":
            found = list(_of_manifest(objects, source.uri))
        case "AugmentedManifestFile":
            raise PermanentError(
                f"{FAILED}S3DataType AugmentedManifestFile is supported in Pipe mode only"
            )
        case other:
            raise PermanentError(f"{FAILED}Unknown S3DataType '{other}'")
    if not found:
        raise PermanentError(f"{FAILED}No objects were found under '{source.uri}'")
    if source.distribution == "ShardedByS3Key":
        return [item for i, item in enumerate(found) if i % source.hosts == source.host]
    return found


def _under_prefix(objects: Objects, uri: str) -> Iterator[tuple[str, ObjectLike]]:
    bucket, prefix = split_uri(uri)
    if not objects.bucket_exists(bucket):
        raise PermanentError(f"{FAILED}The S3 bucket '{bucket}' does not exist")
    for info in objects.list(bucket, prefix):
        _refuse_double_slash(Place(bucket, info.key))
        path = local_path(prefix, info.key)
        if path is not None:
            yield path, info


def _of_manifest(objects: Objects, uri: str) -> Iterator[tuple[str, ObjectLike]]:
    bucket, prefix, names = read_manifest(objects, uri)
    for name in names:
        info = worded(objects.stat, bucket, prefix + name)
        _refuse_double_slash(Place(bucket, info.key))
        _check(name.removeprefix("/"), info.key)
        yield name.removeprefix("/"), info


def _refuse_double_slash(place: Place) -> None:
    """Refuse what SageMaker does not download, wherever in the key of a file the slashes are."""
    if "//" in place.key and not place.key.endswith("/"):
        raise PermanentError(
            f"{FAILED}Failed to download data. S3 key: {place.uri} has an illegal char sub-sequence"
            " '//' in it"
        )


def worded(ask: Callable[[str, str], T], bucket: str, key: str) -> T:
    """Ask for an object; raises PermanentError, fit for a FailureReason, if it is missing."""
    try:
        return ask(bucket, key)
    except PermanentError as error:
        raise PermanentError(f"{FAILED}{error}") from error


def read_manifest(objects: Objects, uri: str) -> tuple[str, str, list[str]]:
    """Return a manifest's bucket, key prefix and the names it lists.

    Raises:
        PermanentError: the object is missing or is no manifest.
    """
    manifest = worded(objects.read_bytes, *split_uri(uri))
    try:
        first, *names = json.loads(manifest)
        start = first["prefix"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise PermanentError(f"{FAILED}'{uri}' is not a valid manifest file") from None
    if not all(isinstance(text, str) for text in (start, *names)):
        raise PermanentError(f"{FAILED}'{uri}' is not a valid manifest file")
    bucket, prefix = split_uri(start)
    return bucket, prefix, names


def keep_manifest(objects: Objects, source: Source, target: Path) -> None:
    """Copy the manifest of a channel that has one to `target` (contract B7).

    Raises:
        PermanentError: the manifest is missing.
    """
    if source.data_type in ("ManifestFile", "AugmentedManifestFile"):
        shutil.copyfile(worded(objects.stat, *split_uri(source.uri)).path, target)


def split_uri(uri: str) -> Place:
    """Return bucket and key of an S3 URI; raises PermanentError if it names no bucket of S3."""
    place = s3_uri.read(uri)
    if place is None:
        raise PermanentError(f"{FAILED}'{uri}' is not a valid S3 URI")
    return place


def _paths(chosen: Iterable[tuple[str, ObjectLike]]) -> dict[str, ObjectLike]:
    """Refuse two objects at one path, and an object where another needs a directory."""
    paths: dict[str, ObjectLike] = {}
    directories: set[str] = set()
    for path, info in chosen:
        if path in paths:
            raise PermanentError(f"{FAILED}Two objects have the file path '{path}'")
        paths[path] = info
        directories.update(_parents(path))
    for path in directories & paths.keys():
        raise PermanentError(
            f"{FAILED}'{path}' is both a file and a directory of the channel "
            f"(object key '{paths[path].key}')"
        )
    return paths


def _parents(path: str) -> Iterator[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _place(info: ObjectLike, target: str) -> None:
    """Link the body to `target`; copy it when no link is possible."""
    try:
        os.link(info.path, target)
    except FileExistsError:
        os.unlink(target)
        _place(info, target)
    except FileNotFoundError:
        raise TemporaryError(f"{FAILED}The object '{info.key}' changed during download") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(info.path, target)


def _failure(error: OSError) -> PermanentError:
    """Word what this machine refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(FAILED)
    return PermanentError(f"{FAILED}{error.strerror}")

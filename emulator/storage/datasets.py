"""The buckets from which AWS's notebooks read their data, served from a directory of the user's.

Each bucket has a folder of its name there; one for each region may share a folder without the
region. A file becomes an object when somebody first asks for its key or lists where it lies. What
is asked for and is not there is told in the log, with the place where the file belongs.
"""

import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emulator.call import Scope
from emulator.storage.bodies import Body
from emulator.storage.keys import BadKey, check_key
from emulator.storage.s3 import S3

logger = logging.getLogger(__name__)

_REGION = r"([a-z]{2}(?:-[a-z]+)+-\d{1,2})"
_REGIONAL = re.compile(rf"(sagemaker-sample-data|sagemaker-example-files-prod)-{_REGION}")
_OTHER = {"sagemaker-sample-files": "us-east-1"}
"""Buckets that AWS has once, and where."""
_MOST_TOLD = 10_000


def region_of(bucket: str) -> str | None:
    """Return the region of a bucket of AWS's notebooks, None for any other."""
    match = _REGIONAL.fullmatch(bucket)
    return match[2] if match else _OTHER.get(bucket)


class Datasets:
    """Brings files of the directory into their buckets.

    Args:
        directory: of one folder for each bucket; need not be there.
    """

    def __init__(self, s3: S3, directory: Path) -> None:
        self._s3 = s3
        self._directory = directory
        self._bringing = threading.Lock()
        self._told = set[tuple[str, str]]()

    def bring(self, bucket: str, *, key: str | None, prefix: str | None) -> None:
        """Make the object of a key, or those below a prefix, from the files that are there.

        What is an object already stays as it is. No lock may be held.
        """
        with self._bringing:
            if key is not None:
                self._bring_one(bucket, key)
            elif prefix is not None:
                self._bring_all(bucket, prefix)

    def _bring_one(self, bucket: str, key: str) -> None:
        if self._has(bucket, key):
            return
        for folder in self._folders(bucket):
            if path := _file(folder, key):
                self._put(bucket, key, path)
                return
        self._tell(bucket, key)

    def _bring_all(self, bucket: str, prefix: str) -> None:
        for folder in self._folders(bucket):
            for key, path in _files(folder, prefix):
                if not self._has(bucket, key):
                    self._put(bucket, key, path)
        with self._s3.lock:
            owner: Any = self._s3.bucket(bucket)
            empty = owner is None or not any(key.startswith(prefix) for key in owner.keys)
        if empty:
            self._tell(bucket, prefix)

    def _folders(self, bucket: str) -> list[Path]:
        match = _REGIONAL.fullmatch(bucket)
        return [self._directory / name for name in (bucket, *([match[1]] if match else []))]

    def _has(self, bucket: str, key: str) -> bool:
        with self._s3.lock:
            owner: Any = self._s3.bucket(bucket)
            return owner is not None and hasattr(owner.keys.get(key), "body")

    def _put(self, bucket: str, key: str, path: Path) -> None:
        # A copy, not a link: whoever edits the file in place must not change the object.
        body = self._s3.bodies.join([Body(path, 0, path.stat().st_size)])
        try:
            with self._s3.changing():
                owner: Any = self._s3.bucket(bucket)
                if owner is not None:
                    scope = Scope(owner.account_id, owner.region_name)
                    self._s3.backend(scope).put_object(bucket, key, body)
        finally:
            if body.fresh:
                body.path.unlink(missing_ok=True)
        logger.info("s3://%s/%s was read from %s", bucket, key, path)

    def _tell(self, bucket: str, name: str) -> None:
        """Say where a file belongs, once for each name."""
        if (bucket, name) in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add((bucket, name))
        logger.warning(
            "s3://%s/%s is AWS's and not here: put it at %s, and it is served at once",
            bucket,
            name,
            self._directory / bucket / name.lstrip("/"),
        )


def _file(folder: Path, key: str) -> Path | None:
    """Return the file of a key, None if there is none or the key leads elsewhere."""
    if "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        return None
    path = folder / key
    try:
        return path if path.is_file() else None
    except OSError:
        return None


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield key and path of each file whose key starts with the prefix."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory) / name
            key = path.relative_to(folder).as_posix()
            try:
                check_key(key)
            except BadKey as problem:
                logger.warning("%s: %s", folder, problem)
                continue
            if key.startswith(prefix) and path.is_file():
                yield key, path

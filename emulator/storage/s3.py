"""moto's S3 in this process: answers requests, and writes what they changed to the index.

One lock covers moto and the index together, so the index always holds a state that requests have
seen. Bodies stream in before the lock is taken and out after it is released.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from moto.s3.exceptions import DuplicateTagKeys, NoSystemTags
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.utilities.utils import get_partition

from emulator.call import EVERYTHING, Area, Scope
from emulator.storage import schema, stored
from emulator.storage.bodies import Bodies, Body
from emulator.storage.ledger import Ledger, find_bucket
from emulator.storage.receive import Rejected
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

    def _tagging_from_headers(self, headers: Any) -> dict[str, str]:
        return _own(super()._tagging_from_headers(headers))

    def _tagging_from_xml(self) -> dict[str, str]:
        # An empty set of tags is legal, and moto fails on it.
        root = ElementTree.fromstring(self.body)
        found = [tag for tag in root.iter() if schema.tag(tag) == "Tag"]
        pairs = [{schema.tag(child): child.text or "" for child in tag} for tag in found]
        tags = {pair["Key"]: pair["Value"] for pair in pairs}
        if len(tags) < len(pairs):
            raise DuplicateTagKeys()
        return _own(tags)


def _own(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags; raises S3's error if one has a key that is AWS's."""
    if any(key.startswith("aws:") for key in tags):
        raise NoSystemTags()
    return tags


def _asked(handler: Callable[..., Reply], request: MotoRequest) -> Reply:
    """Return moto's reply; whatever it can't make sense of is its client's mistake.

    Raises:
        Rejected: moto failed on the request.
    """
    try:
        return handler(request, request.raw_url, request.headers)
    except (OSError, sqlite3.Error, NotImplementedError):
        raise
    except Exception as error:
        logger.warning("s3 can't read %s %s", request.method, request.path, exc_info=True)
        if request.data:
            raise schema.malformed() from error
        reason = f"The emulator can't make sense of this request: {type(error).__name__}."
        raise Rejected("InvalidRequest", f"{reason} Its log has the traceback.") from error


class S3:
    """The S3 service of every account.

    Args:
        root: directory of the index and the bodies.
    """

    def __init__(self, root: Path) -> None:
        self.lock = threading.RLock()
        stored.install(root / "bodies")
        self._ledger = Ledger(root / "index.sqlite")
        self._load()

    @property
    def bodies(self) -> Bodies:
        return stored.Here.bodies

    def backend(self, scope: Scope) -> Any:
        return s3_backends[scope.account][get_partition(scope.region)]

    def bucket(self, name: str) -> Any | None:
        """Return a bucket of whichever account owns the name, or None."""
        return find_bucket(name)

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
                # Before it is asked: what it does in place and then refuses is taken back.
                if request.method not in ("GET", "HEAD", "OPTIONS"):
                    self._touch(request.bucket, request.key)
                status, headers, body = _asked(handler, request)
                if int(status) >= 400:
                    self._take_back()
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
        """Hold the lock, and write what changed to the index before giving it up.

        If the block raises, or what it changed can't be written, nothing of it has happened.

        Raises:
            NotStored: the index could not take what changed.
        """
        with self.lock:
            try:
                yield
            except BaseException:
                self._take_back()
                raise
            self.flush()

    def flush(self) -> None:
        """Write pending changes, then remove the bodies that nothing names any more.

        Raises:
            NotStored: the changes could not be written; they are taken back.
        """
        with self.lock:
            if changes := stored.Here.changes:
                stored.Here.changes = stored.Changes()
                self._ledger.write(changes)

    def _take_back(self) -> None:
        if changes := stored.Here.changes:
            stored.Here.changes = stored.Changes()
            self._ledger.take_back(changes)

    def _load(self) -> None:
        used = self._ledger.load()
        if not self._ledger.complete:
            logger.error("s3 keeps every body, because some of its index can't be read")
            return
        removed = self.bodies.remove_all_but(used)
        if removed:
            logger.info("s3 removed %d bodies that no object names", removed)

    def reset(self, area: Area) -> None:
        """Forget the buckets of an area, with all that is in them.

        A bucket belongs to the account that made it and to the region it is in.
        """
        with self.lock:
            if area == EVERYTHING:
                self._forget()
                self._ledger.clear()
                self.bodies.remove_all_but(set())
                return
            with self.changing():
                for name in list(s3_backends.bucket_accounts):
                    bucket = find_bucket(name)
                    if bucket and area.covers(Scope(bucket.account_id, bucket.region_name)):
                        self._ledger.forget(bucket)

    def close(self) -> None:
        with self.lock:
            self.flush()
            self._forget()
            self._ledger.close()

    def _forget(self) -> None:
        s3_backends.clear()
        s3_backends.bucket_accounts.clear()
        stored.Here.changes = stored.Changes()

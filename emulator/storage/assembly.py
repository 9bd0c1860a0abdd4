"""Storage: every AWS service that is not SageMaker, in this process.

Importing this module is cheap; moto itself is imported by `Storage.load`, and whatever needs it
waits until that is done. moto keeps its state in the process, so there is one open Storage at a
time. Nothing here opens a socket, but to fetch sample data that a client asks for, and no IAM
policy is ever enforced.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse

from emulator import state_files
from emulator.call import EVERYTHING, Area, Scope
from emulator.storage.objects import ScopedObjects

if TYPE_CHECKING:
    from emulator.storage.ecr import Images
    from emulator.storage.loaded import Parts
    from emulator.storage.streams import Line

_ISSUED = ("AKIA", "ASIA")
"""How the ids of issued keys start; others are not looked up, so that they wait for nothing."""


class Storage:
    """The services behind the front.

    Args:
        root: directory of everything durable: S3's index and bodies, log lines.
        default_account, default_region: whose an unsigned request is.
        sample_data: the digits of the buckets of sample data: `auto`, `bundled` or a directory.
        data_buckets: the directory of files that AWS's buckets of data have; None for one of
            the root's.
        images: asks the engine for the images that have names on ECR.
        loads_itself: the first who needs it loads it; otherwise only who calls `load` does, which
            is for a process where one thread owns the imports.

    Raises:
        RuntimeError: another Storage of this process is still open.
        StateDamaged: one of its files is not what it wrote.
    """

    _open = threading.Lock()

    def __init__(
        self,
        root: Path,
        *,
        default_account: str = "123456789012",
        default_region: str = "us-east-1",
        sample_data: str = "auto",
        data_buckets: Path | None = None,
        loads_itself: bool = True,
        images: Images = tuple,
    ) -> None:
        for file in state_files.OF_STORAGE:
            state_files.check(root / file)
        if not Storage._open.acquire(blocking=False):
            raise RuntimeError("another Storage is open; moto has one state per process")
        self.root = root
        self.default_scope = Scope(default_account, default_region)
        self._sample_data = sample_data
        self._data_buckets = data_buckets or root / "data-buckets"
        self._loads_itself = loads_itself
        self._images = images
        self._parts: Future[Parts] = Future()
        self._loading = threading.Lock()

    def load(self) -> None:
        """Import moto and read the state, in this thread; twice does no harm.

        Raises what goes wrong, and so does everything that then needs a part.
        """
        if self._loading.acquire(blocking=False):
            try:
                self._parts.set_result(self._load())
            except BaseException as error:
                self._parts.set_exception(error)
        self._parts.result()

    def _load(self) -> Parts:
        from emulator.storage import loaded
        from emulator.storage.digits import DigitSource

        return loaded.assemble(
            *(self.root / file for file in state_files.OF_STORAGE),
            digits=DigitSource(self._sample_data, self.root / "mnist"),
            data=self._data_buckets,
            account=self.default_scope.account,
            images=self._images,
        )

    def _ready(self) -> Parts:
        if self._loads_itself:
            self.load()
        return self._parts.result()

    def wait(self) -> None:
        """Return once moto is imported and the state is loaded; raises what went wrong."""
        self._ready()

    def handle(
        self,
        service: str,
        scope: Scope | None,
        environ: Mapping[str, Any],
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Answer one request.

        Args:
            service: one of services.SERVICES, as the credential scope names it.
            scope: whose request it is; None for an unsigned one.

        Raises:
            KeyError: there is no such service.
        """
        parts = self._ready()
        scope = scope or self.default_scope
        if service == "s3":
            return parts.front(scope, environ, start_response)
        return parts.dispatch(service, scope, environ, start_response)

    def objects(self, scope: Scope | None = None) -> ScopedObjects:
        """Return S3 as the emulator's own parts use it; waits for nothing yet."""
        return ScopedObjects(
            lambda: self._ready().s3,
            self._ensure,
            scope or self.default_scope,
        )

    def _ensure(self, bucket: str, *, key: str | None = None, prefix: str | None = None) -> None:
        self._ready().samples.ensure(bucket, key=key, prefix=prefix)

    def account_of(self, access_key_id: str) -> str | None:
        """Return the account that a key was issued for, or None for a key from elsewhere."""
        if not access_key_id.startswith(_ISSUED):
            return None
        return self._ready().account_of(access_key_id)

    def put_log_lines(self, scope: Scope, group: str, stream: str, lines: Sequence[Line]) -> None:
        """Append lines to a CloudWatch Logs stream, making it if need be."""
        self._ready().streams.put(scope, group, stream, lines)

    def open_log_group(self, scope: Scope, group: str) -> None:
        """Make a CloudWatch Logs group, unless it is there; without streams it lasts one run."""
        self._ready().streams.open(scope, group)

    def last_log_line(self, scope: Scope, group: str, stream: str) -> float:
        """Return the epoch seconds of a stream's last line, 0.0 if it has none."""
        return self._ready().streams.last(scope, group, stream)

    def put_metric(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        value: float,
        at: float,
        dimensions: Mapping[str, str],
    ) -> None:
        """Add one value of a CloudWatch metric; `at` is epoch seconds."""
        self._ready().metrics.put(scope, namespace, name, value, at, dimensions)

    def reset(self, area: Area = EVERYTHING) -> None:
        """Forget everything of an area, in every service and on disk too."""
        self._ready().reset(area)

    def close(self) -> None:
        """Write what is pending and free the process for another Storage.

        Waits for a load that is under way. Whoever still waits for one that never began hears of
        the end.
        """
        try:
            if self._loading.acquire(blocking=False):
                self._parts.set_exception(RuntimeError("the storage was closed unloaded"))
            elif self._parts.exception() is None:
                self._parts.result().close()
        finally:
            Storage._open.release()

"""Storage: every AWS service that is not SageMaker, in this process.

Importing this module is cheap; moto itself is imported by a thread that a Storage starts, and the
first call waits for it. moto keeps its state in the process, so there is one open Storage at a
time. Nothing here opens a socket, but to fetch sample data that a client asks for, and no IAM
policy is ever enforced.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse

from emulator import state_files
from emulator.call import Scope
from emulator.errors import PermanentError
from emulator.storage.objects import ScopedObjects

if TYPE_CHECKING:
    from emulator.storage.dispatch import Dispatch
    from emulator.storage.front import S3Front
    from emulator.storage.metrics import Metrics
    from emulator.storage.s3 import S3
    from emulator.storage.samples import SampleBuckets
    from emulator.storage.streams import Line, LogStreams

_ISSUED = ("AKIA", "ASIA")
"""How the ids of issued keys start; others are not looked up, so that they wait for nothing."""

_FILES = ("s3/index.sqlite", "logs/lines.sqlite", "logs/metrics.sqlite")

SERVICES = frozenset({"ecr", "iam", "logs", "monitoring", "s3", "sagemaker", "sns", "sts"})


@dataclass(frozen=True)
class _Parts:
    s3: S3
    samples: SampleBuckets
    front: S3Front
    dispatch: Dispatch
    streams: LogStreams
    metrics: Metrics
    lock: threading.RLock


class Storage:
    """The services behind the front.

    Args:
        root: directory of everything durable: S3's index and bodies, log lines.
        default_account, default_region: whose an unsigned request is.
        sample_data: the digits of the buckets of sample data: `auto`, `bundled` or a directory.

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
    ) -> None:
        for file in _FILES:
            state_files.check(root / file)
        if not Storage._open.acquire(blocking=False):
            raise RuntimeError("another Storage is open; moto has one state per process")
        self.root = root
        self.default_scope = Scope(default_account, default_region)
        self._sample_data = sample_data
        self._parts: Future[_Parts] = Future()
        self._loading = threading.Lock()

    def load(self) -> None:
        """Begin to import moto and read the state, in the background; twice does no harm."""
        if self._loading.acquire(blocking=False):
            threading.Thread(target=self._load, name="storage-load", daemon=True).start()

    def _load(self) -> None:
        try:
            self._parts.set_result(self._assemble())
        except BaseException as error:
            self._parts.set_exception(error)

    def _assemble(self) -> _Parts:
        from emulator.storage.digits import DigitSource
        from emulator.storage.dispatch import Dispatch
        from emulator.storage.front import S3Front
        from emulator.storage.metrics import Metrics
        from emulator.storage.s3 import S3
        from emulator.storage.samples import SampleBuckets
        from emulator.storage.streams import LogStreams

        index, lines, values = (self.root / file for file in _FILES)
        s3 = S3(index.parent)
        source = DigitSource(self._sample_data, self.root / "mnist")
        samples = SampleBuckets(s3, source, self.default_scope.account)
        # One lock for all of moto: its services write into each other, Logs exports into S3.
        lock = s3.lock
        streams = LogStreams(lines, lock)
        metrics = Metrics(values, lock)

        def after(service: str, scope: Scope, operation: str) -> None:
            streams.after(service, scope, operation)
            s3.flush()

        front = S3Front(s3, samples)
        return _Parts(s3, samples, front, Dispatch(lock, after), streams, metrics, lock)

    def _ready(self) -> _Parts:
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
            service: one of SERVICES, as the credential scope names it.
            scope: whose request it is; None for an unsigned one.

        Raises:
            KeyError: the service is none of SERVICES.
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
            lambda bucket: self._ready().samples.ensure(bucket),
            scope or self.default_scope,
        )

    def account_of(self, access_key_id: str) -> str | None:
        """Return the account that a key was issued for, or None for a key from elsewhere."""
        if not access_key_id.startswith(_ISSUED):
            return None
        from emulator.storage import accounts

        with self._ready().lock:
            return accounts.account_of(access_key_id)

    def put_log_lines(self, scope: Scope, group: str, stream: str, lines: Sequence[Line]) -> None:
        """Append lines to a CloudWatch Logs stream, making it if need be."""
        self._ready().streams.put(scope, group, stream, lines)

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

    def sagemaker_operations(self) -> frozenset[str]:
        """Return the SageMaker operations that `handle("sagemaker", …)` can answer."""
        from emulator.storage import dispatch

        self._ready()
        return dispatch.sagemaker_operations()

    def reset(self) -> None:
        """Forget everything of every service, on disk too."""
        parts = self._ready()
        with parts.lock:
            parts.s3.reset()
            parts.streams.reset()
            parts.metrics.reset()
            _forget_backends()

    def close(self) -> None:
        """Write what is pending and free the process for another Storage."""
        try:
            # What could not be loaded has nothing pending, and was told to who waited for it.
            with suppress(PermanentError):
                parts = self._ready()
                parts.samples.close()
                with parts.lock:
                    parts.s3.close()
                    parts.streams.close()
                    parts.metrics.close()
                    _forget_backends()
        finally:
            Storage._open.release()


def _forget_backends() -> None:
    from moto.core.base_backend import BackendDict

    BackendDict.reset()

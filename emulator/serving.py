"""The HTTP server: one WSGI application on any number of listeners, inside this process.

Granian does the HTTP in Rust and calls the application on a pool of threads, so the interpreter
lock is held only while the application runs. Its command line and its public servers start a
second process, install signal handlers and write to stdout; here its worker is driven directly
(docs/decisions/0004-one-process-server.md).

Granian hands over a request's header value as an empty one if it has any byte beyond ASCII.

It never installs signal handlers, starts a process, changes the application's answers or knows
what is served.
"""

import asyncio
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from granian import _futures, _granian
from granian.http import HTTP1Settings

from emulator.listening import BACKLOG, Address, bind

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

# Granian's type stubs describe other signatures than the extension module has.
_native: Any = _granian
_new_scheduler: Any = _futures._new_cbscheduler

_IDLE_THREAD_SECONDS = 30
# Also how long an idle connection is kept. Granian's own 30 s is the pause of botocore's waiters:
# each would send its next request on a connection that is just being closed.
_IDLE_CONNECTION_MS = 600_000
_JOINED_BYTES = 128 * 1024
_PLAINTEXT: tuple[Any, ...] = (False, None, None, None, "tls1.3", None, [], False)
_CONSTANT_ENVIRON: dict[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "granian",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,  # the body ends by itself, chunked or not
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


class Server:
    """Serves a WSGI application from threads of this process.

    Args:
        app: the WSGI application; called from several threads at once.
        listeners: what `start` serves: addresses, which it binds, or sockets that are bound.
        threads: the most requests that run at once on one listener; threads start when needed.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        listeners: Iterable[Address | socket.socket] = (),
        *,
        threads: int = 64,
    ) -> None:
        self._run = _runner(app)
        self._wanted = list(listeners)
        self._threads = threads
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    @property
    def addresses(self) -> list[Address]:
        """Return the addresses in use, in the order they were bound."""
        with self._lock:
            return [listener.address for listener in self._listeners]

    def start(self) -> None:
        """Bind and serve all listeners; returns at once. Any thread may call it.

        Raises OSError if an address cannot be bound; then none of them is served.
        """
        sockets: list[socket.socket] = []
        try:
            for wanted in self._wanted:
                sockets.append(wanted if isinstance(wanted, socket.socket) else bind(wanted))
        except OSError:
            for bound in sockets:
                bound.close()
            raise
        for bound in sockets:
            self._serve(bound)

    def listen(self, host: str, port: int) -> Address:
        """Serve one more address and return it as bound; raises OSError if that is impossible."""
        return self._serve(bind((host, port)))

    def stop(self, grace: float = 5.0) -> bool:
        """Take no new connection and wait up to `grace` seconds for requests under way.

        Returns whether all of them ended; those that did not end with the process. Doing it twice
        equals doing it once.
        """
        with self._lock:
            self._stopped = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        deadline = time.monotonic() + grace
        ended = [listener.ended(max(0.0, deadline - time.monotonic())) for listener in listeners]
        if all(ended) and self._loop is not None:
            self._loop.close()
            self._loop = None
        return all(ended)

    def _serve(self, bound: socket.socket) -> Address:
        with self._lock:
            if self._stopped:
                bound.close()
                raise OSError("the server is stopped")
            if self._loop is None:
                # One line per worker that starts or stops says nothing that ours do not.
                logging.getLogger("_granian").setLevel(logging.WARNING)
                # Granian asks for a loop even for WSGI; it never runs.
                self._loop = asyncio.new_event_loop()
            listener = _Listener(bound, self._run, self._loop, self._threads)
            self._listeners.append(listener)
        log.info("serving on http://%s:%d", *listener.address)
        return listener.address


class _Listener:
    """One bound address and the granian worker that serves it."""

    def __init__(
        self,
        bound: socket.socket,
        run: Callable[[Any, dict[str, Any]], int],
        loop: asyncio.AbstractEventLoop,
        threads: int,
    ) -> None:
        host, port = bound.getsockname()[:2]
        self.address: Address = (host, port)
        self._ended = threading.Event()
        self._signal = _native.WorkerSignal()
        self._signal.add_cb(self._ended.set)
        # The worker owns the descriptor from here on and closes it when it ends.
        holder = _native.SocketHolder(bound.detach(), False, BACKLOG)
        worker = _native.WSGIWorker(
            1,  # worker id
            (None, holder),
            None,  # no channel to a parent process
            1,  # runtime threads
            512,  # runtime blocking threads, not used by WSGI
            threads,
            _IDLE_THREAD_SECONDS,
            BACKLOG,  # connections served at once
            "1",
            HTTP1Settings(header_read_timeout=_IDLE_CONNECTION_MS),
            None,  # no HTTP/2
            None,  # no static files
            *_PLAINTEXT,
            (None, None),  # no metrics
        )
        worker.serve_mtr(_new_scheduler(loop, run, impl_asyncio=True), loop, self._signal)
        self._worker = worker

    def close(self) -> None:
        self._signal.set()

    def ended(self, timeout: float) -> bool:
        return self._ended.wait(timeout)


def _runner(app: "WSGIApplication") -> Callable[[Any, dict[str, Any]], int]:
    """Return what granian calls with (its response writer, the request's environ)."""

    def run(proto: Any, scope: dict[str, Any]) -> int:
        environ: WSGIEnvironment = _CONSTANT_ENVIRON | scope
        response = _Response()
        try:
            body = app(environ, response)
        except Exception:
            log.exception("%s %s failed", scope.get("REQUEST_METHOD"), scope.get("PATH_INFO"))
            proto.response_bytes(500, [("content-type", "text/plain")], b"Internal Server Error")
            return 500
        if isinstance(body, list) and not response.written and _is_small(body):
            proto.response_bytes(response.status, response.headers, b"".join(body))
        else:
            proto.response_iter(response.status, response.headers, _Body(response.written, body))
        return response.status

    return run


def _is_small(pieces: list[bytes]) -> bool:
    """Tell whether joining the pieces is cheaper than handing them over one by one."""
    return len(pieces) < 2 or sum(map(len, pieces)) <= _JOINED_BYTES


class _Response:
    """The ``start_response`` of one request."""

    __slots__ = ("headers", "status", "written")

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.status = int(status[:3])
        self.headers = [(name, _as_sent(value)) for name, value in headers]
        return self.written.append


def _as_sent(value: str) -> str:
    """Return a header's value such that granian, which writes UTF-8, sends the bytes meant.

    WSGI spells each byte as the character of that number. Bytes that are no UTF-8 can't be sent:
    the UTF-8 of those characters takes their place.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


class _Body:
    """An application's body iterator in the form granian drains: ``__next__`` and ``close``."""

    __slots__ = ("_chunks", "_inner")

    def __init__(self, written: list[bytes], inner: Iterable[bytes]) -> None:
        self._inner = inner
        self._chunks = _chained(written, inner)

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()


def _chained(written: list[bytes], inner: Iterable[bytes]) -> Iterator[bytes]:
    yield from written
    yield from inner

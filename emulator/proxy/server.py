"""The proxy itself: CONNECT requests on one port, all of them on one thread.

TLS to an AWS host ends here and its plain HTTP goes on to the emulator; every other destination is
tunnelled without a look at what passes. A destination that can't be reached is a 502 at once.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

from emulator.proxy import hosts, trust
from emulator.proxy.authority import Authority
from emulator.proxy.outward import Outward, Unreachable, way_out
from emulator.proxy.pipes import CHUNK, Malformed, copy, copy_requests

log = logging.getLogger(__name__)

Address = tuple[str, int]

_BACKLOG = 1024
_HEAD_SECONDS = 30.0
_HANDSHAKE_SECONDS = 30.0
_HTTPS = 443
# What ends a tunnel without it being anyone's mistake here.
_ENDINGS = (OSError, Malformed, asyncio.IncompleteReadError)


class Refused(Exception):
    """The reply to a request for a tunnel that there will not be."""


class Proxy:
    """Serves CONNECT from a thread of its own.

    Args:
        state: the state directory, which keeps the authority's key.
        listen: the address to listen on; port 0 takes a free one.
        emulator: where the emulator serves HTTP.
    """

    def __init__(self, state: Path, listen: Address, emulator: Address) -> None:
        self._state, self._listen, self._emulator = state, listen, emulator
        self._domains = hosts.suffixes()
        self._tunnels: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the URL that clients have as HTTPS_PROXY; the port is known once it started."""
        host, port = self._listen
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Make or load the authority and serve; raises OSError if the address can't be had."""
        host, port = self._listen
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        try:
            self._authority = Authority(trust.directory(self._state), self._domains)
            trust.write_bundle(self._state, os.environ)
        except BaseException:
            bound.close()
            raise
        self._bound, self._listen = bound, (host, bound.getsockname()[1])
        self._out = way_out(os.environ, besides=self.url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop,), name="proxy", daemon=True
        )
        self._thread.start()
        log.info("TLS proxy on %s; its clients trust %s", self.url, trust.bundle_file(self._state))

    def stop(self, timeout: float = 5.0) -> None:
        """End all tunnels and the thread. Doing it twice equals doing it once."""
        if self._loop is None or self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(timeout)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._accept, sock=self._bound, backlog=_BACKLOG, limit=CHUNK
        )
        await self._ended.wait()
        # A connection that is just being accepted becomes a tunnel, or asyncio fails on it and
        # leaves it open if the server is closed by then. So the closing comes last.
        asyncio.get_running_loop().remove_reader(self._bound)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for tunnel in self._tunnels:
                tunnel.cancel()
            await asyncio.wait(others)
        server.close()

    def _accept(self, client: StreamReader, reply: StreamWriter) -> None:
        tunnel = asyncio.ensure_future(self._answer(client, reply))
        self._tunnels.add(tunnel)
        tunnel.add_done_callback(self._tunnels.discard)
        # A task that is cancelled before it began has closed nothing.
        tunnel.add_done_callback(lambda _: reply.transport.abort())

    async def _answer(self, client: StreamReader, reply: StreamWriter) -> None:
        """Serve one connection of a client, to its end."""
        try:
            async with _closing(reply):
                try:
                    await self._tunnel(client, reply)
                except Refused as refusal:
                    reply.write(str(refusal).encode())
        except _ENDINGS as ending:
            log.debug("a tunnel ended: %s", ending or type(ending).__name__)
        except Exception:
            log.exception("a tunnel failed")

    async def _tunnel(self, client: StreamReader, reply: StreamWriter) -> None:
        host, port = await _destination(client)
        ours = port == _HTTPS and hosts.is_aws(host, self._domains)
        out, where = (Outward(), self._emulator) if ours else (self._out, (host, port))
        try:
            source, sink = await out.connected(*where)
        except Unreachable as problem:
            raise _refused(502, "Bad Gateway", str(problem)) from None
        async with _closing(sink):
            reply.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if ours:
                await self._take_the_place_of(host, reply)
                bucket = hosts.bucket_of(host, self._domains)
                requests = copy_requests(client, sink, bucket) if bucket else copy(client, sink)
                # To the emulator, a client that has no more to send is one that left.
                await _together(asyncio.FIRST_COMPLETED, requests, copy(source, reply))
            else:
                await _together(asyncio.FIRST_EXCEPTION, copy(client, sink), copy(source, reply))

    async def _take_the_place_of(self, host: str, reply: StreamWriter) -> None:
        """Speak TLS with the client as this host of AWS, whatever name the client then asks for."""
        try:
            await reply.start_tls(
                self._authority.context(host), ssl_handshake_timeout=_HANDSHAKE_SECONDS
            )
        except ssl.SSLError as error:
            trusted = trust.bundle_file(self._state)
            log.info("TLS failed with a client of %s (%s): does it trust %s?", host, error, trusted)
            raise


@contextlib.asynccontextmanager
async def _closing(writer: StreamWriter) -> AsyncIterator[None]:
    """Close when all is sent; after a failure drop what is unsent, so that it shows as one."""
    try:
        yield
        writer.close()
        await writer.wait_closed()
    except BaseException:
        writer.transport.abort()
        raise


async def _together(until: str, *copies: Coroutine[None, None, None]) -> None:
    """Run the copies until `until` says so, then end those that still run."""
    tasks = [asyncio.ensure_future(each) for each in copies]
    try:
        done, _ = await asyncio.wait(tasks, return_when=until)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _destination(client: StreamReader) -> Address:
    """Read a CONNECT request and return where it wants to go, in lower case."""
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await client.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Malformed("the head of a CONNECT request does not end") from None
    method, _, rest = head.decode("latin-1").partition(" ")
    host, colon, port = rest.partition(" ")[0].rpartition(":")
    if method != "CONNECT":
        raise _refused(405, "Method Not Allowed", "This is a proxy for HTTPS: CONNECT only.")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65536):
        raise _refused(400, "Bad Request", "CONNECT takes HOST:PORT.")
    return host.lower().rstrip(".").strip("[]"), int(port)


def _refused(status: int, phrase: str, reason: str) -> Refused:
    text = reason + "\n"
    return Refused(
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text.encode())}\r\nConnection: close\r\n\r\n{text}"
    )

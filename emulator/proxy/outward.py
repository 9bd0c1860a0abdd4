"""The way out to every host that is not AWS's: straight, or through this machine's own proxy.

`env --proxy-port` takes the place of HTTPS_PROXY in a shell, so the proxy that stood there, a
company's for instance, has to be taken from here.
"""

import asyncio
import base64
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from emulator.proxy.pipes import CHUNK

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 20.0


class Unreachable(Exception):
    """There is no way to a destination; the text says why."""


@dataclass(frozen=True)
class Outward:
    """How connections leave this machine.

    Attributes:
        host: of the proxy that they take; empty if they go straight.
        credentials: `user:password` for it, empty if it asks for none.
        exempt: hosts and domains that are reached straight all the same; `*` for all.
    """

    host: str = ""
    port: int = 0
    credentials: str = ""
    exempt: tuple[str, ...] = ()

    async def connected(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        """Connect to a host; raises Unreachable."""
        straight = not self.host or self._exempts(host)
        near = (host, port) if straight else (self.host, self.port)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                source, sink = await connected(*near)
                if not straight:
                    await self._asked(source, sink, host, port)
                return source, sink
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError) as problem:
            reason = str(problem) or "no answer in time"
            by = "" if straight else f" through the proxy {self.host}:{self.port}"
            raise Unreachable(f"Can't reach {host}:{port}{by}: {reason}") from None

    def _exempts(self, host: str) -> bool:
        return any(name in ("*", host) or host.endswith("." + name) for name in self.exempt)

    async def _asked(self, source: StreamReader, sink: StreamWriter, host: str, port: int) -> None:
        """Have the proxy connect; raises OSError with its refusal."""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        known = base64.b64encode(self.credentials.encode()).decode()
        login = f"Proxy-Authorization: Basic {known}\r\n" if self.credentials else ""
        try:
            sink.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{login}\r\n".encode())
            head = await source.readuntil(b"\r\n\r\n")
            line = head.partition(b"\r\n")[0].decode("latin-1")
            if not line.startswith(("HTTP/1.0 2", "HTTP/1.1 2")):
                raise OSError(f"it answered {line[:100]!r}")
        except BaseException:
            sink.transport.abort()
            raise


async def connected(host: str, port: int) -> tuple[StreamReader, StreamWriter]:
    """Connect straight; raises OSError, or ValueError for what can be no host."""
    # The second address family gets its turn before the first has timed out.
    return await asyncio.open_connection(host, port, limit=CHUNK, happy_eyeballs_delay=0.25)


def way_out(environ: Mapping[str, str], *, besides: str) -> Outward:
    """Return the way that this process's environment names.

    Args:
        besides: our own proxy's URL, which the environment of such a shell names.
    """
    url = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    if not url or url.rstrip("/") == besides:
        return Outward()
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        log.warning("HTTPS_PROXY=%s is not used: only http:// proxies can be", parts.hostname)
        return Outward()
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    names = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").lower().split(",")
    bare = [name.strip() for name in names if name.strip()]
    exempt = tuple(name if name == "*" else name.lstrip("*.") for name in bare)
    return Outward(parts.hostname, parts.port or 80, login if parts.username else "", exempt)

"""Who listens on a port: nobody, an emulator, or another program. It never leaves a socket open."""

import errno
import http
import json
import socket
from typing import IO, Any

from emulator.errors import PermanentError
from emulator.settings import Settings

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
_ANSWER_SECONDS = 2.0


class PortTaken(PermanentError):
    """The address can't be listened on."""


def url(host: str, port: int) -> str:
    """Return the URL under which this machine reaches what listens on `host` and `port`."""
    reachable = _ANYWHERE.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def check_free(settings: Settings) -> None:
    """Raise PortTaken, which says who has a port and what to do, unless all can be listened on."""
    _check_free(settings.host, settings.port, "--port")
    if settings.proxy_port:
        _check_free(settings.host, settings.proxy_port, "--proxy-port")


def _check_free(host: str, port: int, flag: str) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            # As servers do; without it, connections of the last run would count as a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as problem:
        raise PortTaken(_reason(host, port, flag, problem)) from None


def listening(base: str) -> bool:
    """Tell whether anybody accepts connections at a URL, an emulator or another program."""
    host, _, port = base.partition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS):
            return True
    except OSError:
        return False


def health(base: str) -> dict[str, Any] | None:
    """Return what the emulator at this URL says of itself, or None if there is no emulator."""
    answer = page(base, "health")
    return answer if answer is not None and "status" in answer else None


def page(base: str, name: str) -> dict[str, Any] | None:
    """Return one of an emulator's own pages, or None if nobody has it there."""
    import urllib.error
    import urllib.request  # a tenth of the time that a start takes, and a start rarely needs it

    # A proxy of the environment is for other hosts than this one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base}/_emulator/{name}", timeout=_ANSWER_SECONDS) as reply:
            answer = json.load(reply)
    except urllib.error.HTTPError as refusal:
        # With 503, health says what is wrong with an emulator that is there.
        with refusal:
            answer = _json(refusal) if refusal.code == http.HTTPStatus.SERVICE_UNAVAILABLE else None
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _json(reply: IO[bytes]) -> Any:
    try:
        return json.load(reply)
    except (OSError, ValueError):
        return None


def _reason(host: str, port: int, flag: str, problem: OSError) -> str:
    where = f"{host}:{port}"
    if isinstance(problem, PermissionError):
        return f"Listening on {where} is not permitted. Choose a port from 1024 with {flag}."
    if problem.errno != errno.EADDRINUSE:
        return f"Can't listen on {host} ({problem.strerror}). Choose another --host."
    base = url(host, port)
    if health(base):
        return (
            f"An emulator is running at {base} already. "
            "Use it, or start another with --port 0 --state DIR."
        )
    free = ", or 0 for a free one" if flag == "--port" else ""
    return (
        f"Port {port} of {host} is taken by another program. Choose another one with {flag}{free}."
    )

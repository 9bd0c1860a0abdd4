"""Where AWS is, for a container that something else than the emulator started.

The emulator gives its own containers its address. The SageMaker SDK's local mode, which runs them
by docker-compose, gives none, or one that means the machine outside: `http://localhost:4610`, where
nobody listens in here. An endpoint that can be right is never touched.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL")
EMULATOR = "SAGEMAKER_EMULATOR_URL"
"""The emulator as every container of this machine reaches it; a variable of the image."""
ROUTES = "/proc/net/route"
_REGION = "us-east-1"
_GATEWAY_FLAG = 0x2


def apply() -> None:
    """Correct this process's variables, for whatever it imports and starts from now on."""
    try:
        with open(ROUTES, encoding="ascii") as table:
            routes = table.read()
    except OSError:
        routes = ""
    os.environ.update(corrections(os.environ, routes))


def corrections(environment: Mapping[str, str], routes: str) -> dict[str, str]:
    """Return the variables that must be set so that AWS clients reach the emulator.

    Args:
        environment: the container's variables.
        routes: its routing table, as /proc/net/route has it.
    """
    emulator = environment.get(EMULATOR, "")
    given = {name: environment[name] for name in ENDPOINTS if environment.get(name)}
    if given:
        host = urlsplit(emulator).hostname or gateway(routes)
        found = {
            name: with_host(url, host) for name, url in given.items() if host and is_loopback(url)
        }
    else:
        found = dict.fromkeys(("AWS_ENDPOINT_URL", "S3_ENDPOINT_URL"), emulator) if emulator else {}
    return {**found, **_credentials(environment), **_region(environment)} if found else {}


def is_loopback(url: str) -> bool:
    """Tell whether a URL means the very machine, or container, that uses it."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def with_host(url: str, host: str) -> str:
    """Return a URL with another host; its port stays."""
    parts = urlsplit(url)
    where = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=f"{where}:{parts.port}" if parts.port else where))


def gateway(routes: str) -> str:
    """Return the address of the default route's gateway, empty if there is no such route.

    On a container network, that is the machine the containers run on.
    """
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[1] == "00000000" and int(fields[3], 16) & _GATEWAY_FLAG:
            return socket.inet_ntoa(int(fields[2], 16).to_bytes(4, "little"))
    return ""


def _credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a key pair when there is none: clients don't call without, the emulator takes any."""
    own = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if any(environment.get(name) for name in own):
        return {}
    return {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}


def _region(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the region's variables; the toolkits read the first, boto3 the second."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    known = (environment.get(name) for name in (*names, "SAGEMAKER_REGION"))
    region = next(filter(None, known), _REGION)
    return {name: region for name in names if not environment.get(name)}

"""Leads the containers of local mode to the emulator, whatever image they are of.

The SDK hands them the endpoint of its own process, such as `http://localhost:4610`, where nobody
listens inside a container, or none at all. The emulator says at which address containers reach it.
"""

import functools
import ipaddress
import json
import os
import urllib.error
import urllib.request
from typing import Any, Callable, List
from urllib.parse import urlsplit

from . import emulated, replace

CLASSES = ("_SageMakerContainer", "_LocalContainer")
"""What describes a container to docker-compose in the SDK's versions 1 and 2, then 3."""
# boto3 reads the first, the toolkits of older images the second.
_ENDPOINTS = ("AWS_ENDPOINT_URL", "S3_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_TIMEOUT = 5.0


def lead(module: Any) -> None:
    """Wrap `_create_docker_host` of the class that the module has."""
    if not emulated():
        return
    for name in CLASSES:
        described = getattr(module, name, None)
        if described is not None:
            replace(described, "_create_docker_host", _led)


def _led(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def create_led(self: Any, *args: Any, **kwargs: Any) -> Any:
        service = create(self, *args, **kwargs)
        ours = os.environ.get("AWS_ENDPOINT_URL", "")
        url = url_for_containers(ours)
        if url:
            region = getattr(self.sagemaker_session, "boto_region_name", None) or ""
            service["environment"] = variables(service["environment"], ours, url, region)
        return service

    return create_led


def variables(given: List[str], ours: str, url: str, region: str) -> List[str]:
    """Return a container's variables, `NAME=VALUE` each, with the emulator as containers reach it.

    Args:
        given: as the SDK has them. An endpoint that is not the emulator's stays.
        ours: the emulator as this process reaches it.
        url: as containers reach it.
        region: of the session; for a container that is told none.
    """
    led = []
    for variable in given:
        name, equals, value = variable.partition("=")
        endpoint = name == "S3_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL")
        led.append(name + equals + (url if endpoint and _same(value, ours) else value))
    named = {variable.partition("=")[0] for variable in led}
    defaults = [(name, url) for name in _ENDPOINTS]
    defaults += [(name, region) for name in _REGIONS if region]
    return led + [name + "=" + value for name, value in defaults if name not in named]


def url_for_containers(ours: str) -> str:
    """Return where the emulator says that containers reach it; empty if it does not."""
    # What a proxy of the user's leads to is not this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            reply = opener.open(ours.rstrip("/") + "/_emulator/health", timeout=_TIMEOUT)
        except urllib.error.HTTPError as failing:  # it says what is wrong, and this as well
            reply = failing
        with reply:
            health = json.loads(reply.read().decode("utf-8"))
    except (OSError, ValueError):
        return ""
    told = health.get("url_for_containers") if isinstance(health, dict) else None
    return str(told or "")


def _same(one: str, other: str) -> bool:
    """Return whether two URLs are one address, by whichever name of this machine's loopback."""
    return bool(_address(one) == _address(other))


def _address(url: str) -> Any:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url
    return parts.scheme, "loopback" if _is_loopback(host) else host, port


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified

"""What the SageMaker SDKs' local mode needs on this machine, checked for `doctor`.

In local mode an SDK starts containers itself, by docker-compose, and calls the emulator for S3, STS
and IAM alone. The emulator can do without all of it; nothing is changed or started here.
"""

import os
import re
import shutil
import socket
import subprocess
import time

from emulator import clients
from emulator.cli import claim, mends, ports
from emulator.cli.finding import Finding
from emulator.errors import EmulatorError
from emulator.settings import Settings

_ANSWER_SECONDS = 3.0
_AGAIN_SECONDS = 0.1
# The SDKs' own; a line `local: serving_port` of ~/.sagemaker/config.yaml changes it.
_SERVING_PORT = 8080


def check_docker(settings: Settings) -> Finding:
    """Is the `docker` command there, and does it find an engine? The SDKs look images up by it."""
    subject = "docker command"
    if shutil.which("docker") is None:
        return _wanting(subject, "not on PATH", mends.compose())
    engine = _output("docker", "version", "--format", "{{.Server.Version}}")
    if engine is None:
        mend = f"{mends.engine()}; export DOCKER_HOST if its socket is at no usual place"
        return _wanting(subject, "it finds no engine", mend)
    return Finding(subject, True, f"finds the engine {engine.strip()}")


def check_compose(settings: Settings) -> Finding:
    """Is there a Compose, and which versions of the SDK take it?"""
    subject = "compose"
    standalone = shutil.which("docker-compose")
    plugin = _output("docker", "compose", "version") if shutil.which("docker") else None
    if standalone is None and plugin is None:
        return _wanting(subject, "neither docker-compose nor docker's plugin", mends.compose())
    taken = _takers(standalone is not None, plugin or "")
    found = [standalone or "", (plugin or "").strip()]
    text = f"{', '.join(filter(None, found))}: SDK {', '.join(taken) or 'of no version'}"
    if "v1" in taken:
        return Finding(subject, True, text)
    mend = (
        "put a script named docker-compose on PATH, for what does not know the plugin: "
        """printf '#!/bin/sh\\nexec docker compose "$@"\\n'"""
    )
    return _wanting(subject, text, mend)


def _takers(standalone: bool, plugin: str) -> list[str]:
    """Return the SDK versions that take what is there.

    Version 1 runs `docker-compose` only. The others prefer the plugin: version 2 looks for the
    letters "v2" in what it says, which Compose 5 does not, version 3 for a number from 2.
    """
    number = re.search(r"version\s+v?(\d+)", plugin)
    found = {
        "v1": standalone,
        "v2": standalone or "v2" in plugin,
        "v3": standalone or (number is not None and int(number[1]) >= 2),
    }
    return [version for version, takes in found.items() if takes]


def check_names(settings: Settings) -> Finding:
    """Do images have the exact names of the region's, and lead to the emulator that runs?"""
    from emulator.catalogue.naming import standing

    subject = "image names"
    mend = f"{mends.command()} images tag --region {settings.region}"
    url = url_for_containers(settings)
    try:
        names = standing(settings.region)
    except EmulatorError as problem:
        return _wanting(subject, str(problem), mends.engine())
    if not names.named:
        return _wanting(subject, f"no image has a name of {settings.region}", mend)
    if names.missing or names.outdated:
        text = f"{len(names.missing)} missing, {len(names.outdated)} of images built anew since"
        return _wanting(subject, f"{text}, of {settings.region}", mend)
    if url is None:
        text = f"{names.named} of {settings.region}; no emulator runs"
        return Finding(subject, True, text)
    if names.urls != {url}:
        known = ", ".join(sorted(names.urls)) or "no emulator"
        return _wanting(subject, f"those of {settings.region} lead to {known}, not {url}", mend)
    return Finding(subject, True, f"{names.named} of {settings.region}, and lead to {url}")


def check_way(settings: Settings) -> Finding:
    """Does the emulator listen where the containers of local mode look for it?"""
    subject = "way to it"
    url = url_for_containers(settings)
    if url is None:
        return Finding(subject, True, "not checked: no emulator runs")
    host = url.removeprefix("http://").rpartition(":")[0]
    if host == "host.docker.internal":
        return Finding(subject, True, f"{url}, which the engine forwards to this machine")
    if ports.health(url) is None:
        mend = f"let containers through to {host} in this machine's firewall"
        return _wanting(subject, f"the emulator does not answer at {url}", mend)
    return Finding(subject, True, f"the emulator answers containers at {url}")


def check_serving_port(settings: Settings) -> Finding:
    """Is the port free on which local mode serves a model?"""
    subject = "serving port"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", _SERVING_PORT))
        except OSError:
            mend = (
                f"end what listens on {_SERVING_PORT} (docker ps --filter publish={_SERVING_PORT})"
            )
            return _wanting(subject, f"{_SERVING_PORT} is taken", mend)
    return Finding(subject, True, f"{_SERVING_PORT} is free")


def check_shell(settings: Settings) -> Finding:
    """Would an SDK in this shell reach the emulator, also where it insists on AWS's STS?"""
    subject = "this shell"
    mend = f'eval "$({mends.command()} env)"'
    if not os.environ.get("AWS_ENDPOINT_URL"):
        return _wanting(subject, "clients are not pointed at the emulator", mend)
    shims = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(clients.SHIM) not in shims and not os.environ.get("HTTPS_PROXY"):
        return _wanting(subject, "the SDKs would call the STS of AWS itself", mend)
    return Finding(subject, True, f"clients are pointed at {os.environ['AWS_ENDPOINT_URL']}")


CHECKS = (
    check_docker,
    check_compose,
    check_names,
    check_way,
    check_serving_port,
    check_shell,
)


def url_for_containers(settings: Settings, *, patience: float = 0.0) -> str | None:
    """Return where containers reach the emulator that runs, or None if none does.

    Args:
        patience: seconds to wait for one that has not reached its engine yet.
    """
    if settings.port:
        base = ports.url(settings.host, settings.port)
    else:
        running = claim.holder(settings.state)
        base = running.url if running else ""
    deadline = time.monotonic() + patience
    while True:
        health = ports.health(base) if base else None
        url = (health or {}).get("url_for_containers") or None
        if health is None or url or time.monotonic() >= deadline:
            return url
        time.sleep(_AGAIN_SECONDS)


def _output(*command: str) -> str | None:
    """Return what a command wrote, None if it failed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _wanting(subject: str, text: str, mend: str) -> Finding:
    return Finding(subject, False, text, mend, required=False)

"""`env`: what points the AWS clients of a shell at the emulator, and away from AWS.

The credentials are fakes that look like fakes; the access key id is the account. Variables that
would lead a client elsewhere are unset. Python and botocore are shown `emulator/clients/`, which
overcomes what the SageMaker SDKs have hard-wired and makes patient clients ask more often.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from emulator import clients
from emulator.cli import claim, ports
from emulator.cli.flags import with_settings
from emulator.errors import PermanentError
from emulator.settings import Settings

SECRET = "not-a-secret"
# Each would make a client read other credentials, or call AWS itself or another endpoint.
_ALWAYS_UNSET = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
_SERVICES = (
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
    "ECR",
    "IAM",
    "S3",
    "SAGEMAKER",
    "SAGEMAKER_RUNTIME",
    "SNS",
    "STS",
)
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


class NotRunning(PermanentError):
    """The URL is known only to a running emulator, and there is none."""


@click.command(short_help="Print shell exports that point clients at the emulator.")
@click.option("--as-written", is_flag=True, help="Let clients poll as seldom as against AWS.")
@with_settings("host", "port", "state", "region", "account", "proxy_port")
def env(settings: Settings, *, as_written: bool) -> None:
    """Print shell exports that point clients at the emulator.

    \b
    eval "$(sagemaker-emulator env)"

    With --port 0 the URL is that of the emulator running on the state directory. With --proxy-port
    clients go through the emulator's TLS proxy, and no Python is changed.
    """
    for name, value in variables(settings, os.environ, as_written=as_written).items():
        click.echo(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")


def variables(
    settings: Settings, environ: Mapping[str, str], *, as_written: bool = False
) -> dict[str, str | None]:
    """Return the variables that a client needs; None stands for one that must not be set.

    Args:
        as_written: leave each client the polling intervals that it was written with.

    Raises:
        NotRunning: the port is 0 and no emulator, or none with a proxy where one is asked for,
            runs on the state directory.
    """
    url = _url(settings)
    host = url.removeprefix("http://").rpartition(":")[0].strip("[]")
    chosen: dict[str, str | None] = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": settings.account,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": _with_path(environ.get("PYTHONPATH", ""), clients.SHIM),
    }
    chosen.update(_pace(environ, as_written))
    if paths := _without_path(environ.get("PATH", ""), clients.COMMANDS):
        chosen["PATH"] = f"{paths}{os.pathsep}{clients.COMMANDS}"
    if any(environ.get(name) for name in _PROXIES):
        for name in ("no_proxy", "NO_PROXY"):
            chosen[name] = _with_host(environ.get(name, ""), host)
    if settings.proxy_port:
        from emulator.cli import proxied  # needs botocore, which nothing else here does

        chosen.update(proxied.through(_proxy(settings, url), settings.state, host, environ))
        chosen["PYTHONPATH"] = _without_path(environ.get("PYTHONPATH", ""), clients.SHIM) or None
    chosen.update(dict.fromkeys(_ALWAYS_UNSET))
    elsewhere = [f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES]
    chosen.update((name, None) for name in elsewhere if name in environ)
    return chosen


def _pace(environ: Mapping[str, str], as_written: bool) -> dict[str, str | None]:
    paths = environ.get("AWS_DATA_PATH", "")
    if not as_written:
        chosen: dict[str, str | None] = {"AWS_DATA_PATH": _with_path(paths, clients.DATA)}
        return chosen | ({clients.AS_WRITTEN: None} if clients.AS_WRITTEN in environ else {})
    others = _without_path(paths, clients.DATA)
    return {clients.AS_WRITTEN: "1"} | ({"AWS_DATA_PATH": others or None} if paths else {})


def _with_path(paths: str, first: Path) -> str:
    # An empty entry would mean the working directory: it stays if the user has it, none is added.
    others = _without_path(paths, first)
    return f"{first}{os.pathsep}{others}" if others else str(first)


def _without_path(paths: str, left_out: Path) -> str:
    return os.pathsep.join(path for path in paths.split(os.pathsep) if path != str(left_out))


def _url(settings: Settings) -> str:
    if settings.port:
        return ports.url(settings.host, settings.port)
    running = claim.holder(settings.state)
    if running is None or not running.url:
        raise NotRunning(
            f"No emulator is running on the state directory {settings.state.absolute()}. "
            "Start it with `sagemaker-emulator up`, or name its port with --port."
        )
    return running.url


def _proxy(settings: Settings, url: str) -> str:
    named = ports.url(settings.host, settings.proxy_port)
    # None: nobody runs there yet, or is too busy with starting to say.
    running = None if settings.port else ports.health(url)
    if running is None:
        return named
    if not running.get("proxy"):
        raise NotRunning(
            f"The emulator at {url} has no TLS proxy. Start it with `sagemaker-emulator up "
            f"--proxy-port {settings.proxy_port}`."
        )
    host, _, port = str(running["proxy"]).removeprefix("http://").rpartition(":")
    return ports.url(host.strip("[]"), int(port))


def _with_host(exempt: str, host: str) -> str:
    names = [name for name in exempt.split(",") if name]
    return ",".join([*names, host] if host not in names else names)

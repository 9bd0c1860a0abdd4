"""`env`: what points the AWS clients of a shell at the emulator, and away from AWS.

The credentials are fakes that look like fakes; the access key id is the account. Variables that
would lead a client elsewhere are unset.
"""

import os
import shlex
from collections.abc import Mapping

import click

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
@with_settings("host", "port", "state", "region", "account")
def env(settings: Settings) -> None:
    """Print shell exports that point clients at the emulator.

    \b
    eval "$(sagemaker-emulator env)"

    With --port 0 the URL is that of the emulator running on the state directory.
    """
    for name, value in variables(settings, os.environ).items():
        click.echo(f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}")


def variables(settings: Settings, environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that a client needs; None stands for one that must not be set.

    Raises:
        NotRunning: the port is 0 and no emulator runs on the state directory.
    """
    url = _url(settings)
    chosen: dict[str, str | None] = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": settings.account,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if any(environ.get(name) for name in _PROXIES):
        host = url.removeprefix("http://").rpartition(":")[0].strip("[]")
        for name in ("no_proxy", "NO_PROXY"):
            chosen[name] = _with_host(environ.get(name, ""), host)
    chosen.update(dict.fromkeys(_ALWAYS_UNSET))
    elsewhere = [f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES]
    chosen.update((name, None) for name in elsewhere if name in environ)
    return chosen


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


def _with_host(exempt: str, host: str) -> str:
    names = [name for name in exempt.split(",") if name]
    return ",".join([*names, host] if host not in names else names)

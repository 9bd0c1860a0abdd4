"""`env`: what points the AWS clients of a shell at the emulator, and away from AWS.

Python and botocore are shown `emulator/clients/`, which overcomes what the SageMaker SDKs have
hard-wired and makes patient clients ask more often.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from emulator import clients
from emulator.cli import claim, ports
from emulator.cli.flags import with_settings
from emulator.cli.formats import FORMATS
from emulator.clients import environment
from emulator.errors import PermanentError
from emulator.settings import Settings

_PROFILE = "aws-config"


class NotRunning(PermanentError):
    """The URL is known only to a running emulator, and there is none."""


@click.command(short_help="Print what points clients at the emulator.")
@click.option("--as-written", is_flag=True, help="Let clients poll as seldom as against AWS.")
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, _PROFILE]),
    default="sh",
    show_default=True,
    help="Who reads it: a shell, an IDE, a program, or ~/.aws/config.",
)
@with_settings("host", "port", "state", "region", "account", "proxy_port")
def env(settings: Settings, *, as_written: bool, form: str) -> None:
    """Print what points clients at the emulator: exports for a shell, or another format.

    \b
    eval "$(sagemaker-emulator env)"
    sagemaker-emulator env --format fish | source
    sagemaker-emulator env --format powershell | Out-String | Invoke-Expression
    sagemaker-emulator env --format dotenv > .env
    sagemaker-emulator env --format aws-config >> ~/.aws/config

    The last one is a profile, sagemaker-emulator. With --port 0 the URL is that of the emulator
    running on the state directory. With --proxy-port clients go through the emulator's TLS proxy,
    and no Python is changed.
    """
    url = _url(settings)
    if not ports.listening(url):
        click.echo(f"Nobody listens at {url} yet: start it with `sagemaker-emulator up`.", err=True)
    if form == _PROFILE:
        click.echo(environment.profile(url, settings.region, settings.account), nl=False)
        return
    chosen = variables(settings, os.environ, as_written=as_written)
    _write_config(settings, url, chosen)
    click.echo(FORMATS[form](chosen))


def _write_config(settings: Settings, url: str, chosen: environment.Variables) -> None:
    """Write the AWS configuration that a variable names, or take the variable away."""
    file = Path(chosen[environment.CONFIG_FILE] or "")
    text = environment.config(url, settings.region, settings.account)
    try:
        environment.write_config(file, text)
    except OSError as problem:
        del chosen[environment.CONFIG_FILE]
        click.echo(
            f"{file} can't be written ({problem.strerror}): `aws configure get region` will not"
            " find the region, all else does.",
            err=True,
        )


def variables(
    settings: Settings, environ: Mapping[str, str], *, as_written: bool = False
) -> environment.Variables:
    """Return the variables that a client needs; None stands for one that must not be set.

    Args:
        as_written: leave each client the polling intervals that it was written with.

    Raises:
        NotRunning: the port is 0 and no emulator, or none with a proxy where one is asked for,
            runs on the state directory.
    """
    url = _url(settings)
    chosen = environment.variables(
        url, settings.region, settings.account, environ, as_written=as_written
    )
    if settings.proxy_port:
        from emulator.cli import proxied  # needs botocore, which nothing else here does

        host = environment.host_of(url)
        chosen.update(proxied.through(_proxy(settings, url), settings.state, host, environ))
        paths = environment.without_path(environ.get("PYTHONPATH", ""), clients.SHIM)
        chosen["PYTHONPATH"] = paths or None
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

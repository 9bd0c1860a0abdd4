"""`accelerators`: what is attached to the running emulator, and who uses it."""

import json
import time
from typing import Any

import click

from emulator.cli import claim, ports
from emulator.cli.flags import with_settings
from emulator.errors import PermanentError
from emulator.settings import Settings


@click.command(short_help="Show the attached accelerators and who uses them.")
@click.option("--json", "as_json", is_flag=True, help="Print what the emulator answers, as JSON.")
@with_settings("host", "port", "state")
def accelerators(settings: Settings, *, as_json: bool) -> None:
    """Show the accelerators attached to the running emulator and who uses them.

    The columns are separated by tabs: type, memory, what computes, what it is attached to, since
    when, the framework that has claimed it, its users. No other framework can use it until what it
    is attached to starts again. After them comes who is on the CPU in place of one, and why.
    """
    report = _report(settings)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    if not report["accelerators"]:
        click.echo("No accelerator is attached. Attach one with: up --attach-accelerator TYPE")
    for device in report["accelerators"]:
        click.echo(_line(device))
    for stand_in in report["stand_ins"]:
        click.echo(f"{stand_in['user']}: {stand_in['reason']}")
    without = {"cpu": "the CPU serves", "never": "endpoints fail"}[report["fallback"]]
    click.echo(f"Where no accelerator fits, {without}.")


def _line(device: dict[str, Any]) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(device["since"]))
    cells = [device[name] for name in ("type", "memory", "backing", "host")]
    users = "; ".join(device["users"]) or "-"
    return "\t".join([*cells, since, device["framework"] or "-", users])


def _report(settings: Settings) -> dict[str, Any]:
    """Return the report; raises PermanentError if no emulator runs."""
    running = claim.holder(settings.state) if not settings.port else None
    base = ports.url(settings.host, settings.port) if settings.port else running and running.url
    found = ports.page(base, "accelerators") if base else None
    if found is None or "accelerators" not in found:
        raise PermanentError(
            f"No emulator answers at {base or settings.state.absolute()}. Start it with"
            " `sagemaker-emulator up`, or name its port with --port."
        )
    return found

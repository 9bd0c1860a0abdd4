"""Flags of commands, made from the settings table: name, placeholder, help and default.

The values stay text until `settings.read` parses them, so that flags and variables have one
grammar and one set of error messages.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import click

from emulator import settings
from emulator.settings import Row

Body = Callable[..., None]


def with_settings(*names: str) -> Callable[[Body], Body]:
    """Give a command the flags of these settings (none named: all) and a `Settings` argument.

    The command's function is called with the settings first, then its own arguments.
    """
    rows = [row for row in settings.table() if not names or row.name in names]

    def decorate(body: Body) -> Body:
        @functools.wraps(body)
        def with_flags(**arguments: Any) -> None:
            flags = {row.name: _text(arguments.pop(row.name)) for row in rows}
            body(settings.read(os.environ, flags), **arguments)

        command: Body = with_flags
        for row in reversed(rows):
            command = _option(row)(command)
        return command

    return decorate


def _option(row: Row) -> Callable[[Body], Body]:
    describe = f"{row.help} [{row.variable}; default: {row.default}]"
    if row.form is settings.SWITCH:
        both = f"{row.flag}/--no-{row.flag.removeprefix('--')}"
        return click.option(both, row.name, default=None, help=describe)
    return click.option(row.flag, row.name, metavar=row.form.placeholder, help=describe)


def _text(value: str | bool | None) -> str | None:
    return str(int(value)) if isinstance(value, bool) else value

"""The pages of the documentation that are made from the code: `docs/settings.md`, `docs/cli.md`.

`python -m emulator.cli.reference docs` writes them; a test compares them. It never reads the
environment, so that the pages are the same everywhere.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from emulator import settings
from emulator.cli.main import commands

_WIDTH = 88

_SETTINGS = """\
# Settings

Every setting has a flag and an environment variable. A flag of `sagemaker-emulator up` wins over
the variable, the variable over the default. Settings are read once, at the start. An `EMULATOR_*`
variable that is not in this table is an error, so that a typing mistake is found at once.

| flag | variable | default | meaning |
|---|---|---|---|
{rows}

Sizes are bytes, or take a unit: `512m`, `2g`. Switches are `1` or `0` as variables, and a flag with
and without `no-`: `--images-pull`, `--no-images-pull`.

This page is made from `emulator/settings.py` by `python -m emulator.cli.reference docs`.
"""

_COMMANDS = """\
# Command line

What another program reads goes to standard output; progress, log and errors go to standard error.

| exit code | meaning |
|---|---|
| 0 | done; for `up`: stopped by a signal, cleanly |
| 1 | failed; one sentence on standard error says why and what to do |
| 2 | wrong usage, or a setting that can't be |
| 129, 130, 143 | `up` was ended at once by a second SIGHUP, SIGINT or SIGTERM |

Commands take settings as flags; [settings](settings.md) has them all with their variables.

{commands}
This page is made from the commands by `python -m emulator.cli.reference docs`.
"""


def pages() -> dict[str, str]:
    """Return the pages' text by file name."""
    return {"settings.md": settings_page(), "cli.md": commands_page()}


def settings_page() -> str:
    """Return the table of settings as Markdown."""
    rows = (
        f"| `{_written(row)}` | `{row.variable}` | `{row.default}` | {row.help} |"
        for row in settings.table()
    )
    return _SETTINGS.format(rows="\n".join(rows))


def _written(row: settings.Row) -> str:
    """Return the flag as it is written; a choice's | would end the cell of a table."""
    if row.form is settings.SWITCH:
        return row.flag
    return f"{row.flag} {row.form.placeholder}".replace("|", "\\|")


def commands_page() -> str:
    """Return the help of every command as Markdown."""
    sections = (
        f"## {title}\n\n```text\n{help_text}\n```\n" for title, help_text in _help(commands)
    )
    return _COMMANDS.format(commands="\n".join(sections))


def _help(command: click.Command, above: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield `(command line, help)` of a command and of those below it."""
    context = click.Context(
        command,
        parent=above,
        info_name=command.name if above else "sagemaker-emulator",
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        **command.context_settings,
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _help(found, context)


def main(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

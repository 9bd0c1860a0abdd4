"""The `sagemaker-emulator` command: the group of its commands, and what a user sees of an error.

It imports no part of the emulator but the settings. A command's module is imported when the command
is asked for, and its other parts when it runs.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

import emulator
from emulator.errors import EmulatorError
from emulator.settings import BadSetting

COMMANDS: Mapping[str, str] = {
    "accelerators": "emulator.cli.accelerators",
    "compose": "emulator.cli.compose",
    "doctor": "emulator.cli.doctor",
    "env": "emulator.cli.clients",
    "images": "emulator.cli.images",
    "prune": "emulator.cli.prune",
    "up": "emulator.cli.up",
}
"""The module of each command, which there has the command's name."""


class Commands(click.Group):
    """A group that tells the emulator's errors in one sentence, without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BadSetting as error:
            raise click.UsageError(str(error)) from None
        except EmulatorError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(emulator.__version__, prog_name="sagemaker-emulator")
def commands() -> None:
    """Amazon SageMaker's training and hosting APIs on your machine, running the real containers.

    \b
    sagemaker-emulator up               start it
    eval "$(sagemaker-emulator env)"    point the clients of a shell at it
    """


def main() -> None:
    """Run the command line and exit: 0 for success, 1 for a failure, 2 for a wrong usage."""
    commands(prog_name="sagemaker-emulator")


if __name__ == "__main__":
    main()

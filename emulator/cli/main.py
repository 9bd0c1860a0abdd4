"""The `sagemaker-emulator` command: the group of its commands, and what a user sees of an error.

It imports no part of the emulator but the settings; the commands do when they run.
"""

from typing import Any

import click

import emulator
from emulator.cli.accelerators import accelerators
from emulator.cli.clients import env
from emulator.cli.compose import compose
from emulator.cli.doctor import doctor
from emulator.cli.images import images
from emulator.cli.up import up
from emulator.errors import EmulatorError
from emulator.settings import BadSetting


class Commands(click.Group):
    """A group that tells the emulator's errors in one sentence, without a traceback."""

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


for command in (up, env, images, accelerators, compose, doctor):
    commands.add_command(command)


def main() -> None:
    """Run the command line and exit: 0 for success, 1 for a failure, 2 for a wrong usage."""
    commands(prog_name="sagemaker-emulator")


if __name__ == "__main__":
    main()

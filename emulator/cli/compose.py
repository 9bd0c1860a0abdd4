"""`compose`: where the compose file is that came with this installation."""

import click

from emulator import sources
from emulator.errors import PermanentError


@click.command(short_help="Print the path of the compose file.")
def compose() -> None:
    """Print the path of the compose file that runs the emulator as a container.

    \b
    docker-compose -f "$(sagemaker-emulator compose)" up --detach
    """
    folder = sources.folder("compose")
    if folder is None:
        raise PermanentError("This installation has no compose file: it is in a container itself.")
    click.echo(folder / "compose.yaml")

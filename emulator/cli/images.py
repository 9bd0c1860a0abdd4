"""`images`: list, build and tag the images that containers are started from."""

import time

import click

from emulator.cli.flags import with_settings
from emulator.settings import Settings


@click.group(short_help="List, build and tag the framework images.")
def images() -> None:
    """List, build and tag the images that training and serving containers are started from."""


@images.command("list")
def list_images() -> None:
    """List the images: name, state, size, reference.

    The columns are separated by tabs. The state is `built`, `outdated` (built from other sources
    than the present ones) or `missing`.
    """
    from emulator.catalogue.build import listing

    for image in listing():
        state = "missing" if image.image_id is None else "built" if image.current else "outdated"
        size = f"{image.size / 1e6:.0f} MB" if image.size else "-"
        click.echo("\t".join((image.name, state, size, image.reference)))


@images.command("build")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--fresh", is_flag=True, help="Build anew what is up to date, too.")
@with_settings("images_pull")
def build_images(settings: Settings, names: tuple[str, ...], fresh: bool) -> None:
    """Build the named images, or all; what is up to date is left alone.

    Progress goes to standard error, the names of what was built to standard output.
    """
    from emulator.catalogue.build import build

    began = time.monotonic()

    def show(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}", err=True)

    for name in build(names, on_progress=show, pull=settings.images_pull, fresh=fresh):
        click.echo(name)


@images.command("tag")
@with_settings("region")
def tag_images(settings: Settings) -> None:
    """Give the built images the names that they have on ECR in a region.

    Prints the names, each with the image that it now stands for, separated by a tab.
    """
    from emulator.catalogue.build import tag

    for uri, image in tag(settings.region):
        click.echo(f"{uri}\t{image}")

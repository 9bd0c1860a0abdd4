"""`images`: list, build and name the images that containers are started from."""

import time

import click

from emulator.cli.flags import with_settings
from emulator.cli.local_mode import url_for_containers
from emulator.settings import Settings

_START_SECONDS = 10.0


@click.group(short_help="List, build and name the framework images.")
def images() -> None:
    """List, build and name the images that training and serving containers are started from."""


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
    from emulator.catalogue.naming import renew

    began = time.monotonic()

    def show(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}", err=True)

    built = build(names, on_progress=show, pull=settings.images_pull, fresh=fresh)
    if built:
        renew()
    for name in built:
        click.echo(name)


@images.command("tag")
@with_settings("host", "port", "state", "region")
def tag_images(settings: Settings) -> None:
    """Give the built images the names that they have on ECR in a region, for local mode.

    A running emulator does so by itself for the regions that its clients use. Containers of these
    images find the emulator that runs at the address or, with --port 0, on the state directory.
    Prints the names, each with the image that it now stands for, separated by a tab. A name that
    an image of your own has stays with it.
    """
    from emulator.catalogue.naming import give

    url = url_for_containers(settings, patience=_START_SECONDS) or ""
    if not url:
        click.echo(
            "No emulator is running: containers of these images find none, until one that runs "
            "gives the names anew.",
            err=True,
        )
    named = give(settings.region, url, take_over=True)
    for uri, image in named.given.items():
        click.echo(f"{uri}\t{image}")
    for uri in named.kept:
        click.echo(f"{uri} is an image of your own and was left alone.", err=True)


@images.command("untag")
@with_settings("region")
def untag_images(settings: Settings) -> None:
    """Take the names of a region away that `tag` or a running emulator gave.

    Prints the names. Images that have other names, and images of your own, stay.
    """
    from emulator.catalogue.naming import take_back

    for uri in take_back(settings.region):
        click.echo(uri)

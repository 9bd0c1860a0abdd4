"""Which local image stands in for which ECR repository; reads table.json, never the engine.

Account and region are ignored: the same repository means the same image everywhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from emulator.catalogue.uris import ImageUri, parse_image_uri, suffix_of

REPOSITORY_PREFIX = "sagemaker-emulator/"


@dataclass(frozen=True)
class Contents:
    """What is inside one of our images.

    Attributes:
        framework: or the algorithm.
        versions: one image for each, from the oldest to the newest.
    """

    framework: str
    versions: tuple[str, ...]


@cache
def _table() -> dict[str, Any]:
    text = resources.files("emulator.catalogue").joinpath("table.json").read_text("utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def image_for(repository: str) -> str | None:
    """Return the name of our image for an ECR repository, or None if we have none."""
    image: str | None = _table()["repositories"].get(repository)
    return image


def contents_of(image: str) -> Contents:
    """Return what is inside one of our images, by its name."""
    row = _table()["images"][image]
    return Contents(row["framework"], tuple(row["versions"]))


def repositories() -> list[str]:
    """Return the ECR repositories that we have an image for."""
    return sorted(_table()["repositories"])


def local_name(image: str) -> str:
    """Return the engine's name of one of our images: ``sagemaker-emulator/chainer:latest``.

    Args:
        image: its name, with ``:version`` for another than the latest.
    """
    return REPOSITORY_PREFIX + (image if ":" in image else f"{image}:latest")


def framework_of(reference: str) -> str:
    """Return the framework, or algorithm, of an image that a client names; empty for others."""
    uri = parse_image_uri(reference)
    local = reference.removeprefix(REPOSITORY_PREFIX).partition(":")[0]
    image = image_for(uri.repository) if uri else local
    row = _table()["images"].get(image, {}) if uri or local != reference else {}
    return str(row.get("framework", ""))


def metrics_of(reference: str) -> dict[str, str]:
    """Return what Amazon measures of its own algorithm: regular expression by metric name.

    Args:
        reference: an image as a client names it; any but an algorithm's has no metrics.
    """
    uri = parse_image_uri(reference)
    return dict(_table()["algorithms"].get(uri.repository, {})) if uri else {}


def names_in(region: str) -> Iterator[ImageUri]:
    """Yield the exact names by which the SDKs ask for CPU images and algorithms in a region."""
    for row in _table()["names"]:
        accounts = _table()["accounts"][row["accounts"]]
        account = accounts.get(region, accounts.get("default"))
        for tag in _tags(row) if account else ():
            yield ImageUri(account, region, suffix_of(region), row["repository"], tag)


def _tags(row: dict[str, Any]) -> Iterator[str]:
    yield from row.get("tags", ())
    for python, versions in row.get("versions", {}).items():
        for version in versions:
            yield f"{version}-cpu-{python}"

"""Which local image stands in for which ECR repository; reads table.json, never the engine.

Account and region are ignored: the same repository means the same image everywhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from emulator.catalogue.uris import ImageUri, suffix_of

REPOSITORY_PREFIX = "sagemaker-emulator/"


@dataclass(frozen=True)
class Contents:
    """What is inside one of our images."""

    framework: str
    version: str


@cache
def _table() -> dict[str, Any]:
    text = resources.files("emulator.catalogue").joinpath("table.json").read_text("utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def image_for(repository: str, purpose: str) -> str | None:
    """Return the name of our image for an ECR repository, or None if we have none.

    Args:
        purpose: ``train`` or ``serve``; repositories before MXNet 1.4 were used for both.
    """
    row = _table()["repositories"].get(repository)
    return row.get(purpose) if isinstance(row, dict) else row


def contents_of(image: str) -> Contents:
    """Return what is inside one of our images, by its name."""
    return Contents(**_table()["images"][image])


def repositories() -> list[str]:
    """Return the ECR repositories that we have an image for."""
    return sorted(_table()["repositories"])


def local_name(image: str, tag: str = "latest") -> str:
    """Return the engine's name of one of our images: ``sagemaker-emulator/chainer:latest``."""
    return f"{REPOSITORY_PREFIX}{image}:{tag}"


def names_in(region: str) -> Iterator[tuple[ImageUri, str]]:
    """Yield the exact ECR names of a region that stand for one image, with that image's name.

    Repositories that mean different images for training and serving have no such name.
    """
    for row in _table()["names"]:
        image = _table()["repositories"][row["repository"]]
        accounts = _table()["accounts"][row["accounts"]]
        account = accounts.get(region, accounts["default"])
        for tag in row["tags"]:
            yield ImageUri(account, region, suffix_of(region), row["repository"], tag), image

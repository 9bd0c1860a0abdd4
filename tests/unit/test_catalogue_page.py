"""docs/images.md says what the catalogue does."""

import re
from pathlib import Path

import pytest

from emulator.catalogue.recipes import FINAL, RECIPES
from emulator.catalogue.resolve import resolve
from emulator.catalogue.table import contents_of, image_for, local_name, repositories

PAGE = (Path(__file__).parents[2] / "docs/images.md").read_text("utf-8")
PRESENT = {local_name(name): name for name in FINAL}
REGISTRY = "763104351884.dkr.ecr.us-west-2.amazonaws.com"


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table with this header."""
    table = PAGE.split(f"{header}\n|---", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[1:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_image_is_listed_with_its_versions() -> None:
    listed = {}
    for name, versions, *_ in rows("| image | versions | inside | commands | size |"):
        image = name.strip("`").removeprefix("sagemaker-emulator/")
        if versions:
            listed[image] = tuple(versions.split(", "))
    folders = {RECIPES[name].folder for name in FINAL if RECIPES[name].version}
    assert listed == {folder: contents_of(folder).versions for folder in folders}


def test_every_repository_is_listed_with_its_image() -> None:
    listed = {
        repository: image
        for names, image in rows("| repository of the address | image |")
        for repository in quoted(names)
    }
    assert sorted(listed) == repositories()
    assert all(image_for(repository) == image for repository, image in listed.items())


@pytest.mark.parametrize(
    "tag, said",
    [(tag, said) for tags, said in rows("| tag | MXNet that runs |") for tag in quoted(tags)],
)
def test_a_tag_runs_the_version_that_the_page_says(tag: str, said: str) -> None:
    resolved = resolve(f"{REGISTRY}/mxnet-training:{tag}", present=PRESENT.get)
    assert resolved.image.rpartition(":")[2] == said.partition(",")[0]
    assert bool(resolved.warnings) == said.endswith("with a warning")

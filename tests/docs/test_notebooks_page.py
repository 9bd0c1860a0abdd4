"""docs/notebooks.md and the pages of the examples name what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "notebooks.md"
EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    "page",
    [PAGE, *sorted(EXAMPLES.rglob("README.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert links
    for link in links:
        assert (page.parent / link).exists(), f"{page} links to {link}"


def test_all_examples_are_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    folders = [path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name[0].isalpha()]
    assert sorted(folders) == sorted(re.findall(r"^\| \[(\w+)\]", listed, re.MULTILINE))


@pytest.mark.parametrize(
    "pin", re.findall(r"^\| `(\w+==[\d.]+)` \|", PAGE.read_text(), re.MULTILINE)
)
def test_versions_are_those_that_tests_use(pin: str) -> None:
    kept = (ROOT / "images" / "sagemaker-sdk").glob("*/requirements.in")
    assert any(pin in path.read_text().split() for path in kept)


def test_named_tests_exist() -> None:
    for name in re.findall(r"`(tests/[\w/]+\.py)`", PAGE.read_text()):
        assert (ROOT / name).is_file()

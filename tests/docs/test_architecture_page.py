"""The architecture page names only files and rooms that are there, and every room."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
FILES = sorted(set(re.findall(r"`([\w/.]+\.(?:py|md))`", PAGE)))
LINKS = sorted(set(re.findall(r"\]\(([\w/.-]+\.md)\)", PAGE)))


@pytest.mark.parametrize("named", FILES)
def test_a_named_file_is_there(named: str) -> None:
    found = [path for path in (ROOT / "emulator").rglob(Path(named).name) if path.match(named)]
    assert found, f"docs/architecture.md names {named}"


@pytest.mark.parametrize("link", LINKS)
def test_a_linked_page_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).is_file()


def test_every_room_has_its_line() -> None:
    rooms = {path.parent.name for path in (ROOT / "emulator").glob("*/__init__.py")}
    assert rooms == {room for room in rooms if f"| `{room}/` |" in PAGE}


def test_the_page_names_enough_to_be_worth_checking() -> None:
    assert len(FILES) > 30

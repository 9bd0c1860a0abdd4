"""The fenced blocks of a page, and what a reader does with each: save it, run it, or read it."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TYPED = ("README.md", "docs/quickstart.md")
"""Pages that tests/system/test_pages_as_written.py types from top to bottom."""
ALSO = (
    ("docs/clients.md", '$ eval "$(sagemaker-emulator env)"'),
    ("docs/clients.md", "$ mkdir -p ~/.aws && sagemaker-emulator env"),
    ("docs/clients.md", "from emulator.clients import point_here"),
    ("docs/clients.md", "import boto3"),
)
"""Blocks of other pages that it types as well: the page, and how the block begins."""
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"`([\w./-]+)`:\s*\Z")


@dataclass(frozen=True)
class Step:
    """One command of a console, and what the page says that it prints.

    Attributes:
        expected: lines; three dots stand for anything. Empty: the page does not say.
    """

    command: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: path below the root.
        language: what stands behind the backticks.
        file: the name under which the text before it says to save it; empty without one.
        before: the text between the block before it and this one.
    """

    page: str
    language: str
    text: str
    file: str
    before: str

    @property
    def title(self) -> str:
        """Return the first line, by which a block is named."""
        return self.text.partition("\n")[0].strip()

    def steps(self) -> list[Step]:
        """Return the commands of a console: lines after ``$``, each followed by what it prints."""
        found: list[Step] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:]))
            elif found and found[-1].command.endswith("\\") and not found[-1].expected:
                found[-1] = Step(f"{found[-1].command}\n{line}")
            else:
                assert found, f"{self.page}: a console begins with a command, not {line!r}"
                found[-1] = Step(found[-1].command, (*found[-1].expected, line))
        return found


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found, end = [], 0
    for fence in _FENCE.finditer(text):
        before = text[end : fence.start()]
        named = _FILE_NAME.search(before)
        found.append(Block(page, fence[1], fence[2], named[1] if named else "", before))
        end = fence.end()
    return found


def block_at(page: str, beginning: str) -> Block:
    """Return the one block of a page that begins so."""
    [found] = [block for block in blocks_of(page) if block.text.startswith(beginning)]
    return found


def agrees(printed: str, expected: tuple[str, ...]) -> bool:
    """Tell whether what a command printed is what the page says."""
    said = "\n".join(line.rstrip() for line in expected)
    pattern = ".*".join(re.escape(part) for part in said.split("..."))
    got = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(pattern, got) is not None

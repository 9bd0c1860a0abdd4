"""docs/states.md says what the state tables say.

What stands between two marks on the page comes from the tables; the rest is written by hand. Run as
a program, this file writes what is between the marks.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from emulator.lifecycle import endpoint, notebook_instance, training_job
from emulator.lifecycle.machine import mermaid

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
_PART = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)
LIVES = [
    (training_job, "Training jobs"),
    (endpoint, "Endpoints"),
    (notebook_instance, "Notebook instances"),
]


def parts() -> dict[str, str]:
    """Return what the tables say for each mark."""
    return {
        "training-job-diagram": _diagram(mermaid(training_job.MOVES)),
        "training-job-table": _table(
            ("Phase", "TrainingJobStatus", "SecondaryStatus", "StatusMessage"),
            (
                (phase, meaning.status, meaning.secondary, meaning.message)
                for phase, meaning in training_job.MEANING.items()
            ),
        ),
        "endpoint-diagram": _diagram(mermaid(endpoint.MOVES)),
        "notebook-instance-diagram": _diagram(mermaid(notebook_instance.MOVES)),
    }


def _diagram(text: str) -> str:
    return f"```mermaid\n{text}\n```\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def current() -> str:
    """Return the page as it should be."""
    told = parts()
    return _PART.sub(
        lambda part: part[1] + told[part["name"]] + part[4], PAGE.read_text(encoding="utf-8")
    )


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert {part["name"] for part in _PART.finditer(text)} == set(parts())
    assert text == current(), f"run python {Path(__file__).name} in tests/docs"


@pytest.mark.parametrize("life, title", LIVES)
def test_every_phase_is_explained_once(life, title: str) -> None:
    text = PAGE.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- \*\*(\w+)\*\*: ", text, re.MULTILINE) == list(life.Phase)


@pytest.mark.parametrize("life, title", LIVES)
def test_every_event_is_explained_once(life, title: str) -> None:
    text = PAGE.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^- `(\w+)`: ", text, re.MULTILINE) == list(life.Event)


if __name__ == "__main__":
    PAGE.write_text(current(), encoding="utf-8")

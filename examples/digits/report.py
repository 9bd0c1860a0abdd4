"""What the demo measured: a table in the terminal, and report.html, report.json and a picture of
digits with predictions for each framework, in one folder.
"""

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from examples.digits.dataset import SIDE, Bytes, Digits
from examples.digits.main_job import Outcome

_COLUMNS, _ROWS = 12, 4
_WRONG_SHOWN = 12  # of the wrong ones at most a row, the others are the first ones of the set
_SCALE = 2
_CAPTION = 20


@dataclass(frozen=True)
class Measured:
    """One framework's run.

    Attributes:
        seconds: by phase.
        accuracy: share of held-out digits that the endpoint told right, from 0 to 1.
        folder: what is kept of it.
    """

    title: str
    outcome: Outcome
    seconds: dict[str, float]
    accuracy: float
    folder: Path


def accuracy(predicted: NDArray[np.int64], labels: Bytes) -> float:
    """Return the share of equal values, from 0 to 1."""
    return float((predicted == labels).mean())


def draw(digits: Digits, predicted: NDArray[np.int64], path: Path) -> None:
    """Draw held-out digits, the wrong ones first, each with its prediction; red: it is wrong."""
    images, labels = digits.test
    wrong = np.flatnonzero(predicted != labels)[:_WRONG_SHOWN]
    right = np.flatnonzero(predicted == labels)[: _COLUMNS * _ROWS - len(wrong)]
    side = SIDE * _SCALE
    cell = side + 6
    sheet = Image.new("RGB", (_COLUMNS * cell, _ROWS * (cell + _CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for place, index in enumerate((*wrong, *right)):
        left, top = place % _COLUMNS * cell, place // _COLUMNS * (cell + _CAPTION)
        digit = Image.fromarray(255 - images[index]).resize((side, side))
        sheet.paste(digit.convert("RGB"), (left + 3, top + 3))
        missed = predicted[index] != labels[index]
        caption = f"{predicted[index]}, is {labels[index]}" if missed else f"{predicted[index]}"
        colour = "#c0271f" if missed else "#1f7a3d"
        pen.text((left + cell / 2, top + cell + 2), caption, colour, font, anchor="ma")
    sheet.save(path)


def write(folder: Path, digits: Digits, runs: list[Measured], wanted: float) -> None:
    """Write report.json, report.html and the pictures."""
    for run in runs:
        draw(digits, run.outcome.predicted, folder / f"{run.title.lower()}.png")
    document = {
        "digits": digits.source,
        "train": len(digits.train[0]),
        "held_out": len(digits.test[0]),
        "wanted_accuracy": wanted,
        "frameworks": {run.title: _as_json(run) for run in runs},
    }
    (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n")
    (folder / "report.html").write_text(_page(digits, runs), encoding="utf-8")


def _as_json(run: Measured) -> dict[str, Any]:
    return {
        "accuracy": run.accuracy,
        "training_job": run.outcome.job,
        "artifact": run.outcome.artifact,
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "training_job_seconds": dict(run.outcome.transitions),
        "metrics": run.outcome.metrics,
        "kept": str(run.folder),
    }


def _page(digits: Digits, runs: list[Measured]) -> str:
    return _PAGE.format(
        source=html.escape(digits.source),
        train=len(digits.train[0]),
        held_out=len(digits.test[0]),
        sections="".join(_section(run) for run in runs),
    )


def _section(run: Measured) -> str:
    rows = [*run.seconds.items()]
    rows += [(f"training job: {name}", seconds) for name, seconds in run.outcome.transitions]
    table = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{seconds:.1f} s</td></tr>" for name, seconds in rows
    )
    return _SECTION.format(
        title=run.title,
        accuracy=run.accuracy,
        picture=f"{run.title.lower()}.png",
        table=table,
        artifact=html.escape(run.outcome.artifact),
        folder=html.escape(str(run.folder)),
    )


def show(console: Console, runs: list[Measured], wanted: float) -> None:
    """Show accuracy and the seconds of each phase, one column per framework."""
    table = Table(title="Handwritten digits, from S3 to predictions", title_justify="left")
    table.add_column("")
    for run in runs:
        table.add_column(run.title, justify="right")
    colours = ["green" if run.accuracy >= wanted else "red" for run in runs]
    table.add_row(
        "held-out accuracy",
        *(f"[{c}]{run.accuracy:.3f}[/{c}]" for c, run in zip(colours, runs, strict=True)),
        end_section=True,
    )
    for phase in runs[0].seconds if runs else ():
        table.add_row(phase, *(f"{run.seconds[phase]:.1f} s" for run in runs))
    console.print()
    console.print(table)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Digits on the SageMaker emulator</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3em auto; max-width: 50em; padding: 0 1em }}
td {{ padding: 0 2em 0 0 }} td + td {{ text-align: right }}
img {{ max-width: 100% }} code {{ overflow-wrap: anywhere }}
</style>
<h1>Handwritten digits, from S3 to predictions</h1>
<p>{source}: {train} to train with, {held_out} held out.
Each was trained in its framework's container and told by an endpoint of its own.</p>
{sections}
</html>
"""

_SECTION = """<h2>{title}: {accuracy:.1%} right</h2>
<p>Digits with the endpoint's predictions, the wrong ones first, in red.</p>
<img src="{picture}" alt="Digits with the predictions of {title}">
<table>{table}</table>
<p>Model archive: <code>{folder}/model.tar.gz</code>, which was <code>{artifact}</code>.</p>
"""

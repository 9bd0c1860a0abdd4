"""`python -m tests.bench`: measure, print a table, write JSON.

Every number stands beside a floor measured in the same run by turns; only the ratios mean anything
on another machine or day.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.bench import image_classification, rows
from tests.bench.engine import Engine
from tests.bench.measure import Row

GROUPS = (
    *("startup", "jobs", "endpoints", "invocations", "describe"),
    *("training", "predictions", "input-modes", "staging", "objects"),
)


def main() -> int:
    asked = _arguments()
    repeats = 3 if asked.quick else 7
    seconds = 1.0 if asked.quick else 3.0
    engine = Engine()
    engine.build()
    groups: dict[str, Callable[[], Iterator[Row]]] = {
        "startup": partial(rows.startup, repeats),
        "jobs": partial(rows.jobs, engine, repeats),
        "endpoints": partial(rows.endpoints, engine, repeats),
        "invocations": partial(rows.invocations, engine, repeats, seconds),
        "describe": partial(rows.describe, engine, repeats),
        "training": partial(image_classification.training, engine, 1 if asked.quick else 3),
        "predictions": partial(
            image_classification.predictions, engine, 2 if asked.quick else 3, 50
        ),
        "input-modes": partial(image_classification.input_modes, engine),
        "staging": partial(rows.staging, repeats),
        "objects": partial(rows.objects, 1 if asked.quick else 3),
    }
    wanted = asked.group or [name for name in groups if name != "objects" or asked.s3]
    measured: list[Row] = []
    print(_line("what", "ours", "floor", "unit", "ratio", "goal", "compared with"))
    try:
        for name in wanted:
            for row in groups[name]():
                measured.append(row)
                numbers = (f"{row.ours:.3g}", f"{row.least:.3g}", row.unit, f"{row.ratio:.2f}")
                print(_line(row.name, *numbers, row.verdict, row.floor), flush=True)
    finally:
        engine.close()
        _write(asked.output, measured)
    print(f"\nwritten to {asked.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repeats")
    parser.add_argument("--s3", action="store_true", help="also move a gigabyte through S3")
    parser.add_argument(
        "--group",
        action="append",
        choices=GROUPS,
        help="measure only this group; may be given more than once",
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    return parser.parse_args()


def _line(*cells: str) -> str:
    widths = (52, 9, 9, 7, 7, 18)
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return " ".join([*padded, *cells[len(widths) :]]).rstrip()


def _write(path: Path, measured: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform()}
    content = {"machine": machine, "rows": [row.as_json() for row in measured]}
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())

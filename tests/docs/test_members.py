"""docs/members.md says what is refused, and names other members as the service model does.

What stands between two marks on the page comes from the tables; the rest is written by hand. Run as
a program, this file writes what is between the marks.
"""

import re
from pathlib import Path
from typing import Any

import botocore.session

from emulator.operations import (
    endpoint_configs,
    endpoints,
    model_packages,
    models,
    training_job_request,
    training_job_update,
)

PAGE = Path(__file__).parents[2] / "docs" / "members.md"
_PART = re.compile(r"(<!-- (?P<name>[A-Za-z]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)
_TABLES = {
    "CreateTrainingJob": training_job_request.NOT_EMULATED,
    "UpdateTrainingJob": training_job_update.NOT_EMULATED,
    "CreateModel": models.NOT_EMULATED,
    "CreateModelPackage": model_packages.NOT_EMULATED,
    "CreateEndpointConfig": endpoint_configs.NOT_EMULATED,
    "CreateEndpoint": endpoints.NOT_EMULATED,
}


def current() -> str:
    """Return the page as it should be."""

    def refused(part: re.Match[str]) -> str:
        lines = (f"- `{entry}`\n" for entry in sorted(_TABLES[part["name"]]))
        return part[1] + "".join(lines) + part[4]

    return _PART.sub(refused, PAGE.read_text(encoding="utf-8"))


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert {part["name"] for part in _PART.finditer(text)} == set(_TABLES)
    assert text == current(), f"run python {Path(__file__).name} in tests/docs"


def test_members_without_effect_are_in_the_service_model_and_not_refused() -> None:
    service = botocore.session.get_session().get_service_model("sagemaker")
    text = _PART.sub("", PAGE.read_text(encoding="utf-8"))
    for section in text.split("\n## ")[1:]:
        operation = section.partition("\n")[0].partition(",")[0]
        paths = re.findall(r"^- `(\S+)`", section, re.MULTILINE)
        assert paths
        for path in paths:
            assert _is_member(service.operation_model(operation).input_shape, path), path
            assert path not in _TABLES.get(operation, {})


def _is_member(shape: Any, path: str) -> bool:
    for step in path.split("."):
        shape = shape.members.get(step.removesuffix("[]"))
        if shape is None:
            return False
        if step.endswith("[]"):
            shape = shape.member
    return True


if __name__ == "__main__":
    PAGE.write_text(current(), encoding="utf-8")

"""docs/compatibility.md says what the tables say.

Run as a program, this file writes the page.
"""

from pathlib import Path

from emulator.operations import absent, registry
from emulator.protocol import model, planes
from emulator.protocol.compatibility import page

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
HEADINGS = ("## Native", "## Answers that there are none", "## Refused")


def answers_of_none() -> set[str]:
    service = model.sagemaker()
    return set(absent.handlers(service.operations, service.shapes, registry.load()))


def current() -> str:
    """Return the page as it should be."""
    return page(
        model.sagemaker().operations,
        registry.load(),
        answers_of_none(),
        planes.operations(),
        planes.NATIVE,
    )


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == current(), f"run python {Path(__file__).name} in tests/docs"


def test_every_operation_is_listed_exactly_once_under_its_heading() -> None:
    text = current()
    starts = [text.index(f"\n{heading}\n") for heading in HEADINGS]
    native, none, refused = (
        text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)
    )
    for name in model.sagemaker().operations:
        line = f"- `{name}`\n"
        assert text.count(line) == 1
        is_native, is_none = name in registry.load(), name in answers_of_none()
        assert (line in native, line in none) == (is_native, is_none)
        assert (line in refused) is not (is_native or is_none)


def test_the_numbers_of_the_page_add_up() -> None:
    everything = set(model.sagemaker().operations)
    native, none = everything & set(registry.load()), answers_of_none()
    refused = everything - native - none
    assert f"| {len(native)} | {len(none)} | {len(refused)} | {len(everything)} |" in current()
    assert len(native) + len(none) + len(refused) == len(everything)


def test_what_makes_or_changes_something_never_answers_that_there_is_none() -> None:
    verbs = ("List", "Describe", "Delete", "Stop")
    assert {name for name in answers_of_none() if not name.startswith(verbs)} == set()


def test_every_operation_of_the_other_services_is_in_the_row_of_its_service() -> None:
    rows = current().partition("## SageMaker's other services")[2].splitlines()
    assert len(planes.operations()) > 8
    for service, operations in planes.operations().items():
        (row,) = (row for row in rows if row.startswith(f"| {service} |"))
        native, refused = row.split("|")[2:4]
        for name in operations:
            assert (f"`{name}`" in native) is (name in planes.NATIVE)
            assert (f"`{name}`" in refused) is (name not in planes.NATIVE)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(current())

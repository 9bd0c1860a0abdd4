"""docs/compatibility.md says what the tables say.

Run as a program, this file writes the page.
"""

from pathlib import Path

from emulator.operations import registry
from emulator.operations.delegated import DELEGATED, RESOURCES
from emulator.protocol import model, planes
from emulator.protocol.compatibility import page

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def current() -> str:
    """Return the page as it should be."""
    delegated = {name: resource.operations for name, resource in RESOURCES.items()}
    return page(
        model.sagemaker().operations,
        registry.load(),
        delegated,
        planes.operations(),
        planes.NATIVE,
    )


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == current(), f"run python {Path(__file__).name} in tests/docs"


def test_every_operation_is_listed_exactly_once_as_native_delegated_or_refused() -> None:
    text = current()
    native, delegated = set(registry.load()), set(DELEGATED)
    for name in model.sagemaker().operations:
        in_lists = text.count(f"- `{name}`\n")
        in_table = text.partition("## Delegated")[2].partition("## Refused")[0].count(f"`{name}`")
        assert (in_lists, in_table) == ((0, 1) if name in delegated else (1, 0))
        own = text.partition("## Native")[2].partition("## Delegated")[0]
        assert (f"- `{name}`\n" in own) is (name in native)


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

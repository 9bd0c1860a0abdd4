"""docs/settings.md is the table of settings."""

from pathlib import Path

from emulator import settings
from emulator.cli import reference

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.settings_page(), (
        "run python -m emulator.cli.reference docs"
    )


def test_the_page_has_one_row_per_setting_with_flag_variable_and_default() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "`EMULATOR_" in line]
    table = [row for row in rows if row.startswith("| `--")]
    assert len(table) == len(settings.table())
    for line, row in zip(table, settings.table(), strict=True):
        cells = [cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")]
        assert len(cells) == 4
        assert cells[0].strip("`").split()[0] == row.flag
        assert cells[1:] == [f"`{row.variable}`", f"`{row.default}`", row.help]

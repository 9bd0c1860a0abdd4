"""The page of notebook instances names what there is; a system test runs its example."""

import re
from pathlib import Path

from emulator import presigned, settings
from emulator.launch.contract import notebook
from emulator.operations.notebook_instances import SESSION_SECONDS
from emulator.reconcile.notebook_logs import LOG_GROUP

PAGE = (Path(__file__).parents[2] / "docs" / "notebook-instances.md").read_text(encoding="utf-8")


def test_the_settings_are_there() -> None:
    named = set(re.findall(r"setting\s+`(\w+)`", PAGE))
    assert named == {"reach", "notebook_script_timeout", "notebook_engine_access"}
    assert named <= {row.name for row in settings.table()}
    assert "--notebook-engine-access" in PAGE


def test_the_log_streams_are_those_that_are_written() -> None:
    assert f"`{LOG_GROUP}`" in PAGE
    for stream in (*notebook.STREAMS.values(), notebook.JUPYTER):
        assert f"`NAME/{stream}`" in PAGE


def test_the_times_are_those_that_are_kept() -> None:
    assert presigned.VALID_SECONDS == 300
    assert "opened for five minutes" in PAGE
    assert SESSION_SECONDS == 12 * 3600
    assert "12 hours if not said" in PAGE
    assert settings.Settings().notebook_script_timeout == 300
    assert "Each script has the five minutes" in PAGE


def test_the_image_is_built_as_the_page_says() -> None:
    assert notebook.IMAGE == "sagemaker-emulator/notebook:latest"
    assert "sagemaker-emulator images build notebook" in PAGE

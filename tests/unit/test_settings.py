"""The settings table: flags, environment, defaults."""

from dataclasses import fields
from pathlib import Path

import pytest

from emulator import settings
from emulator.settings import BadSetting, Settings, Share, read


def test_without_flags_and_environment_every_setting_has_its_default() -> None:
    assert read({}) == Settings()


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_default() -> None:
    environ = {"EMULATOR_PORT": "1", "EMULATOR_REGION": "eu-west-1", "PATH": "/bin"}
    found = read(environ, {"port": "2", "region": None})
    assert (found.port, found.region, found.host) == (2, "eu-west-1", "127.0.0.1")


@pytest.mark.parametrize(
    "variable, text, value",
    [
        ("EMULATOR_PORT", "0", 0),
        ("EMULATOR_PORT", "65535", 65535),
        ("EMULATOR_STATE", "/var/lib/emulator", Path("/var/lib/emulator")),
        ("EMULATOR_ACCOUNT", "000000000001", "000000000001"),
        ("EMULATOR_CONTAINER_MEMORY", "0", 0),
        ("EMULATOR_CONTAINER_MEMORY", "512", 512),
        ("EMULATOR_CONTAINER_MEMORY", "512m", 512 * 2**20),
        ("EMULATOR_CONTAINER_MEMORY", "2G", 2 * 2**30),
        ("EMULATOR_CONTAINER_SHM", "50%", Share(percent=50)),
        ("EMULATOR_CONTAINER_SHM", "1g", Share(bytes=2**30)),
        ("EMULATOR_CONTAINER_SHM", "0", Share()),
        ("EMULATOR_IMAGES_PULL", "1", True),
        ("EMULATOR_IMAGES_PULL", "no", False),
        ("EMULATOR_LOG_LEVEL", "debug", "debug"),
        ("EMULATOR_REACH", "publish", "publish"),
        ("EMULATOR_STOP_GRACE", "3", 3),
    ],
)
def test_a_value_is_read_in_its_form(variable: str, text: str, value: object) -> None:
    name = variable.removeprefix("EMULATOR_").lower()
    assert getattr(read({variable: text}), name) == value


@pytest.mark.parametrize(
    "variable, text",
    [
        ("EMULATOR_CONTAINER_SHM", "101%"),
        ("EMULATOR_CONTAINER_SHM", "-5%"),
        ("EMULATOR_CONTAINER_SHM", "%"),
        ("EMULATOR_CONTAINER_SHM", "half"),
        ("EMULATOR_PORT", "65536"),
        ("EMULATOR_PORT", "-1"),
        ("EMULATOR_PORT", "http"),
        ("EMULATOR_ACCOUNT", "12345"),
        ("EMULATOR_ACCOUNT", "12345678901x"),
        ("EMULATOR_CONTAINER_MEMORY", "2t"),
        ("EMULATOR_CONTAINER_MEMORY", "g"),
        ("EMULATOR_IMAGES_PULL", "perhaps"),
        ("EMULATOR_LOG_LEVEL", "loud"),
        ("EMULATOR_STOP_GRACE", "-5"),
        ("EMULATOR_STOP_GRACE", ""),
    ],
)
def test_a_wrong_value_is_refused_with_its_source(variable: str, text: str) -> None:
    with pytest.raises(BadSetting, match=f"^{variable}={text}: "):
        read({variable: text})
    name = variable.removeprefix("EMULATOR_").lower()
    with pytest.raises(BadSetting, match=f"^{settings.flag(name)}={text}: "):
        read({}, {name: text})


def test_an_unknown_variable_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(BadSetting, match=r"^EMULATOR_PROT: no such setting\. .*EMULATOR_PORT"):
        read({"EMULATOR_PROT": "1"})


def test_the_table_lists_every_setting_with_its_names_and_a_default_that_reads_back() -> None:
    rows = settings.table()
    assert [row.name for row in rows] == [entry.name for entry in fields(Settings)]
    for row in rows:
        assert row.flag == "--" + row.name.replace("_", "-")
        assert row.variable == "EMULATOR_" + row.name.upper()
        assert row.help.endswith(".")
        assert row.form.parse(row.default) == getattr(Settings(), row.name)


@pytest.mark.parametrize(
    "share, part", [(Share(percent=75), 750), (Share(bytes=64), 64), (Share(), 0)]
)
def test_a_share_is_a_percentage_or_a_size(share: Share, part: int) -> None:
    assert share.of(1000) == part

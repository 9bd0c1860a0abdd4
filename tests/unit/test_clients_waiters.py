"""The quick waiters: every one that botocore has, none less patient, none that waits for less."""

import json
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.waiter import WaiterModel

from emulator import clients
from emulator.clients.shim.sagemaker_emulator_shim.attempts import scale
from emulator.clients.waiters import FILE, INTERVAL, quickened, written

WRITTEN = written()


@pytest.fixture(scope="module")
def quick() -> WaiterModel:
    """Return the waiters that botocore itself makes of our data path."""
    session = botocore.session.Session()
    session.set_config_variable("data_path", str(clients.DATA))
    model: WaiterModel = session.get_waiter_model("sagemaker")
    return model


def test_the_data_is_what_the_installed_botocore_makes_it() -> None:
    assert json.loads(FILE.read_text()) == quickened(WRITTEN), "python -m emulator.clients.waiters"


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_waiter_asks_often_and_is_no_less_patient(name: str, quick: WaiterModel) -> None:
    ours, theirs = quick.get_waiter(name), WRITTEN[name]
    assert ours.delay <= 1
    patience = (theirs["maxAttempts"] - 1) * theirs["delay"]
    assert (ours.max_attempts - 1) * ours.delay >= patience


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_waiter_waits_for_what_it_waited_for(name: str, quick: WaiterModel) -> None:
    ours = quick.get_waiter(name)
    assert ours.operation == WRITTEN[name]["operation"]
    assert [vars(found)["expected"] for found in ours.acceptors] == [
        accepted["expected"] for accepted in WRITTEN[name]["acceptors"]
    ]


def test_other_services_and_api_versions_stay_as_they_are() -> None:
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    plain = (
        loader.list_available_services("service-2"),
        loader.list_api_versions("sagemaker", "waiters-2"),
    )
    loader.search_paths.insert(0, str(clients.DATA))
    loader._cache.clear()
    assert plain == (
        loader.list_available_services("service-2"),
        loader.list_api_versions("sagemaker", "waiters-2"),
    )


@pytest.mark.parametrize(
    "given, attempts",
    [
        ({"MaxAttempts": 60}, 60 * 120 / INTERVAL),
        ({"MaxAttempts": 60, "Delay": 3}, 60),
        ({"Delay": 3}, None),
        (None, None),
    ],
)
def test_attempts_that_a_caller_gives_last_as_long_as_before(
    given: dict[str, int] | None, attempts: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []

    class Waiter:
        name = "TrainingJobCompletedOrStopped"
        config = type("Config", (), {"delay": INTERVAL})

        def wait(self, **arguments: Any) -> None:
            seen.append(arguments)

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    module = type("module", (), {"Waiter": Waiter})
    scale(module)
    module.Waiter().wait(WaiterConfig=given)
    assert ((seen[0]["WaiterConfig"] or {}).get("MaxAttempts")) == attempts or attempts is None
    assert (seen[0]["WaiterConfig"] or {}).get("Delay") == (given or {}).get("Delay")


def test_the_data_is_shipped_with_the_package() -> None:
    root = Path(__file__).parents[2]
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["emulator"]
    shipped = {path for pattern in patterns for path in (root / "emulator").glob(pattern)}
    assert FILE in shipped

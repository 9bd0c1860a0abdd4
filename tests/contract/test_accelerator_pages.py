"""The emulator's own pages about accelerators: for people, containers and not for web pages."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from served import served

from emulator.accelerators import Accelerators, Device
from emulator.cli.main import commands

CLAIM = {
    "accelerator_type": "local_sagemaker_notebook",
    "framework": "mxnet",
    "user": "local mode, container 0a1b",
}


@pytest.fixture
def attached() -> Accelerators:
    return Accelerators([Device("emulator/0", "ml.eia1.medium", since=1.0)])


@pytest.fixture
def url(attached: Accelerators) -> Iterator[str]:
    with served({}, accelerators=attached) as base:
        yield base


def claim(url: str, body: Any, **headers: str) -> requests.Response:
    return requests.post(
        f"{url}/_emulator/accelerators/claims", json=body, headers=headers, timeout=10
    )


def test_a_container_of_local_mode_gets_the_accelerator_and_is_shown_as_its_user(url: str) -> None:
    reply = claim(url, CLAIM)
    assert reply.status_code == 200
    reason = reply.json().pop("reason")
    assert reply.json() | {"reason": ""} == {
        "attached": True,
        "device": "cpu",
        "memory_bytes": 2**30,
        "reason": "",
    }
    assert "is ml.eia1.medium attached to emulator" in reason
    shown = requests.get(f"{url}/_emulator/accelerators", timeout=60).json()
    assert shown == {
        "fallback": "cpu",
        "accelerators": [
            {
                "id": "emulator/0",
                "type": "ml.eia1.medium",
                "memory": "1 GB",
                "backing": "cpu",
                "host": "emulator",
                "since": 1.0,
                "framework": "mxnet",
                "users": ["local mode, container 0a1b"],
            }
        ],
        "stand_ins": [],
    }


def test_another_framework_is_refused_with_the_way_out(url: str) -> None:
    claim(url, CLAIM)
    reply = claim(url, {**CLAIM, "framework": "tensorflow"})
    assert reply.status_code == 409
    assert "was first used by mxnet and can't be used by tensorflow" in reply.json()["message"]


def test_who_asks_before_a_notebook_instance_serves_again_is_told_to_ask_again() -> None:
    accelerators = Accelerators()
    accelerators.expect("n", [Device("n/1", "ml.eia1.medium", host="notebook-instance/n")])
    with served({}, accelerators=accelerators) as url:
        reply = claim(url, CLAIM)
    assert reply.status_code == 503
    assert "notebook-instance/n starts again" in reply.json()["message"]


@pytest.mark.parametrize(
    "body",
    [[], {}, {**CLAIM, "user": ""}, {**CLAIM, "user": 1}, {**CLAIM, "user": "x" * 201}],
)
def test_a_claim_that_is_none_is_refused_in_a_sentence(url: str, body: Any) -> None:
    reply = claim(url, body)
    assert reply.status_code == 400
    assert "accelerator_type, framework, user" in reply.json()["message"]


def test_web_pages_may_neither_claim_nor_reset(url: str) -> None:
    origin = {"Origin": "http://elsewhere.example"}
    assert claim(url, CLAIM, **origin).status_code == 403
    reset = requests.post(f"{url}/_emulator/reset", headers=origin, timeout=60)
    assert reset.status_code == 403


def test_the_command_shows_what_is_attached_and_who_uses_it(url: str) -> None:
    claim(url, CLAIM)
    port = url.rpartition(":")[2]
    result = CliRunner().invoke(commands, ["accelerators", "--port", port])
    assert result.exit_code == 0, result.output
    for word in ("ml.eia1.medium", "1 GB", "emulator", "mxnet", "local mode, container 0a1b"):
        assert word in result.output
    assert "Where no accelerator fits, the CPU serves." in result.output
    as_json = CliRunner().invoke(commands, ["accelerators", "--json", "--port", port])
    assert json.loads(as_json.output)["accelerators"][0]["framework"] == "mxnet"


def test_the_command_says_how_to_attach_one() -> None:
    with served({}, accelerators=Accelerators(cpu_allowed=False)) as url:
        result = CliRunner().invoke(commands, ["accelerators", "--port", url.rpartition(":")[2]])
    assert "up --attach-accelerator TYPE" in result.output
    assert "Where no accelerator fits, endpoints fail." in result.output


def test_without_an_emulator_the_command_says_how_to_start_one(tmp_path: Any) -> None:
    result = CliRunner().invoke(commands, ["accelerators", "--port", "0", "--state", str(tmp_path)])
    assert result.exit_code == 1
    assert "No emulator answers" in result.stderr


def test_the_command_shows_who_is_on_the_cpu() -> None:
    with served({}, accelerators=Accelerators()) as url:
        assert claim(url, CLAIM).json()["attached"] is False
        result = CliRunner().invoke(commands, ["accelerators", "--port", url.rpartition(":")[2]])
    line = f"{CLAIM['user']}: AcceleratorType local_sagemaker_notebook runs on the CPU: no acc"
    assert line in result.output

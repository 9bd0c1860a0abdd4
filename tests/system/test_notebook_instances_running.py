"""Notebook instances as a process and containers: one emulator, whose instances start together."""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from running_emulator import ACCOUNT, LABEL, REGION, ROLE, Emulator, engine, eventually, start

from emulator import clock, presigned
from emulator.clients import DATA

GROUP = "/aws/sagemaker/NotebookInstances"
PAGE = Path(__file__).parents[2] / "docs" / "notebook-instances.md"
SCRIPT_SECONDS = 3
LOG = "/home/ec2-user/SageMaker/log"
SCRIPTS = {
    "desk": {"OnCreate": f"id -un; echo create >> {LOG}", "OnStart": f"pwd; echo start >> {LOG}"},
    "failing": {"OnStart": "echo broken; exit 3"},
    "slow": {"OnCreate": "echo begun; sleep 600"},
}


class House:
    """A running emulator, and the instances of these tests."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.begin()

    def begin(self) -> None:
        self.emulator: Emulator = start(
            self.state, "--notebook-script-timeout", str(SCRIPT_SECONDS)
        )

    @property
    def sagemaker(self) -> Any:
        return self.emulator.client("sagemaker")

    def create(self, name: str, **members: Any) -> None:
        hooks = {
            hook: [{"Content": base64.b64encode(f"#!/bin/bash\n{text}\n".encode()).decode()}]
            for hook, text in SCRIPTS[name].items()
        }
        self.sagemaker.create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName=name, **hooks
        )
        self.sagemaker.create_notebook_instance(
            NotebookInstanceName=name,
            InstanceType="ml.t2.medium",
            RoleArn=ROLE,
            LifecycleConfigName=name,
            **members,
        )

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_notebook_instance(NotebookInstanceName=name)
        return found

    def reaches(self, name: str, status: str) -> dict[str, Any]:
        """Return the instance once it has a status; fail if it comes to another end."""
        ends = {"InService", "Failed", "Stopped"}

        def look() -> str:
            current = str(self.described(name)["NotebookInstanceStatus"])
            return current if current in ends else ""

        assert eventually(look, what=f"{name} is {status}") == status
        return self.described(name)

    def ask(self, verb: str, name: str) -> None:
        getattr(self.sagemaker, f"{verb}_notebook_instance")(NotebookInstanceName=name)

    def folder(self, name: str) -> Path:
        return self.state / "notebook-instances" / ACCOUNT / REGION / name

    def lines(self, name: str, stream: str) -> list[str]:
        return self.emulator.log_lines(GROUP, f"{name}/{stream}")

    def url(self, name: str) -> str:
        reply = self.sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name)
        return str(reply["AuthorizedUrl"])

    def accelerators(self) -> list[str]:
        with urllib.request.urlopen(f"{self.emulator.url}/_emulator/accelerators") as reply:
            return [each["id"] for each in json.load(reply)["accelerators"]]


def visited(url: str, *, cookies: CookieJar | None = None) -> int:
    """Return the status that a browser without a past gets."""
    handlers = [urllib.request.HTTPCookieProcessor(cookies)]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=60) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def example() -> str:
    """Return the program that the documentation shows."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give an emulator whose instances are starting, all at once."""
    code = tmp_path_factory.mktemp("code") / "mine"
    code.mkdir()
    (code / "lesson.py").write_text("lesson = 1\n")
    made = House(tmp_path_factory.mktemp("house") / "state")
    try:
        made.create("slow")
        made.create("failing", AcceleratorTypes=["ml.eia2.large"])
        made.create(
            "desk", AcceleratorTypes=["ml.eia1.medium"], DefaultCodeRepository=f"file://{code}"
        )
        yield made
    finally:
        made.emulator.stop()


def test_the_example_of_the_documentation_opens_an_instance(house: House) -> None:
    access = {
        "AWS_ENDPOINT_URL": house.emulator.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_DATA_PATH": str(DATA),
    }
    done = subprocess.run(
        [sys.executable, "-c", example()],
        env={**os.environ, **access},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert visited(done.stdout.strip()) == 200
    house.ask("stop", "mine")


def test_scripts_run_as_root_and_their_output_is_in_the_logs(house: House) -> None:
    house.reaches("desk", "InService")
    assert house.lines("desk", "LifecycleConfigOnCreate") == ["root"]
    assert house.lines("desk", "LifecycleConfigOnStart") == ["/"]
    eventually(lambda: house.lines("desk", "jupyter.log"), what="Jupyter says something")
    folder = house.folder("desk") / "SageMaker"
    assert (folder / "log").read_text().split() == ["create", "start"]
    assert (folder / "mine" / "lesson.py").read_text() == "lesson = 1\n"


def test_scripts_that_fail_or_take_too_long_fail_the_start(house: House) -> None:
    failed, slow = house.reaches("failing", "Failed"), house.reaches("slow", "Failed")
    assert re.search(r"lifecycle-config/failing' for .*/failing' failed\.", failed["FailureReason"])
    assert failed["FailureReason"].endswith("failed with exit code 3")
    assert f"took longer than {SCRIPT_SECONDS} seconds." in slow["FailureReason"]
    assert house.lines("failing", "LifecycleConfigOnStart") == ["broken"]
    assert house.lines("slow", "LifecycleConfigOnCreate") == ["begun"]
    for name in ("failing", "slow"):
        eventually(lambda name=name: not house.emulator.containers(name=name), what="removed")
    assert all("/desk/" in device for device in house.accelerators())


def test_a_url_that_is_old_forged_or_anothers_opens_nothing(house: House) -> None:
    address = house.reaches("desk", "InService")["Url"]
    told = json.loads((house.folder("desk") / "instance" / "instance.json").read_text())
    now = clock.now()
    good = house.url("desk")
    cookies = CookieJar()
    assert visited(good, cookies=cookies) == 200
    assert visited(f"http://{address}/api/contents", cookies=cookies) == 200
    old = presigned.url(address, told["key"], now=now - presigned.VALID_SECONDS, session=1800)
    forged = presigned.url(address, "ab" * 32, now=now, session=1800)
    for url in (old, forged, good[:-1] + ("0" if good[-1] != "0" else "1")):
        assert visited(url) == 403
    for path in ("", "tree", "lab", "api/contents", "api/kernels?token=x", "?authToken="):
        assert visited(f"http://{address}/{path}") == 403


def test_a_stop_and_a_start_keep_files_run_on_start_alone_and_renew_the_accelerator(
    house: House,
) -> None:
    house.reaches("desk", "InService")
    [device], before = house.accelerators(), house.url("desk")
    (house.folder("desk") / "SageMaker" / "kept").write_text("kept")
    house.ask("stop", "desk")
    assert "Url" not in house.reaches("desk", "Stopped")
    assert house.accelerators() == []
    assert house.emulator.containers(name="desk") == []
    house.ask("start", "desk")
    address = house.reaches("desk", "InService")["Url"]
    folder = house.folder("desk") / "SageMaker"
    assert (folder / "log").read_text().split() == ["create", "start", "start"]
    assert (folder / "kept").read_text() == "kept"
    [renewed] = house.accelerators()
    assert renewed != device
    assert visited(f"http://{address}/?{before.partition('?')[2]}") == 403


def test_a_killed_emulator_leaves_the_instance_to_the_next(house: House) -> None:
    before, devices = house.reaches("desk", "InService"), house.accelerators()
    [container] = house.emulator.containers(name="desk")
    house.emulator.kill()
    house.begin()
    eventually(lambda: house.accelerators() == devices, what="the accelerator is attached")
    assert house.described("desk") | {"ResponseMetadata": None} == before | {
        "ResponseMetadata": None
    }
    assert [each.id for each in house.emulator.containers(name="desk")] == [container.id]
    assert visited(house.url("desk")) == 200


def test_a_deletion_leaves_no_container_no_volume_no_network_and_no_file(house: House) -> None:
    house.reaches("desk", "InService")
    house.ask("stop", "desk")
    for name in ("desk", "failing", "slow", "mine"):
        house.reaches(name, "Stopped" if name in ("desk", "mine") else "Failed")
        house.ask("delete", name)
    for name in ("desk", "failing", "slow", "mine"):
        eventually(lambda name=name: gone(house, name), what=f"{name} is gone")
        assert house.emulator.containers(name=name) == []
        assert not house.folder(name).exists()
    wanted = {"label": f"{LABEL}instance={house.emulator.instance}"}
    client = engine()
    try:
        assert client.volumes.list(filters=wanted) == []
        assert [each.name for each in client.networks.list(filters=wanted)] == [
            f"sagemaker-emulator-{house.emulator.instance}"
        ]
    finally:
        client.close()


def gone(house: House, name: str) -> bool:
    try:
        house.described(name)
    except ClientError as error:
        return error.response["Error"].get("Message") == "RecordNotFound"
    return False

"""What a notebook instance's container sees, from the instance's document."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from emulator.call import Record, Scope
from emulator.launch.contract import notebook

SCOPE = Scope("123456789012", "us-east-1")
SCRIPT = base64.b64encode(b"#!/bin/sh\n").decode()
CONFIG = {"OnCreate": [{"Content": SCRIPT}], "OnStart": [{"Content": SCRIPT}]}
START = {"number": 1, "key": "ab" * 32, "scripts": notebook.scripts(CONFIG, served=False)}


def record(**members: Any) -> Record:
    document = {"RootAccess": "Enabled", **members}
    return Record("NotebookInstance", SCOPE, "Nb", "arn:aws:sagemaker:nb", "Pending", document)


def test_scripts_come_in_the_order_in_which_they_run() -> None:
    assert [script["stream"] for script in notebook.scripts(CONFIG, served=False)] == [
        "LifecycleConfigOnCreate",
        "LifecycleConfigOnStart",
    ]
    again = notebook.scripts(CONFIG, served=True)
    assert [script["stream"] for script in again] == ["LifecycleConfigOnStart"]
    assert notebook.scripts({"OnCreate": [], "OnStart": [{}]}, served=False) == []


def test_the_files_are_those_of_the_container_contract() -> None:
    files = notebook.files(record(RootAccess="Disabled"), START, script_seconds=7, host="1.2.3.4")
    assert sorted(files) == [
        "instance/instance.json",
        "instance/on-create.sh",
        "instance/on-start.sh",
        "metadata/resource-metadata.json",
    ]
    assert files["instance/on-start.sh"] == b"#!/bin/sh\n"
    assert json.loads(files["instance/instance.json"]) == {
        "name": "Nb",
        "arn": "arn:aws:sagemaker:nb",
        "key": "ab" * 32,
        "root_access": False,
        "script_seconds": 7,
        "scripts": [
            {"stream": "LifecycleConfigOnCreate", "file": "on-create.sh"},
            {"stream": "LifecycleConfigOnStart", "file": "on-start.sh"},
        ],
        "repositories": [],
        "forward": {"8080": "1.2.3.4:8080"},
    }
    without = notebook.files(record(), START, script_seconds=7, host="")
    assert json.loads(without["instance/instance.json"])["forward"] == {}


@pytest.mark.parametrize(
    "given, source, directory, local",
    [
        ("https://h/team/code.git", "https://h/team/code.git", "code", None),
        ("http://h/code/", "http://h/code/", "code", None),
        ("/home/me/code", "/opt/ml/code-repositories/0", "code", Path("/home/me/code")),
        ("file:///home/me/code.git", "/opt/ml/code-repositories/0", "code", "/home/me/code.git"),
        ("/", "/opt/ml/code-repositories/0", "repository", Path("/")),
    ],
)
def test_a_repository_has_a_source_and_a_directory(
    given: str, source: str, directory: str, local: Any
) -> None:
    [found] = notebook.repositories({"DefaultCodeRepository": given})
    assert (found.source, found.directory, found.default) == (source, directory, True)
    assert found.local == (Path(local) if local else None)


def test_only_the_default_repository_is_the_default() -> None:
    found = notebook.repositories({"AdditionalCodeRepositories": ["/a/code", "/b/code"]})
    assert [each.default for each in found] == [False, False]
    assert [each.directory for each in found] == ["code", "code-1"]


def test_kernels_are_pointed_at_the_emulator() -> None:
    variables = notebook.environment(SCOPE, "http://10.0.0.1:4610", None)
    assert variables["AWS_ENDPOINT_URL"] == "http://10.0.0.1:4610"
    assert variables["AWS_DEFAULT_REGION"] == "us-east-1"
    assert variables["AWS_ACCESS_KEY_ID"] == SCOPE.account
    assert variables["AWS_EC2_METADATA_DISABLED"] == "true"
    assert "TMPDIR" not in variables


def test_the_user_keeps_one_folder_and_can_change_no_other() -> None:
    code = notebook.repositories({"DefaultCodeRepository": "/home/me/code"})
    mounts = notebook.mounts(Path("/root"), code, Path("/host/tmp"))
    assert [(str(mount.source), mount.target, mount.access) for mount in mounts] == [
        ("/root/SageMaker", "/home/ec2-user/SageMaker", "rw"),
        ("/root/metadata", "/opt/ml/metadata", "ro"),
        ("/root/instance", "/opt/ml/notebook-instance", "ro"),
        ("/home/me/code", "/opt/ml/code-repositories/0", "ro"),
        ("/root/tmp", "/host/tmp", "rw"),
    ]


@pytest.mark.parametrize(
    "line, stream, text",
    [
        ("LifecycleConfigOnStart\ta\tb", "LifecycleConfigOnStart", "a\tb"),
        ("failure\twhy", "failure", "why"),
        ("other\ttext", "jupyter.log", "other\ttext"),
        ("plain", "jupyter.log", "plain"),
    ],
)
def test_a_line_names_its_stream(line: str, stream: str, text: str) -> None:
    assert notebook.split(line) == (stream, text)

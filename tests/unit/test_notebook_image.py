"""The parts of the notebook image that run without Jupyter."""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import presigned
from emulator.catalogue.recipes import source_directory

FOLDER = source_directory() / "notebook"
KEY = "00112233445566778899aabbccddeeff"
NOW = 1_700_000_000.0


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(source_directory() / "notebook-environment"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield lambda name: importlib.import_module(name)
    for name in [name for name in sys.modules if name.startswith(("notebook_instance", "overlay"))]:
        del sys.modules[name]


def test_a_token_of_the_emulators_opens_a_session_for_five_minutes(load: Any) -> None:
    tokens = load("notebook_instance.tokens")
    token, key = presigned.token(KEY, now=NOW, session=1800), bytes.fromhex(KEY)
    assert tokens.session_of(token, key, NOW) == 1800
    assert tokens.session_of(token, key, NOW + presigned.VALID_SECONDS - 1) == 1800
    assert tokens.session_of(token, key, NOW + presigned.VALID_SECONDS) is None
    assert tokens.session_of(token, b"another start's", NOW) is None


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: "",
        lambda token: ".",
        lambda token: token.partition(".")[0],
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: "A" + token,
        lambda token: token.upper(),
        lambda token: token + "é",
        lambda token: "\udcff." + token.partition(".")[2],
    ],
)
def test_a_token_that_was_not_made_by_the_emulator_opens_nothing(load: Any, forge: Any) -> None:
    tokens = load("notebook_instance.tokens")
    token = forge(presigned.token(KEY, now=NOW, session=1800))
    assert tokens.session_of(token, bytes.fromhex(KEY), NOW) is None


def test_a_cookie_lasts_as_long_as_its_session_and_is_no_token(load: Any) -> None:
    tokens, key = load("notebook_instance.tokens"), bytes.fromhex(KEY)
    cookie = tokens.cookie(key, NOW + 60)
    assert tokens.is_session(cookie, key, NOW + 59)
    assert not tokens.is_session(cookie, key, NOW + 60)
    assert not tokens.is_session(cookie, b"another start's", NOW)
    assert not tokens.is_session(presigned.token(KEY, now=NOW, session=1800), key, NOW)
    assert tokens.session_of(cookie, key, NOW) is None


@pytest.mark.parametrize(
    "content", [b"[]", b"not JSON", b'{"expires": "late"}', b"{}", b'{"expires": 9e9}']
)
def test_a_signed_text_that_is_no_token_opens_nothing(load: Any, content: bytes) -> None:
    tokens, key = load("notebook_instance.tokens"), bytes.fromhex(KEY)
    body = tokens.base64.urlsafe_b64encode(content).rstrip(b"=")
    text = f"{body.decode()}.{tokens._signature(body, key)}"
    assert tokens.session_of(text, key, NOW) is None


@pytest.mark.parametrize(
    "host, own",
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("172.17.0.2", True),
        ("[::1]", True),
        ("notebook", True),
        ("localhost.evil.example", False),
        ("evil.example", False),
        ("", False),
    ],
)
def test_only_addresses_and_local_names_are_answered(load: Any, host: str, own: bool) -> None:
    hosts = load("notebook_instance.hosts")
    assert hosts.is_own(host, hosts.LOCAL | {"notebook"}) is own


def test_the_instance_is_what_the_document_says(load: Any, tmp_path: Path) -> None:
    instance = load("notebook_instance.instance")
    document = {
        "name": "mine",
        "arn": "arn:aws:sagemaker:us-west-2:123456789012:notebook-instance/mine",
        "key": KEY,
        "root_access": False,
        "script_seconds": 300,
        "scripts": [{"stream": "LifecycleConfigOnStart", "file": "on-start.sh"}],
        "repositories": [
            {"source": "https://code.example/a.git", "directory": "a", "default": True},
            {"source": "/opt/ml/code-repositories/1", "directory": "b"},
        ],
        "forward": {"8080": "host:8080"},
    }
    (tmp_path / "instance.json").write_text(json.dumps(document))
    read = instance.read(tmp_path)
    assert (read.name, read.key, read.root_access) == ("mine", bytes.fromhex(KEY), False)
    assert read.scripts == (instance.Script("LifecycleConfigOnStart", tmp_path / "on-start.sh"),)
    assert [each.default for each in read.repositories] == [True, False]
    assert read.forward == {8080: "host:8080"}


def test_a_repository_of_git_is_told_from_a_plain_folder(load: Any, tmp_path: Path) -> None:
    repositories = load("notebook_instance.repositories")
    (tmp_path / "tree/.git").mkdir(parents=True)
    for part in ("objects", "refs", "HEAD"):
        (tmp_path / "bare.git" / part).mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    told = {path.name: repositories.is_git(path) for path in tmp_path.iterdir()}
    assert told == {"tree": True, "bare.git": True, "plain": False}


def test_a_repositorys_source_is_never_taken_for_an_option(load: Any, tmp_path: Path) -> None:
    command = load("notebook_instance.repositories").clone_command("--upload-pack=rm", tmp_path)
    assert command.index("--") < command.index("--upload-pack=rm")


def test_the_kernels_have_the_names_of_aws_and_the_versions_of_the_sdk() -> None:
    described = {
        path.parent.name: json.loads(path.read_text())
        for path in FOLDER.glob("kernels/*/kernel.json")
    }
    versions = {name: spec["argv"][0].split("/")[3] for name, spec in described.items()}
    assert versions == {
        "conda_python3": "v2",
        "conda_mxnet_p36": "v1",
        "conda_amazonei_mxnet_p36": "v1",
        "conda_chainer_p36": "v1",
    }
    for name, spec in described.items():
        folder = f"/opt/sagemaker-sdk/{versions[name]}"
        assert spec["argv"][0] == f"{folder}/bin/python"
        assert spec["env"] == {"PATH": f"{folder}/bin:${{PATH}}", "VIRTUAL_ENV": folder}


def test_an_overlay_is_what_the_image_has_not(load: Any, tmp_path: Path) -> None:
    tree, image = tmp_path / "tree", tmp_path / "image"
    for file in ("bin/tool", "usr/bin/git", "usr/bin/python3", "etc/passwd", "var/lib/x", "tmp/x"):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text("unpacked")
    (tree / "usr/bin/link").symlink_to("git")
    for file in ("usr/bin/python3", "etc/passwd"):
        (image / file).parent.mkdir(parents=True, exist_ok=True)
        (image / file).write_text("configured")
    load("overlay").prune(tree, image)
    left = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if not path.is_dir()}
    assert left == {"usr/bin/tool", "usr/bin/git", "usr/bin/link"}


def test_what_a_script_says_is_passed_on_line_by_line(
    load: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scripts, instance = load("notebook_instance.scripts"), load("notebook_instance.instance")
    file = tmp_path / "on-start.sh"
    file.write_text("pwd; printf 'to the\\nend' >&2; echo $PATH")
    scripts.run(instance.Script("LifecycleConfigOnStart", file), 20)
    said = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [stream for stream, _ in said] == ["LifecycleConfigOnStart"] * 3
    assert [text for _, text in said][:2] == ["/", "to the"]
    assert scripts.PATH in said[-1][1]


@pytest.mark.parametrize(
    "text, seconds, code, said",
    [
        ("#!/bin/sh\nexit 3\n", 20, 64, "failed with exit code 3"),
        ("sleep 600\n", 1, 65, "took longer than 1 seconds"),
    ],
)
def test_a_script_that_fails_or_takes_too_long_ends_the_start(
    load: Any, tmp_path: Path, text: str, seconds: int, code: int, said: str
) -> None:
    scripts, instance = load("notebook_instance.scripts"), load("notebook_instance.instance")
    failures = load("notebook_instance.failures")
    (tmp_path / "script").write_text(text)
    with pytest.raises(failures.StartFailed, match=said) as failed:
        scripts.run(instance.Script("LifecycleConfigOnCreate", tmp_path / "script"), seconds)
    assert failed.value.code == code


@pytest.mark.parametrize(
    "content, code, said",
    [
        (
            b"#!/bin/bash\r\necho\r\n",
            126,
            "/bin/bash^M: bad interpreter: No such file or directory",
        ),
        (b"#!/absent/python\necho\n", 126, "/absent/python: bad interpreter: No such file"),
        (b"#! /etc\necho\n", 126, "/bin/bash: script: /etc: bad interpreter: Permission denied"),
        (b"#!\necho; exit 3\n", 3, ""),
        (b"\x7fELF\0\0\0", 126, "cannot execute binary file"),
        (b"\xff\xfe\n", 127, "command not found"),
    ],
    ids=["CR LF", "absent", "a directory", "no name", "binary", "no text"],
)
def test_a_script_that_cannot_be_run_fails_in_the_words_of_a_shell(
    load: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    content: bytes,
    code: int,
    said: str,
) -> None:
    scripts, instance = load("notebook_instance.scripts"), load("notebook_instance.instance")
    failures = load("notebook_instance.failures")
    (tmp_path / "script").write_bytes(content)
    script = instance.Script("LifecycleConfigOnCreate", tmp_path / "script")
    with pytest.raises(failures.StartFailed, match=f"failed with exit code {code}") as failed:
        scripts.run(script, 20)
    assert failed.value.code == failures.SCRIPT_FAILED
    [line] = capfd.readouterr().out.splitlines()
    assert said in line


def test_a_script_without_a_line_does_nothing(load: Any, tmp_path: Path) -> None:
    scripts, instance = load("notebook_instance.scripts"), load("notebook_instance.instance")
    (tmp_path / "script").touch()
    scripts.run(instance.Script("LifecycleConfigOnCreate", tmp_path / "script"), 20)


def test_the_region_is_in_the_users_configuration_unless_there_is_one(
    load: Any, tmp_path: Path
) -> None:
    module = load("notebook_instance.account")
    account = module.Account("ec2-user", os.getuid(), os.getgid(), str(tmp_path), ())
    file = tmp_path / ".aws" / "config"
    module.configure_aws(account, {})
    assert not file.exists()
    module.configure_aws(account, {"AWS_DEFAULT_REGION": "eu-west-1"})
    assert file.read_text() == "[default]\nregion = eu-west-1\n"
    module.configure_aws(account, {"AWS_REGION": "us-west-2"})
    assert "eu-west-1" in file.read_text()

"""An emulator that is not root owns what containers have written as root."""

import os
from pathlib import Path

import pytest
from launchers import DockerBench, docker_launcher

from emulator.launch.driver import Mount

pytestmark = pytest.mark.docker

USER, GROUP = 4321, 4322


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the launcher take itself for an ordinary user's."""
    monkeypatch.setattr(os, "geteuid", lambda: USER)
    monkeypatch.setattr(os, "getegid", lambda: GROUP)


def write_as_root(bench: DockerBench, directory: Path) -> list[Path]:
    script = (
        "umask 077; mkdir -p /out/sub/closed; echo secret > /out/sub/closed/file;"
        " chmod 000 /out/sub/closed/file /out/sub/closed; ln -s /etc/hostname /out/link"
    )
    assert bench.run(script, mounts=(Mount(directory, "/out"),))[0] == 0
    return [directory / "sub", directory / "sub/closed", directory / "sub/closed/file"]


def test_what_a_container_wrote_is_the_users_and_readable(tmp_path: Path, ordinary: None) -> None:
    outside = Path("/etc/hostname").stat()
    with docker_launcher(None) as launcher:
        written = write_as_root(DockerBench(launcher), tmp_path)
        assert {path.stat().st_uid for path in written} == {0}
        launcher.reclaim(tmp_path)
        assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(USER, GROUP)}
        assert written[-1].stat().st_mode & 0o600 == 0o600
        assert written[-1].read_text() == "secret\n"
        assert Path("/etc/hostname").stat() == outside
        launcher.reclaim(tmp_path / "absent")
        assert launcher.find({}) == []


def test_for_root_nothing_is_done(tmp_path: Path) -> None:
    with docker_launcher(None) as launcher:
        written = write_as_root(DockerBench(launcher), tmp_path)
        launcher.reclaim(tmp_path)
        assert {path.stat().st_mode & 0o777 for path in written[1:]} == {0}


def test_without_the_image_it_says_what_to_do(
    tmp_path: Path, ordinary: None, caplog: pytest.LogCaptureFixture
) -> None:
    with docker_launcher(None, pause_image="sagemaker-emulator/absent:latest") as launcher:
        launcher.reclaim(tmp_path)
    assert "sagemaker-emulator images build base" in caplog.text

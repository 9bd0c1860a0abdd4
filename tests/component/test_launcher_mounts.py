"""Mounts on Docker: what a container can change, and what it never can."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from launchers import DockerBench, docker_launcher, left_of

from emulator.errors import PermanentError
from emulator.launch.docker import DockerLauncher
from emulator.launch.docker.overlays import Overlays
from emulator.launch.driver import Mount
from emulator.launch.fake import Behaviour

pytestmark = pytest.mark.docker

FOREVER = Behaviour(run_for=None)
ASSAULTS = {
    "write": "echo changed > /data/file",
    "append": "echo changed >> /data/file",
    "truncate": "truncate -s 0 /data/file",
    "chmod": "chmod 777 /data/file",
    "chown": "chown 1234 /data/file",
    "rename": "mv /data/file /data/other",
    "remove": "rm -rf /data/file /data/sub",
    "write through a hard link": "ln /data/file /data/link && echo changed > /data/link",
    "write through a symlink": "ln -s /data/file /tmp/link && echo changed > /tmp/link",
    "create": "echo new > /data/new; mkdir /data/sub/new",
    "touch": "touch -d 2001-01-01 /data/file",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerBench]:
    with docker_launcher(tmp_path_factory.mktemp("scratch"), pool_size=2) as launcher:
        launcher.warm()
        yield DockerBench(launcher)


@pytest.fixture
def launcher(bench: DockerBench) -> Iterator[DockerLauncher]:
    yield bench.launcher
    for left in bench.launcher.find({}):
        bench.launcher.remove(left.handle)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    (directory / "sub").mkdir(parents=True)
    (directory / "file").write_text("original\n")
    return directory


def picture(directory: Path) -> dict[str, tuple[Any, ...]]:
    """Return all there is to know about the files of a directory."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        state = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (content, state.st_mode, state.st_uid, state.st_mtime, state.st_nlink)
    return found


@pytest.mark.parametrize("access", ["cow", "ro"])
@pytest.mark.parametrize("assault", ASSAULTS.values(), ids=ASSAULTS)
def test_a_container_cannot_change_a_source_that_is_not_writable(
    bench: DockerBench, source: Path, access: str, assault: str
) -> None:
    before = picture(source)

    exit_code, output = bench.run(assault, mounts=(Mount(source, "/data", access),))

    assert picture(source) == before
    assert (exit_code == 0) == (access == "cow"), output


def test_a_container_sees_its_own_changes_of_a_copy_on_write_mount(
    bench: DockerBench, source: Path
) -> None:
    script = "echo more >> /data/file; mv /data/file /data/moved; cat /data/moved; ls /data"

    _, output = bench.run(script, mounts=(Mount(source, "/data", "cow"),))

    assert output == ["original", "more", "moved", "sub"]


def test_what_is_written_to_a_writable_mount_is_there(bench: DockerBench, source: Path) -> None:
    bench.run("echo more >> /data/file", mounts=(Mount(source, "/data", "rw"),))

    assert (source / "file").read_text() == "original\nmore\n"


def test_two_containers_on_one_source_do_not_see_each_others_changes(
    bench: DockerBench, launcher: DockerLauncher, source: Path
) -> None:
    mounts = (Mount(source, "/data", "cow"),)
    first = bench.spec(command=("sh", "-c", "echo x > /data/x; sleep infinity"), mounts=mounts)
    launcher.start(first)

    assert bench.run("ls /data", mounts=mounts) == (0, ["file", "sub"])


def test_removing_a_container_removes_what_it_wrote(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient, source: Path
) -> None:
    spec = bench.spec(FOREVER, mounts=(Mount(source, "/data", "cow"),))
    handle = launcher.start(spec)
    assert len(left_of(engine, spec.name)) == 2

    launcher.remove(handle)

    assert left_of(engine, spec.name) == []


@pytest.mark.parametrize("name", ["with,comma", "with:colon", "with space", "with=equals"])
def test_any_directory_name_can_be_mounted_copy_on_write_without_risk(
    bench: DockerBench, tmp_path: Path, name: str
) -> None:
    directory = tmp_path / name
    directory.mkdir()
    (directory / "file").write_text("original\n")

    exit_code, output = bench.run(
        "cat /data/file; echo changed > /data/file", mounts=(Mount(directory, "/data", "cow"),)
    )

    assert "original" in output
    assert (directory / "file").read_text() == "original\n"
    assert exit_code == (2 if name in ("with,comma", "with:colon") else 0)


def test_without_scratch_space_a_copy_on_write_mount_is_read_only(source: Path) -> None:
    with docker_launcher(None, pool_size=0) as launcher:
        exit_code, output = DockerBench(launcher).run(
            "cat /data/file; echo changed > /data/file", mounts=(Mount(source, "/data", "cow"),)
        )

    assert exit_code != 0
    assert "original" in output
    assert (source / "file").read_text() == "original\n"


def test_where_overlays_cannot_be_mounted_the_source_is_read_only(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Overlays._request

    def unsupported(*arguments: Any) -> dict[str, Any]:
        request = asked(*arguments)
        request["DriverOpts"]["type"] = "nosuchfs"
        return request

    monkeypatch.setattr(Overlays, "_request", unsupported)
    with docker_launcher(tmp_path / "scratch", pool_size=1) as launcher:
        bench, mounts = DockerBench(launcher), (Mount(source, "/data", "cow"),)

        assert bench.run("cat /data/file", mounts=mounts) == (0, ["original"])
        assert bench.run("echo changed > /data/file", mounts=mounts)[0] != 0
        assert list((tmp_path / "scratch").iterdir()) == []
    assert (source / "file").read_text() == "original\n"


def test_a_missing_source_is_refused_and_leaves_nothing(
    bench: DockerBench, launcher: DockerLauncher, engine: docker.DockerClient, tmp_path: Path
) -> None:
    for access in ("rw", "ro", "cow"):
        spec = bench.spec(mounts=(Mount(tmp_path / "absent", "/data", access),))
        with pytest.raises(PermanentError) as caught:
            launcher.start(spec)
        assert "/data" in str(caught.value)
        assert str(tmp_path) not in str(caught.value), "clients read it"
        assert left_of(engine, spec.name) == []

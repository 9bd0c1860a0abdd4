"""An emulator that is itself a container, on Docker; a container of the test's stands for it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from launchers import IMAGE, DockerBench, docker_launcher, unique_name

from emulator.errors import PermanentError
from emulator.launch.docker import DockerLauncher, launcher
from emulator.launch.docker.engine import Engine
from emulator.launch.docker.oneself import Oneself
from emulator.launch.driver import Mount

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The directory that the container has as /state."""
    (directory := tmp_path / "state").mkdir()
    return directory


@pytest.fixture
def container(engine: docker.DockerClient, state: Path) -> Iterator[Any]:
    """A container that answers on port 4610, as an emulator would."""
    made = engine.containers.run(
        IMAGE,
        ["python3", "-m", "http.server", "4610"],
        name=unique_name(),
        volumes={str(state): {"bind": "/state"}},
        detach=True,
    )
    yield made
    made.remove(force=True)


@pytest.fixture
def inside(container: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerLauncher]:
    """A launcher that takes itself to be in that container."""

    def oneself(engine: Engine) -> Oneself:
        return Oneself(engine, lambda: [container.short_id])

    monkeypatch.setattr(launcher, "Oneself", oneself)
    with docker_launcher(None) as made:
        yield made


def networks_of(container: Any) -> dict[str, Any]:
    container.reload()
    found: dict[str, Any] = container.attrs["NetworkSettings"]["Networks"]
    return found


def test_containers_reach_the_emulator_by_its_name(inside: DockerLauncher, container: Any) -> None:
    url = inside.endpoint_url()
    assert url == "http://sagemaker-emulator:4610"
    [address] = [
        network["IPAddress"]
        for name, network in networks_of(container).items()
        if name.startswith("sagemaker-emulator-")
    ]
    assert inside.gateway_address() == address
    code, output = DockerBench(inside).run(
        f"python3 -c 'import urllib.request as u; print(u.urlopen(\"{url}\").status)'"
    )
    assert (code, output) == (0, ["200"])


def test_an_enclosed_container_is_reached_and_knows_no_name_of_the_emulator(
    inside: DockerLauncher, container: Any
) -> None:
    bench = DockerBench(inside)
    spec = bench.spec(command=("sleep", "60"), port=8080, isolated=True)
    state = inside.observe(inside.start(spec))
    assert state is not None
    assert state.address is not None
    [network] = [name for name in networks_of(container) if name.endswith("-internal")]
    subnet, _, _ = state.address[0].rpartition(".")
    assert networks_of(container)[network]["IPAddress"].startswith(subnet)
    assert "sagemaker-emulator" not in (networks_of(container)[network]["Aliases"] or [])


def test_what_is_mounted_is_the_directory_of_the_engines_machine(
    inside: DockerLauncher, state: Path
) -> None:
    (state / "jobs").mkdir()
    code, _ = DockerBench(inside).run(
        "echo written > /out/file", mounts=(Mount(Path("/state/jobs"), "/out"),)
    )
    assert code == 0
    assert (state / "jobs/file").read_text() == "written\n"


def test_what_is_the_containers_alone_is_refused_with_the_mend(inside: DockerLauncher) -> None:
    inside.check_shared(Path("/state/storage"))
    with pytest.raises(PermanentError, match=re.escape("--volume sagemaker-emulator:/other")):
        inside.check_shared(Path("/other"))
    with pytest.raises(PermanentError, match="own container"):
        DockerBench(inside).run("true", mounts=(Mount(Path("/other"), "/out"),))


def test_closing_leaves_the_networks_and_removes_them(
    inside: DockerLauncher, container: Any, engine: docker.DockerClient
) -> None:
    before = set(networks_of(container))
    inside.gateway_address()
    [joined] = set(networks_of(container)) - before
    inside.gateway_address()
    inside.close()
    assert set(networks_of(container)) == before
    assert engine.networks.list(names=[joined]) == []


@pytest.mark.parametrize("clue", ["", "name", "0" * 64], ids=["none", "a name", "another engine's"])
def test_a_clue_to_no_container_means_the_machine_itself(container: Any, clue: str) -> None:
    engine = Engine()
    found = {"name": container.name}.get(clue, clue)
    oneself = Oneself(engine, lambda: [found] if found else [])
    assert oneself.outside(Path("/any/path")) == Path("/any/path")
    assert oneself.join("no-such-network", ()) is None
    oneself.leave("no-such-network")
    engine.close()


def test_a_container_on_the_machines_network_joins_no_other(engine: docker.DockerClient) -> None:
    made = engine.containers.run(IMAGE, ["sleep", "60"], network_mode="host", detach=True)
    own = Engine()
    try:
        oneself = Oneself(own, lambda: [made.id])
        assert oneself.join("bridge", ()) is None
        oneself.leave("bridge")
    finally:
        own.close()
        made.remove(force=True)


def test_a_network_of_a_killed_emulator_goes_although_this_one_was_never_on_it(
    inside: DockerLauncher, engine: docker.DockerClient, container: Any
) -> None:
    bench = DockerBench(inside)
    inside.start(bench.spec(command=("sleep", "60"), port=8080, isolated=True))
    joined = [name for name in networks_of(container) if name.startswith("sagemaker-emulator-")]
    for name in joined:
        engine.networks.get(name).disconnect(container)
    for left in inside.find({}):
        inside.remove(left.handle)
    inside.close()
    assert len(joined) == 2
    assert engine.networks.list(names=joined) == []

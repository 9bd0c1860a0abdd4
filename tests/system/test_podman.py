"""The emulator on Podman's service of root: what it does otherwise than Docker.

The service has directories, networks and locks of its own, so that nothing of this machine's Podman
is touched. `make podman` installs it where it can; elsewhere these tests are skipped.
"""

import ipaddress
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from endpoint_data import left_of
from running_emulator import IMAGE, Emulator, eventually, unique
from training_data import line

from emulator.launch.docker import DockerLauncher
from emulator.launch.docker import launcher as docker_launcher
from emulator.launch.driver import ContainerSpec

BASE = "sagemaker-emulator/base:latest"
HAS_ALL = shutil.which("podman") is not None and shutil.which("catatonit") is not None
# Where `make podman` could have brought it, its absence is a failure and no reason to skip.
CAN_HAVE_ALL = os.geteuid() == 0 and (HAS_ALL or shutil.which("apt-get") is not None)

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(not CAN_HAVE_ALL, reason="takes root and Podman, see `make podman`"),
]

REPORT = line(
    """
import os, socket, urllib.request
url = os.environ['AWS_ENDPOINT_URL'] + '/_emulator/health'
print(urllib.request.urlopen(url, timeout=20).status, socket.gethostname(), os.getpid() != 1)
print(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize > 64 * 2**20)
open('/opt/ml/model/weights', 'w').write('1')
"""
)
FOREVER = "import time; print('ready', flush=True); time.sleep(3600)"


def configuration(root: Path) -> str:
    """Return a containers.conf that shares nothing and asks for no more than this process has."""
    limits = {
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "nproc": min(32768, resource.getrlimit(resource.RLIMIT_NPROC)[1]),
    }
    ulimits = ", ".join(f'"{name}={most}:{most}"' for name, most in limits.items() if most > 0)
    return f"""
[containers]
default_ulimits = [{ulimits}]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "{"runc" if shutil.which("runc") else "crun"}"
tmp_dir = "{root}/tmp"
[network]
network_config_dir = "{root}/networks"
"""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A directory for all that Podman keeps; it takes none whose path is over 50 characters."""
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def podman(image: str, root: Path) -> Iterator[str]:
    """A service that has the scripted image; yields its address."""
    (root / "networks").mkdir()
    (root / "containers.conf").write_text(configuration(root))
    environment = {**os.environ, "CONTAINERS_CONF": str(root / "containers.conf")}
    command = ["podman", "--root", str(root / "root"), "--runroot", str(root / "run")]

    def run(*arguments: str, **more: object) -> None:
        subprocess.run([*command, *arguments], env=environment, check=True, timeout=200, **more)  # type: ignore[call-overload]

    with subprocess.Popen(["docker", "save", BASE, IMAGE], stdout=subprocess.PIPE) as images:
        run("load", "--quiet", stdin=images.stdout)
    for name in (BASE, IMAGE):  # as if built by way of its API
        run("tag", f"localhost/{name}", f"docker.io/{name}")
    url = f"unix://{root}/podman.sock"
    service = subprocess.Popen([*command, "system", "service", "--time", "0", url], env=environment)
    try:
        eventually((root / "podman.sock").exists, what="Podman serves")
        yield url
    finally:
        service.terminate()
        service.wait(20)
        run("stop", "--all", "--time", "0", stdout=subprocess.DEVNULL)
        run("system", "reset", "--force")


def test_podman_trains_stops_and_serves_and_the_emulator_ends_in_the_midst_of_a_start(
    podman: str, launched: Callable[..., Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman)
    emulator = launched()
    trained, stopped = unique("trained"), unique("stopped")
    hosts = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    bucket = emulator.train(trained, python=REPORT, ResourceConfig=hosts)
    emulator.train(stopped, bucket=bucket, python=FOREVER)
    endpoint = emulator.deploy(emulator.config({"ModelName": emulator.model()}))

    job = emulator.ended(trained)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    said = emulator.output(trained)
    assert sorted(said) == ["200 algo-1 True", "200 algo-2 True", "True", "True"]
    assert emulator.keys(bucket, f"out/{trained}/") == [f"out/{trained}/output/model.tar.gz"]

    eventually(lambda: "ready" in emulator.output(stopped), what="it runs")
    emulator.client("sagemaker").stop_training_job(TrainingJobName=stopped)
    assert emulator.ended(stopped)["TrainingJobStatus"] == "Stopped"

    assert emulator.command(endpoint)["hostname"] == "algo-1"
    emulator.delete(endpoint)
    assert left_of(emulator, endpoint) == []

    name = unique("interrupted")
    emulator.train(name, python=FOREVER)
    eventually(lambda: emulator.containers(name=name), what="its container is being started")
    assert emulator.stop() == 0
    assert "Traceback" not in emulator.log.read_text()


def test_where_the_gateway_is_elsewhere_containers_know_podmans_address_of_this_machine(
    podman: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As with a service without root, or in a virtual machine."""
    monkeypatch.setenv("DOCKER_HOST", podman)
    monkeypatch.setattr(docker_launcher, "on_this_machine", lambda address: False)
    launcher = DockerLauncher(instance=unique("elsewhere"), port=4610, pool_size=0)
    look = "import socket; print(socket.gethostbyname('sagemaker-emulator'))"
    try:
        handle = launcher.start(
            ContainerSpec(unique("look"), BASE, command=("python3", "-c", look))
        )
        [line] = launcher.logs(handle)
        launcher.remove(handle)
    finally:
        launcher.close()
    assert ipaddress.ip_address(line.text)
    assert f"reach this machine at {line.text} alone" in caplog.text

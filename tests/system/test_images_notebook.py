"""The notebook image, started by hand as the emulator would: who gets in, and how it starts."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import websocket
from image_containers import DEADLINE_SECONDS, LABELS, wait_for, wheel_of

from emulator import presigned
from emulator.catalogue.table import local_name

pytestmark = pytest.mark.docker

KEY = "00112233445566778899aabbccddeeff"
REPOSITORY = "/opt/ml/code-repositories/0"
WHEEL = "answer-1.0-py3-none-any.whl"
# What AWS's published lifecycle scripts do, in short.
ON_CREATE = """#!/bin/bash
set -e
pwd
id --user --name
echo 'export TEAM=blue' > /etc/profile.d/jupyter-env.sh
jq --raw-output .name /opt/ml/notebook-instance/instance.json
initctl restart jupyter-server --no-wait
sudo -u ec2-user -i <<'EOF'
echo "I am $(id --user --name), in $AWS_REGION, $(aws configure get region)"
source activate mxnet_p36
python -c 'import mxnet; print(mxnet.__version__, repr(mxnet.eia()))'
source deactivate
sudo id --user --name
docker-compose version --short
docker --version
set -e
for env in base /home/ec2-user/anaconda3/envs/*; do
    source /home/ec2-user/anaconda3/bin/activate $(basename "$env")
    python -c 'import answer' 2> /dev/null ||
        pip install --quiet --no-index /opt/ml/notebook-instance/WHEEL
    python -c "import answer, os; print(os.environ['CONDA_DEFAULT_ENV'], answer.VALUE)"
    source /home/ec2-user/anaconda3/bin/deactivate
done
conda activate JupyterSystemEnv
jupyter serverextension list > /dev/null 2>&1
conda deactivate
echo "${CONDA_DEFAULT_ENV:-none} $(type -p python || echo 'no python')"
source /home/ec2-user/anaconda3/bin/activate pytorch_p36 || echo "code $?"
EOF
nohup sleep 600 &
""".replace("WHEEL", WHEEL)


@dataclass(frozen=True)
class Instance:
    """A container of the image.

    Attributes:
        folder: what is /home/ec2-user/SageMaker inside.
    """

    container: Any
    folder: Path

    @property
    def address(self) -> str:
        self.container.reload()
        return f"127.0.0.1:{self.container.ports['8888/tcp'][0]['HostPort']}"

    def url(self, path: str = "") -> str:
        return f"http://{self.address}{path}"

    def presigned(self, key: str = KEY, *, age: float = 0) -> str:
        return presigned.url(self.address, key, now=time.time() - age, session=1800)

    def ready(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(self.url("/api"), timeout=60).status_code == 200
        self.container.reload()
        assert self.container.status == "running", self.container.logs().decode()
        return False

    def said(self, stream: str) -> list[str]:
        """Return the lines of one stream."""
        lines = [line.partition("\t") for line in self.container.logs().decode().splitlines()]
        return [text for name, _, text in lines if name == stream]

    def end(self) -> int:
        """Wait until the container has ended; returns its exit code."""
        return int(self.container.wait(timeout=DEADLINE_SECONDS)["StatusCode"])


@contextmanager
def started(
    client: docker.DockerClient, root: Path, script: str = "", seconds: int = 60, **changes: Any
) -> Iterator[Instance]:
    """Run an instance; `changes` go over what instance.json has otherwise."""
    folders = {name: root / name for name in ("SageMaker", "instance", "repository")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    (folders["instance"] / "on-create.sh").write_text(script)
    streams = [{"stream": "LifecycleConfigOnCreate", "file": "on-create.sh"}] if script else []
    document = {
        "name": "mine",
        "arn": "arn:aws:sagemaker:us-west-2:123456789012:notebook-instance/mine",
        "key": KEY,
        "root_access": True,
        "script_seconds": seconds,
        "scripts": streams,
        "repositories": [],
        "forward": {},
        **changes,
    }
    (folders["instance"] / "instance.json").write_text(json.dumps(document))
    container = client.containers.run(
        local_name("notebook"),
        ["notebook-instance"],
        detach=True,
        name=f"images-test-{secrets.token_hex(4)}",
        labels=LABELS,
        environment={"AWS_REGION": "us-west-2"},
        ports={"8888/tcp": ("127.0.0.1", None)},
        volumes={
            str(folders["SageMaker"]): {"bind": "/home/ec2-user/SageMaker", "mode": "rw"},
            str(folders["instance"]): {"bind": "/opt/ml/notebook-instance", "mode": "ro"},
            str(folders["repository"]): {"bind": REPOSITORY, "mode": "ro"},
        },
    )
    try:
        yield Instance(container, folders["SageMaker"])
    finally:
        container.remove(force=True, v=True)


def make_repository(folder: Path) -> None:
    """Make a repository with one commit."""
    folder.mkdir()
    (folder / "README.md").write_text("cloned")
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")
    for command in (["init"], ["add", "."], [*who, "commit", "--message", "first"]):
        subprocess.run(
            ["git", *command, "--quiet"] if command != ["add", "."] else ["git", *command],
            cwd=folder,
            check=True,
        )


@pytest.fixture(scope="module")
def instance(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """An instance with a script, a repository and a user who may become root."""
    root = tmp_path_factory.mktemp("instance")
    make_repository(root / "repository")
    cloned = [{"source": REPOSITORY, "directory": "code", "default": True}]
    (root / "instance").mkdir()
    (root / "instance" / WHEEL).write_bytes(wheel_of("answer", "VALUE = 42\n"))
    with started(client, root, ON_CREATE, 300, repositories=cloned) as running:
        wait_for(running.ready)
        yield running


def test_a_script_runs_as_root_before_jupyter_and_its_lines_come_out(instance: Instance) -> None:
    said = instance.said("LifecycleConfigOnCreate")
    assert said[:6] == [
        "/",
        "root",
        "mine",
        "I am ec2-user, in us-west-2, us-west-2",
        "1.9.1 eia(0)",
        "root",
    ]
    assert said[6].startswith("1.29")
    assert said[7].startswith("Docker version")
    assert any("is running at" in line for line in instance.said("jupyter.log"))


def test_a_script_installs_into_each_environment_by_condas_means(instance: Instance) -> None:
    said = instance.said("LifecycleConfigOnCreate")[8:]
    names = ("base", "JupyterSystemEnv", "amazonei_mxnet_p36", "chainer_p36", "mxnet_p36")
    assert said[:6] == [f"{name} 42" for name in (*names, "python3")]
    assert said[6:] == [
        "none no python",
        "EnvironmentNameNotFound: Could not find conda environment: pytorch_p36",
        "You can list all discoverable environments with `conda info --envs`.",
        "code 1",
    ]


def test_jupyter_is_restarted_with_what_a_script_left_in_the_profile(instance: Instance) -> None:
    def starts() -> int:
        return sum("is running at" in line for line in instance.said("jupyter.log"))

    before = starts()
    restart = ["sudo", "systemctl", "--no-block", "restart", "jupyter-server.service"]
    code, said = instance.container.exec_run(restart, user="ec2-user")
    assert code == 0, said
    wait_for(lambda: starts() == before + 1)
    wait_for(instance.ready)
    shown = "tr '\\0' '\\n' < /proc/$(pgrep --oldest --full notebook_instance.server)/environ"
    _, variables = instance.container.exec_run(["sh", "-c", shown], user="ec2-user")
    assert "TEAM=blue" in variables.decode().splitlines()
    code, said = instance.container.exec_run(["systemctl", "restart", "amazon-cloudwatch-agent"])
    assert code == 5
    assert b"one service, jupyter-server" in said


def test_a_repository_is_cloned_for_the_user_and_jupyter_opens_in_it(instance: Instance) -> None:
    cloned = instance.folder / "code"
    assert (cloned / "README.md").read_text() == "cloned"
    assert (cloned / ".git").is_dir()
    assert cloned.stat().st_uid == 1000
    with requests.Session() as browser:
        assert browser.get(instance.presigned()).status_code == 200
        content = browser.get(instance.url("/api/contents/")).json()["content"]
    assert [file["name"] for file in content] == ["README.md"]


@pytest.mark.parametrize("view, page", [("", "/tree"), ("&view=lab", "/lab")])
def test_a_presigned_url_logs_in(instance: Instance, view: str, page: str) -> None:
    with requests.Session() as browser:
        opened = browser.get(instance.presigned() + view)
        assert (opened.status_code, opened.url) == (200, instance.url(page))
        found = browser.get(instance.url("/api/kernelspecs")).json()
        assert browser.get(instance.url("/"), allow_redirects=False).status_code == 302
        [cookie] = [each for each in browser.cookies if each.name == "notebook-instance-mine"]
        assert 1700 < (cookie.expires or 0) - time.time() <= 1800
        assert cookie.has_nonstandard_attr("HttpOnly")
        browser.get(instance.url("/logout"))
        assert browser.get(instance.url("/api/kernelspecs")).status_code == 403
    assert set(found["kernelspecs"]) == {
        *("conda_python3", "conda_mxnet_p36", "conda_amazonei_mxnet_p36", "conda_chainer_p36")
    }
    assert found["default"] == "conda_python3"


def test_nothing_else_gets_in(instance: Instance) -> None:
    signed = instance.presigned()
    refused = {
        "no token": instance.url("/"),
        "expired": instance.presigned(age=301),
        "forged": signed[:-1] + ("0" if signed[-1] != "0" else "1"),
        "another key": instance.presigned(KEY[::-1]),
        "a page": instance.url("/tree"),
        "a call": instance.url("/api/contents"),
        "Jupyter's own token": instance.url("/api/contents?token="),
        "a file": instance.url("/files/README.md"),
    }
    answers = {what: requests.get(url, timeout=60).status_code for what, url in refused.items()}
    assert answers == dict.fromkeys(refused, 403)
    password = requests.post(instance.url("/login"), {"password": ""}, timeout=60)
    assert password.status_code in (403, 405)


def test_other_pages_and_names_get_nothing(instance: Instance) -> None:
    with requests.Session() as browser:
        browser.get(instance.presigned())
        cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies)
    url = instance.url("/api/contents")

    def status(method: str = "GET", **headers: str) -> int:
        asked = {"Cookie": cookies, **headers}
        return requests.request(method, url, json={}, headers=asked, timeout=60).status_code

    assert status() == status(Host="localhost:8888") == 200
    assert status(Origin="http://evil.example") == 404
    assert status("POST", Origin="http://evil.example") == 404
    assert status("POST") == 403
    assert status(Host="evil.example") == 403
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(
            f"ws://{instance.address}/api/events/subscribe",
            cookie=cookies,
            origin="http://evil.example",
        )
    assert refused.value.status_code == 403


def test_a_kernel_has_its_environment_and_the_clients_shim(instance: Instance) -> None:
    """By the very command of the kernel's description, for each version of the SDK."""
    check = (
        "import mxnet as mx, numpy, sagemaker, sys, botocore.session\n"
        "adapted = 'sagemaker_emulator_shim.endpoint' in sys.modules\n"
        "value = (mx.nd.ones((2, 2), ctx=mx.eia()) + 1).asnumpy().sum()\n"
        "print(sagemaker.__version__, mx.np.bool, value, adapted)\n"
    )
    printed = {}
    for version in ("v1", "v2"):
        python = f"/opt/sagemaker-sdk/{version}/bin/python"
        code, output = instance.container.exec_run(
            [python, "-W", "ignore", "-c", check], user="ec2-user"
        )
        assert code == 0, output.decode()
        printed[version] = output.decode().splitlines()[-1]
    assert printed == {
        "v1": "1.72.1 <class 'bool'> 8.0 True",
        "v2": "2.257.7 <class 'bool'> 8.0 True",
    }


@pytest.mark.parametrize(
    "changes, code, said",
    [
        ({"script": "echo before; exit 3"}, 64, "LifecycleConfigOnCreate failed with exit code 3"),
        ({"script": "echo before; sleep 60", "seconds": 1}, 65, "took longer than 1 seconds"),
        ({"script": "#!/bin/bash\r\necho before\r\n"}, 64, "failed with exit code 126"),
        (
            {"repositories": [{"source": "/absent/.git", "directory": "code"}]},
            66,
            "/absent/.git could not be cloned: fatal: repository '/absent/.git' does not exist",
        ),
    ],
    ids=["failing", "too slow", "of Windows", "no repository"],
)
def test_a_start_that_fails_says_why(
    client: docker.DockerClient, tmp_path: Path, changes: dict[str, Any], code: int, said: str
) -> None:
    with started(client, tmp_path, **changes) as failing:
        assert failing.end() == code
        [reason] = failing.said("failure")
        assert said in reason
        if "script" in changes:
            [line] = failing.said("LifecycleConfigOnCreate")
            assert line == "before" or "/bin/bash^M: bad interpreter: No such file" in line
        assert not failing.said("jupyter.log")


def test_without_root_access_nobody_becomes_root_and_a_plain_folder_is_copied(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "notes.txt").write_text("copied")
    copied = [{"source": REPOSITORY, "directory": "notes"}]
    with started(client, tmp_path, root_access=False, repositories=copied) as running:
        wait_for(running.ready)
        as_user = {"user": "ec2-user"}
        code, said = running.container.exec_run(["sudo", "--non-interactive", "id"], **as_user)
        assert code == 1, said
        assert (running.folder / "notes/notes.txt").read_text() == "copied"
        assert (running.folder / "notes/notes.txt").stat().st_uid == 1000
        running.container.stop(timeout=60)
        assert running.end() == 0

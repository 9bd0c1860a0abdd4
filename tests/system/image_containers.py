"""Containers of the images, started by hand as SageMaker would: no emulator takes part."""

import http.client
import io
import json
import secrets
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import docker
import numpy as np

from emulator.call import Scope
from emulator.catalogue.table import local_name
from emulator.serving import Server as HttpServer
from emulator.storage import Storage

SCRIPTS = Path(__file__).parent / "image_scripts"
SCOPE = Scope("123456789012", "us-east-1")
LABELS = {"org.sagemaker-emulator.test": "images"}
THIS_MACHINE = "this-machine"
DEADLINE_SECONDS = 120.0


def archive_of(script: str, others: Mapping[str, bytes] | None = None) -> bytes:
    """Return a sourcedir.tar.gz with one script of this directory and other files."""
    files = {script: (SCRIPTS / script).read_bytes(), **(others or {})}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def wheel_of(module: str, text: str) -> bytes:
    """Return a package with one module, to be installed without an index."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr(f"{module}.py", text)
        about = f"{module}-1.0.dist-info"
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/METADATA", f"Name: {module}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/RECORD", "")
    return packed.getvalue()


def write_job(
    root: Path,
    script: str,
    hyperparameters: Mapping[str, Any] | None = None,
    hosts: Sequence[str] = ("algo-1",),
    current: str = "algo-1",
    source: bytes | None = None,
) -> Path:
    """Write /opt/ml of one host of a training job to `root` (contract B7) and return it.

    Args:
        hyperparameters: go beside the SDK's own and replace them; None leaves one out.
        source: the archive of the code; None for one with the script alone.
    """
    channel = root / "input/data/code"
    for folder in (root / "input/config", channel, root / "model", root / "output"):
        folder.mkdir(parents=True)
    (channel / "sourcedir.tar.gz").write_bytes(source or archive_of(script))
    values = {
        "sagemaker_program": script,
        "sagemaker_submit_directory": "/opt/ml/input/data/code/sourcedir.tar.gz",
        "sagemaker_job_name": "job-1",
        "sagemaker_region": "us-west-2",
        **(hyperparameters or {}),
    }
    documents = {
        "hyperparameters": {
            name: json.dumps(value) for name, value in values.items() if value is not None
        },
        "inputdataconfig": {"code": {"TrainingInputMode": "File"}},
        "resourceconfig": {
            "current_host": current,
            "hosts": list(hosts),
            "network_interface_name": "eth0",
        },
    }
    for name, document in documents.items():
        (root / "input/config" / f"{name}.json").write_text(json.dumps(document))
    return root


def model_of(job: Path, to: Path, script: str | None = None) -> Path:
    """Return an /opt/ml with a trained model and, when asked, its script in code/."""
    shutil.copytree(job / "model", to / "model")
    if script:
        (to / "model/code").mkdir()
        shutil.copy(SCRIPTS / script, to / "model/code" / script)
    return to


def npy(array: np.ndarray) -> bytes:
    """Return an array as NumPy's file format has it."""
    packed = io.BytesIO()
    np.save(packed, array)
    return packed.getvalue()


@contextmanager
def object_storage(root: Path) -> Iterator[tuple[int, Any]]:
    """Serve the emulator's S3 to this machine and its containers; gives its port and a client."""
    storage = Storage(root)
    server = HttpServer(
        lambda environ, start: storage.handle("s3", SCOPE, environ, start), [("0.0.0.0", 0)]
    )
    try:
        server.start()
        port = server.addresses[0][1]
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=SCOPE.region,
            aws_access_key_id=SCOPE.account,
            aws_secret_access_key="secret",
        )
        yield port, client
        client.close()
    finally:
        server.stop()
        storage.close()


@contextmanager
def started(
    client: docker.DockerClient, image: str, command: str | list[str], root: Path, **options: Any
) -> Iterator[Any]:
    """Run a container with `root` as its /opt/ml; it is removed in the end."""
    container = client.containers.run(
        local_name(image),
        command,
        detach=True,
        name=f"images-test-{secrets.token_hex(4)}",
        labels=LABELS,
        extra_hosts={THIS_MACHINE: "host-gateway"},
        shm_size="1g",  # as the emulator's containers have it; scripts with workers fill 64 MB
        volumes={str(root): {"bind": "/opt/ml", "mode": "rw"}},
        **{"hostname": "algo-1", **options},
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def train(client: docker.DockerClient, image: str, root: Path, **options: Any) -> tuple[int, str]:
    """Run `train` to its end; returns the exit code and the log."""
    with started(client, image, "train", root, **options) as container:
        code = container.wait(timeout=DEADLINE_SECONDS)["StatusCode"]
        return code, container.logs().decode()


def checked(client: docker.DockerClient, image: str, script: str, root: Path) -> dict[str, str]:
    """Run a script of checks (`checks.py`); returns what went wrong with each, else empty."""
    for name in (script, "checks.py"):
        shutil.copy(SCRIPTS / name, root)
    command = f"python /opt/ml/{script} /opt/ml/outcomes.json"
    single = {"OMP_NUM_THREADS": "1"}
    with started(client, image, command, root, environment=single) as container:
        code = container.wait(timeout=DEADLINE_SECONDS)["StatusCode"]
        assert code == 0, container.logs().decode()
    outcomes: dict[str, str] = json.loads((root / "outcomes.json").read_text())
    return outcomes


def wait_for(happened: Callable[[], bool]) -> None:
    """Return as soon as `happened()`; fails if it does not in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Server:
    """A container that serves; one connection, kept alive."""

    def __init__(self, container: Any) -> None:
        self.container = container
        container.reload()
        port = container.ports["8080/tcp"][0]["HostPort"]
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)

    def wait_until_healthy(self) -> None:
        """Poll /ping; fails with the container's log when it exits or takes too long."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            # A published port accepts connections before anything listens behind it.
            with suppress(OSError, http.client.HTTPException):
                if self.request("GET", "/ping")[0] == 200:
                    return
            self.connection.close()
            self.container.reload()
            if self.container.status == "exited":
                break
        raise AssertionError(f"never healthy:\n{self.container.logs().decode()}")

    def request(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, str | None, bytes]:
        """Return status, content type and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, named)
        response = self.connection.getresponse()
        return response.status, response.headers.get("Content-Type"), response.read()

    def invoke(self, body: bytes, content_type: str, accept: str = "*/*") -> Any:
        """Return the answer to an invocation: status, content type and body."""
        return self.request("POST", "/invocations", body, Content_Type=content_type, Accept=accept)


@contextmanager
def serving(
    client: docker.DockerClient, image: str, root: Path, **environment: str
) -> Iterator[Server]:
    """Run `serve` until it is healthy."""
    ports = {"8080/tcp": ("127.0.0.1", None)}
    with started(client, image, "serve", root, ports=ports, environment=environment) as container:
        server = Server(container)
        try:
            server.wait_until_healthy()
            yield server
        finally:
            server.connection.close()

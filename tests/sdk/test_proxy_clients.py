"""Clients that stay untouched: the TLS proxy is all that leads them here, no code of ours does."""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from environments import Shell

from tests.system.running_emulator import Emulator, start

pytestmark = pytest.mark.docker

_SESSION = {
    "v1": "from sagemaker import Session, get_execution_role",
    "v2": "from sagemaker import Session, get_execution_role",
    "v3": "from sagemaker.core.helper.session_helper import Session, get_execution_role",
}
_SCRIPT = """
import json, os, sys
{imports}
session = Session()
with open("data.bin", "wb") as file:
    file.write(bytes(range(256)) * 5000)
bucket = session.default_bucket()
uploaded = session.upload_data("data.bin", bucket=bucket, key_prefix="in")
stored = session.boto_session.client("s3").get_object(Bucket=bucket, Key="in/data.bin")
print(json.dumps(dict(
    role=get_execution_role(),
    bucket=bucket,
    uploaded=uploaded,
    same=stored["Body"].read() == open("data.bin", "rb").read(),
    ours=[name for name in sys.modules if name in ("sitecustomize", "emulator")],
)))
"""


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
        return free


@pytest.fixture(scope="module")
def emulator(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state = tmp_path_factory.mktemp("emulator")
    running = start(state, "--proxy-port", str(port), "--sample-data", "bundled")
    yield running
    running.stop()


@pytest.fixture
def untouched(emulator: Emulator, port: int, tmp_path: Path) -> Callable[[str], Shell]:
    """Open a shell in which `env --proxy-port` was evaluated."""
    return lambda version: Shell(version, emulator, tmp_path, ("--proxy-port", str(port)))


@pytest.mark.parametrize("addresses", ["the emulator's where it can", "all of them AWS's"])
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_an_untouched_sdk_finds_role_and_bucket_and_uploads(
    untouched: Callable[[str], Shell], version: str, addresses: str
) -> None:
    shell = untouched(version)
    if addresses == "all of them AWS's":
        del shell.environment["AWS_ENDPOINT_URL"]
    printed = shell.python(_SCRIPT.format(imports=_SESSION[version]))
    found = json.loads(printed.splitlines()[-1])
    assert found["role"].startswith("arn:aws:iam::123456789012:role/")
    assert found["bucket"] == "sagemaker-us-east-1-123456789012"
    assert found["uploaded"] == f"s3://{found['bucket']}/in/data.bin"
    assert found["same"]
    assert found["ours"] == []


def test_the_shell_names_the_proxy_and_one_bundle_to_trust(
    untouched: Callable[[str], Shell], emulator: Emulator, port: int
) -> None:
    environment = untouched("v2").environment
    assert environment["HTTPS_PROXY"] == emulator.health()["proxy"] == f"http://127.0.0.1:{port}"
    assert "127.0.0.1" in environment["NO_PROXY"].split(",")
    assert "PYTHONPATH" not in environment
    bundle = Path(environment["AWS_CA_BUNDLE"])
    ours = (emulator.state / "proxy" / "ca.pem").read_text()
    assert ours.strip() in bundle.read_text()


def test_curl_reads_a_bucket_by_its_host_at_aws(
    untouched: Callable[[str], Shell], emulator: Emulator, tmp_path: Path
) -> None:
    emulator.client("s3").create_bucket(Bucket="curled")
    emulator.client("s3").put_object(Bucket="curled", Key="a/b.bin", Body=b"\x00\xff" * 9)
    curl = shutil.which("curl")
    assert curl, "curl is missing: apt-get install curl"
    fetched = subprocess.run(
        [curl, "-sS", "--fail", "https://curled.s3.eu-west-1.amazonaws.com/a/b.bin"],
        env=untouched("v2").environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (fetched.stdout, fetched.stderr) == (b"\x00\xff" * 9, b"")

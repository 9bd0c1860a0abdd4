"""`point_here`: a Python that runs already is pointed at the emulator, and back."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

from emulator import clients
from emulator.clients import point_here

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:1"
SOURCES = [path for path in sorted(clients.SHIM.parent.glob("*.py")) if path.stem != "waiters"]


@pytest.fixture(autouse=True)
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that nothing points anywhere, and that is again so afterwards."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    before, finders = variables(), list(sys.meta_path)
    yield
    assert variables() == before
    assert sys.meta_path == finders


def variables() -> dict[str, str]:
    """Return the variables of this process but pytest's own, which change with each phase."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def run(script: str) -> str:
    """Run a script on this Python, with nothing but the project's tree to import from."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
            "HOME": "/dev/null/nobody",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_python_3_8_can_read_it(source: Path) -> None:
    ast.parse(source.read_text(), feature_version=(3, 8))


def test_it_needs_no_package_but_pythons_own_and_no_home() -> None:
    script = """
import sys
from emulator.clients import point_here
with point_here("http://127.0.0.1:1"):
    foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(*sorted(foreign))
"""
    assert run(script) == "__main__ emulator sagemaker_emulator_shim"


def test_clients_go_to_the_emulator_and_afterwards_where_they_went_before() -> None:
    boto3.setup_default_session(region_name="ap-south-1")
    before = boto3.DEFAULT_SESSION
    pointed = point_here(URL, region="eu-west-1", account="000000000001")
    client = boto3.client("sagemaker")
    assert (client.meta.endpoint_url, client.meta.region_name) == (URL, "eu-west-1")
    assert boto3.DEFAULT_SESSION.get_credentials().access_key == "000000000001"
    assert sts_at() == URL
    assert client.get_waiter("training_job_completed_or_stopped").config.delay == 0.5
    assert botocore.session.get_session().get_scoped_config()["region"] == "eu-west-1"
    pointed.undo()
    assert boto3.DEFAULT_SESSION is before
    assert boto3.client("sagemaker").meta.endpoint_url == (
        "https://api.sagemaker.ap-south-1.amazonaws.com"
    )
    assert sts_at() == "https://sts.us-west-2.amazonaws.com"


def sts_at() -> Any:
    """Return where a client for STS goes that is given AWS's own endpoint in code."""
    session = boto3.Session("id", "key", region_name="us-west-2")
    endpoint = "https://sts.us-west-2.amazonaws.com"
    return session.client("sts", endpoint_url=endpoint).meta.endpoint_url


def test_what_led_elsewhere_is_taken_away_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere")
    before = variables()
    with point_here(URL) as pointed:
        assert pointed.url == URL
        assert boto3.client("s3").meta.endpoint_url == URL
    assert variables() == before
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")


def test_a_block_that_fails_is_undone_and_several_are_undone_the_last_first() -> None:
    def fail() -> None:
        with point_here("http://127.0.0.1:2/"):
            assert boto3.client("s3").meta.endpoint_url == "http://127.0.0.1:2"
            raise RuntimeError("no")

    with point_here(URL) as outer:
        with pytest.raises(RuntimeError, match="no"):
            fail()
        assert boto3.client("s3").meta.endpoint_url == URL
        assert sts_at() == URL
    outer.undo()


def test_a_waiters_attempts_are_scaled_once_however_often_one_points() -> None:
    asked = []

    class Waited(Exception):
        pass

    def wait_for(times: int) -> int:
        waiter = boto3.client("sagemaker").get_waiter("endpoint_in_service")

        def ask(**_: Any) -> Any:
            asked.append(1)
            return {"EndpointStatus": "Creating"}

        waiter._operation_method = ask
        asked.clear()
        with pytest.raises(botocore.exceptions.WaiterError):
            waiter.wait(EndpointName="e", WaiterConfig={"MaxAttempts": times})
        return len(asked)

    sleep, slept = time.sleep, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", slept.append)
        with point_here(URL), point_here(URL):
            assert wait_for(2) == 120  # of 30 seconds each, asking twice a second
        with point_here(URL, as_written=True):
            assert wait_for(2) == 2
    assert time.sleep is sleep


def test_modules_that_are_imported_later_are_adapted_and_modules_of_before_too() -> None:
    script = """
import sys, types, os
sys.path.insert(0, sys.argv[1])
import sagemaker.session as early
from emulator.clients import point_here
import time
pointed = point_here("http://127.0.0.1:1")
import sagemaker.local.entities as late
inside = [early.time is time, late.time is time]
pointed.undo()
print(*inside, early.time is time, late.time is time)
"""
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "site"
    (folder / "sagemaker" / "local").mkdir(parents=True)
    (folder / "sagemaker" / "__init__.py").touch()
    (folder / "sagemaker" / "local" / "__init__.py").touch()
    (folder / "sagemaker" / "session.py").write_text("import time\n")
    (folder / "sagemaker" / "local" / "entities.py").write_text(
        "import time\ndef _wait_for_serving_container(port): pass\n"
    )
    printed = run(script.replace("sys.argv[1]", repr(str(folder))))
    assert printed == "False False True True"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4610", "http://", "", "http://127.0.0.1:4610/bucket", "s3://bucket"]
)
def test_what_is_no_url_of_an_emulator_is_refused_and_changes_nothing(url: str) -> None:
    with pytest.raises(ValueError, match="give http://HOST:PORT"):
        point_here(url)


@pytest.mark.parametrize("account", ["1234", "", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_an_account_has_12_digits(account: str) -> None:
    with pytest.raises(ValueError, match="give 12 digits"):
        point_here(URL, account=account)

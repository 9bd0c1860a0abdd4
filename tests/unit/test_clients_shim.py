"""What the shim does to an interpreter: next to nothing, until an SDK is imported."""

import ast
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from emulator import clients
from emulator.clients.shim.sagemaker_emulator_shim import AS_WRITTEN, clock, health

URL = "http://127.0.0.1:1"
SOURCES = sorted(clients.SHIM.rglob("*.py"))


@pytest.fixture(autouse=True)
def pointed_at_an_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", URL)
    monkeypatch.delenv(AS_WRITTEN, raising=False)


def run(script: str, *paths: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a script on this Python, with the shim and then these directories on PYTHONPATH."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={
            "PYTHONPATH": os.pathsep.join(map(str, [clients.SHIM, *paths])),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": URL,
            "AWS_EC2_METADATA_DISABLED": "true",
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def printed(script: str, *paths: Path, **environ: str) -> str:
    done = run(script, *paths, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


# Interpreters.


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_python_3_8_can_read_it(source: Path) -> None:
    ast.parse(source.read_text(), feature_version=(3, 8))


def test_starting_python_imports_nothing_more() -> None:
    script = "import sys; print(*sorted(sys.modules))"
    plain = set(printed(script, PYTHONPATH="").split())
    assert set(printed(script).split()) - plain <= {"sitecustomize"}


def test_the_sitecustomize_that_it_shadows_runs_as_if_it_came_first(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys; sys.path.append('/added'); mark = 'theirs'"
    )
    script = "import sitecustomize, sys; print(sitecustomize.mark, sys.path[1], sys.path[-1])"
    assert printed(script, tmp_path) == f"theirs {clients.SHIM} /added"


def test_an_error_in_the_other_sitecustomize_is_told_as_python_tells_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    done = run("print('alive')", tmp_path)
    assert (done.returncode, done.stdout) == (0, "alive\n")
    assert "Error in sitecustomize" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_an_sdk_that_has_become_another_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "botocore").mkdir()
    (tmp_path / "botocore" / "__init__.py").write_text("")
    (tmp_path / "botocore" / "session.py").write_text("name = 'other'")
    done = run("import botocore.session; print(botocore.session.name)", tmp_path)
    assert (done.returncode, done.stdout) == (0, "other\n")
    assert "botocore.session stays as it is" in done.stderr


def test_finders_of_other_tools_that_ask_all_finders_go_on_working() -> None:
    script = """
import sys
class Naive:
    def find_spec(self, *given):
        found = (f.find_spec(*given) for f in sys.meta_path if f is not self)
        return next((spec for spec in found if spec), None)
sys.meta_path.insert(0, Naive())
import botocore.session
print(botocore.session.Session.create_client.__wrapped__.__name__)
"""
    assert printed(script) == "create_client"


# Endpoints.


@pytest.mark.parametrize(
    "service, given, reached",
    [
        ("sts", "https://sts.us-west-2.amazonaws.com", URL),
        ("sts", "https://sts.amazonaws.com/", URL),
        ("sts", "https://sts.cn-north-1.amazonaws.com.cn", URL),
        ("sts", "https://sts.example.org", "https://sts.example.org"),
        ("sts", "http://127.0.0.1:2", "http://127.0.0.1:2"),
        ("sts", None, URL),
        ("s3", "https://s3.us-west-2.amazonaws.com", "https://s3.us-west-2.amazonaws.com"),
    ],
)
def test_only_the_public_endpoint_of_sts_yields(
    service: str, given: str | None, reached: str
) -> None:
    assert endpoint(service, given) == reached


@pytest.mark.parametrize(
    "environ, reached",
    [
        ({"AWS_ENDPOINT_URL": ""}, "https://sts.us-west-2.amazonaws.com"),
        (
            {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://sts.us-west-2.amazonaws.com",
        ),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:3"}, "http://127.0.0.1:3"),
    ],
)
def test_it_yields_to_what_the_environment_says(environ: dict[str, str], reached: str) -> None:
    assert endpoint("sts", "https://sts.us-west-2.amazonaws.com", **environ) == reached


def endpoint(service: str, given: str | None, **environ: str) -> str:
    """Return the endpoint of a boto3 client that was given one in code."""
    script = (
        "import boto3;"
        f"print(boto3.client({service!r}, 'us-west-2', endpoint_url={given!r}).meta.endpoint_url)"
    )
    return printed(script, **environ)


# Clocks.


def test_sleeps_in_name_count_between_two_readings_and_not_for_a_deadline() -> None:
    module = SimpleNamespace(time=time)
    clock.compress(module)
    begun = module.time.time()
    deadline = begun + 20
    module.time.sleep(0)
    assert module.time.time() - begun < 10
    module.time.sleep(30)
    assert module.time.time() - begun >= 30
    assert not module.time.time() > deadline
    assert module.time.time() - 30 < begun, "a plain number takes real seconds from a real time"


def test_where_a_timeout_is_measured_only_real_seconds_count() -> None:
    module = SimpleNamespace(time=time)
    clock.shorten(module)
    begun = module.time.time()
    module.time.sleep(30)
    assert module.time.time() - begun < 20


def test_short_sleeps_stay_as_long_as_they_are() -> None:
    begun = time.monotonic()
    clock.CompressedTime().sleep(0.05)
    assert time.monotonic() - begun >= 0.05


@pytest.mark.parametrize("name, value", [(AS_WRITTEN, "1"), ("AWS_ENDPOINT_URL", "")])
def test_a_process_as_written_or_without_emulator_keeps_its_clock(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    module = SimpleNamespace(time=time, _wait_until=len, _wait_for_serving_container=len)
    for adapt in (clock.compress, clock.shorten, clock.shorten_polls, health.notice):
        adapt(module)
    assert module == SimpleNamespace(time=time, _wait_until=len, _wait_for_serving_container=len)


# Local mode's health check.


class Ping(BaseHTTPRequestHandler):
    """Answers 503 until `ready` is set."""

    ready = threading.Event()
    asked = threading.Event()

    def do_GET(self) -> None:
        self.asked.set()
        self.send_response(200 if self.ready.is_set() else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def container() -> Iterator[int]:
    """Yield the port of a container that serves once it was asked."""
    Ping.ready.clear()
    Ping.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Ping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=lambda: Ping.asked.wait(60) and Ping.ready.set()).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_sleep_of_the_health_check_ends_when_the_container_serves(container: int) -> None:
    def check(port: int) -> str:
        module.time.sleep(200)
        return "up"

    module = SimpleNamespace(time=time, _wait_for_serving_container=check)
    health.notice(module)
    begun = time.monotonic()
    assert module._wait_for_serving_container(container) == "up"
    assert time.monotonic() - begun < 100


def test_without_an_answer_the_health_check_sleeps_in_full() -> None:
    def check(port: int) -> None:
        module.time.sleep(0.6)

    module = SimpleNamespace(time=time, _wait_for_serving_container=check)
    health.notice(module)
    begun = time.monotonic()
    module._wait_for_serving_container(1)
    assert time.monotonic() - begun >= 0.6

"""The parts of the images' toolkit that run without a framework."""

import importlib
import io
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from emulator.catalogue.recipes import source_directory


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(source_directory() / "toolkit"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"emulator_toolkit.{name}")

    yield module
    for name in [name for name in sys.modules if name.startswith("emulator_toolkit")]:
        del sys.modules[name]


class Handler:
    """Answers as told; keeps what it was asked."""

    def __init__(self, response: Any, status: int = 200, content_type: str | None = None) -> None:
        self.response, self.status, self.content_type = response, status, content_type
        self.asked: list[tuple[bytes, dict[str, str]]] = []

    def handle(self, data: list[dict[str, bytes]], context: Any) -> list[Any]:
        properties = context.request_processor[0].get_request_properties()
        self.asked.append((data[0]["body"], properties))
        context.set_response_status(self.status, "phrase")
        if self.content_type:
            context.set_response_content_type(0, self.content_type)
        return [self.response]


def call(application: Any, method: str, path: str, body: bytes = b"", **environ: str) -> Any:
    started: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, **environ}
    answer = application(
        {**environ, "wsgi.input": io.BytesIO(body)}, lambda *reply: started.append(reply)
    )
    [(status, headers)] = started
    return status, dict(headers), b"".join(answer)


@pytest.mark.parametrize(
    "response, content_type, body",
    [
        ("[1]", "application/json", b"[1]"),
        (b"\x00\xff", "application/x-npy", b"\x00\xff"),
        (bytearray(b"ab"), "text/csv", b"ab"),
        ([1, 2], "application/json", b"[1, 2]"),
    ],
)
def test_an_invocation_answers_what_the_handler_said(
    load: Any, response: Any, content_type: str, body: bytes
) -> None:
    handler = Handler(response, content_type=content_type)
    application = load("application").Application(handler)
    status, headers, answered = call(
        application,
        "POST",
        "/invocations",
        b"payload",
        CONTENT_TYPE="text/csv",
        HTTP_ACCEPT="*/*",
        HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES="trace=1",
    )
    assert (status, answered) == ("200 OK", body)
    assert headers == {"Content-Type": content_type, "Content-Length": str(len(body))}
    assert handler.asked == [
        (
            b"payload",
            {
                "Accept": "*/*",
                "X-Amzn-Sagemaker-Custom-Attributes": "trace=1",
                "Content-Type": "text/csv",
            },
        )
    ]


def test_ping_answers_while_the_model_works_on_one_request_at_a_time(load: Any) -> None:
    class Slow(Handler):
        working = 0
        most = 0

        def handle(self, data: list[dict[str, bytes]], context: Any) -> list[Any]:
            self.working += 1
            self.most = max(self.most, self.working)
            entered.set()
            assert leave.wait(60)
            self.working -= 1
            return super().handle(data, context)

    entered, leave = threading.Event(), threading.Event()
    slow = Slow("done")
    application = load("application").Application(slow)
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(call, application, "POST", "/invocations") for _ in range(3)]
        assert entered.wait(60)
        assert call(application, "GET", "/ping")[0] == "200 OK"
        leave.set()
        assert [answered.result()[2] for answered in calls] == [b"done"] * 3
    assert slow.most == 1


def test_a_failed_prediction_keeps_its_status_and_is_logged(
    load: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    application = load("application").Application(Handler("bad\nTraceback", status=500))
    status, headers, body = call(application, "POST", "/invocations")
    assert (status, body) == ("500 Internal Server Error", b"bad\nTraceback")
    assert headers["Content-Type"].startswith("text/plain")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/ping", "200 OK"),
        ("GET", "/invocations", "404 Not Found"),
        ("GET", "/execution-parameters", "404 Not Found"),
        ("POST", "/models", "404 Not Found"),
    ],
)
def test_nothing_but_ping_and_invocations_is_answered(
    load: Any, method: str, path: str, status: str
) -> None:
    assert call(load("application").Application(Handler("")), method, path)[0] == status


def test_a_service_may_say_how_batch_transform_is_to_call(load: Any) -> None:
    class Particular(Handler):
        def execution_parameters(self) -> dict[str, Any]:
            return {"BatchStrategy": "SINGLE_RECORD"}

    application = load("application").Application(Particular(""))
    status, headers, body = call(application, "GET", "/execution-parameters")
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert body == b'{"BatchStrategy": "SINGLE_RECORD"}'
    assert call(application, "POST", "/execution-parameters")[0] == "404 Not Found"


@pytest.mark.parametrize(
    "submitted, program, present, expected",
    [
        ("s3://bucket/sourcedir.tar.gz", "serve.py", None, True),
        ("s3://bucket/sourcedir.tar.gz", "serve.py", "other.py", True),
        ("s3://bucket/model.tar.gz", "serve.py", "serve.py", False),
        ("s3://bucket/model.tar.gz", "", "inference.py", False),
        ("s3://bucket/sourcedir.tar.gz", "", None, True),
        ("/opt/ml/model/code", "serve.py", None, False),
        ("", "", None, False),
    ],
)
def test_code_is_fetched_only_from_s3_and_only_when_the_model_has_none(
    load: Any, tmp_path: Path, submitted: str, program: str, present: str | None, expected: bool
) -> None:
    code = tmp_path / "code"
    if present:
        code.mkdir()
        (code / present).touch()
    assert load("serve").must_fetch(submitted, program, code) is expected


def test_the_server_listens_where_the_platform_says(load: Any) -> None:
    arguments = load("serve").server_arguments(
        {"SAGEMAKER_BIND_TO_PORT": "9000", "SAGEMAKER_MODEL_SERVER_WORKERS": "3"}
    )
    assert arguments[arguments.index("--bind") + 1] == "0.0.0.0:9000"
    assert arguments[arguments.index("--workers") + 1] == "3"


def test_what_an_image_sets_for_serving_is_a_default(load: Any) -> None:
    environment = {"EMULATOR_SERVE_DEFAULTS": "OMP_NUM_THREADS=1 X=a=b", "OMP_NUM_THREADS": "4"}
    assert load("serve").defaults(environment) == {"X": "a=b"}
    assert load("serve").defaults({}) == {}


ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    "eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
)
BAKED = {"SAGEMAKER_EMULATOR_URL": "http://10.1.2.3:4610"}
KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
COMPOSE = {**KEYS, "AWS_REGION": "eu-west-1"}
REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.mark.parametrize(
    "given, routes, expected",
    [
        pytest.param(
            {**BAKED, **COMPOSE},
            ROUTES,
            {
                "AWS_ENDPOINT_URL": "http://10.1.2.3:4610",
                "S3_ENDPOINT_URL": "http://10.1.2.3:4610",
                **REGION,
            },
            id="none given, as by SDK v1",
        ),
        pytest.param(
            {**BAKED, **COMPOSE, "AWS_ENDPOINT_URL_S3": "http://localhost:4711"},
            ROUTES,
            {"AWS_ENDPOINT_URL_S3": "http://10.1.2.3:4711", **REGION},
            id="loopback for S3, as by SDK v2",
        ),
        pytest.param(
            {**COMPOSE, "S3_ENDPOINT_URL": "http://127.0.0.1:4711"},
            ROUTES,
            {"S3_ENDPOINT_URL": "http://172.18.0.1:4711", **REGION},
            id="loopback and nothing in the image: the gateway",
        ),
        pytest.param(
            {**BAKED, "AWS_ENDPOINT_URL": "https://[::1]:4711/path"},
            "",
            {
                "AWS_ENDPOINT_URL": "https://10.1.2.3:4711/path",
                "AWS_ACCESS_KEY_ID": "emulator",
                "AWS_SECRET_ACCESS_KEY": "emulator",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            id="no credentials and no region",
        ),
        pytest.param(
            {**BAKED, **KEYS, "SAGEMAKER_REGION": "us-west-2", "AWS_ENDPOINT_URL": ""},
            "",
            {
                "AWS_ENDPOINT_URL": "http://10.1.2.3:4610",
                "S3_ENDPOINT_URL": "http://10.1.2.3:4610",
                "AWS_REGION": "us-west-2",
                "AWS_DEFAULT_REGION": "us-west-2",
            },
            id="empty is none, and hosting has a region of its own",
        ),
        pytest.param(
            {**BAKED, "AWS_ENDPOINT_URL": "http://172.30.0.1:4610"}, ROUTES, {}, id="elsewhere"
        ),
        pytest.param({}, ROUTES, {}, id="nothing known"),
        pytest.param({"AWS_ENDPOINT_URL": "http://localhost:1"}, "", {}, id="no way out"),
    ],
)
def test_a_container_that_somebody_else_started_finds_the_emulator(
    load: Any, given: dict[str, str], routes: str, expected: dict[str, str]
) -> None:
    assert load("endpoint").corrections(given, routes) == expected


@pytest.mark.parametrize(
    "url, loopback",
    [
        ("http://localhost:4610", True),
        ("http://LOCALHOST", True),
        ("http://s3.localhost:4610", True),
        ("http://127.0.0.2:4610", True),
        ("http://[::1]:4610", True),
        ("http://0.0.0.0:4610", True),
        ("http://192.168.1.10:4610", False),
        ("http://host.docker.internal:4610", False),
        ("https://s3.eu-west-1.amazonaws.com", False),
    ],
)
def test_loopback_means_the_container_itself(load: Any, url: str, loopback: bool) -> None:
    assert load("endpoint").is_loopback(url) is loopback


def test_only_the_host_of_an_endpoint_is_replaced(load: Any) -> None:
    with_host = load("endpoint").with_host
    assert with_host("http://localhost", "10.0.0.1") == "http://10.0.0.1"
    assert with_host("http://localhost:1/a?b", "fd00::1") == "http://[fd00::1]:1/a?b"

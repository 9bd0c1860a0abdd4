"""Where the shim leads the containers of the SDKs' local mode."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.clients.shim import sagemaker_emulator_shim
from emulator.clients.shim.sagemaker_emulator_shim import containers

OURS = "http://127.0.0.1:4610"
URL = "http://172.17.0.1:4610"


@pytest.mark.parametrize(
    "given, expected",
    [
        # What version 1 gives to serve, then version 2 and 3 to train.
        (
            ["A=1"],
            ["A=1", f"AWS_ENDPOINT_URL={URL}", f"S3_ENDPOINT_URL={URL}"],
        ),
        (
            ["AWS_ENDPOINT_URL_S3=http://localhost:4610", "AWS_ENDPOINT_URL=http://[::1]:4610/"],
            [f"AWS_ENDPOINT_URL_S3={URL}", f"AWS_ENDPOINT_URL={URL}", f"S3_ENDPOINT_URL={URL}"],
        ),
        (
            ["S3_ENDPOINT_URL=http://127.0.0.1:4610"],
            [f"S3_ENDPOINT_URL={URL}", f"AWS_ENDPOINT_URL={URL}"],
        ),
        # Another service of this machine, one of AWS's, no URL, and no endpoint.
        (
            [
                "S3_ENDPOINT_URL=http://localhost:9000",
                "AWS_ENDPOINT_URL=",
                "BACK=http://127.0.0.1:4610",
            ],
            [
                "S3_ENDPOINT_URL=http://localhost:9000",
                "AWS_ENDPOINT_URL=",
                "BACK=http://127.0.0.1:4610",
            ],
        ),
        (
            [
                "AWS_ENDPOINT_URL_S3=http://localhost:port",
                "AWS_ENDPOINT_URL=x",
                "S3_ENDPOINT_URL=y=z",
            ],
            [
                "AWS_ENDPOINT_URL_S3=http://localhost:port",
                "AWS_ENDPOINT_URL=x",
                "S3_ENDPOINT_URL=y=z",
            ],
        ),
    ],
)
def test_the_emulator_is_named_as_containers_reach_it_and_all_else_as_before(
    given: list[str], expected: list[str]
) -> None:
    assert containers.variables(given, OURS, URL, "") == expected


@pytest.mark.parametrize(
    "given, added",
    [
        ([], ["AWS_REGION=r", "AWS_DEFAULT_REGION=r"]),
        (["AWS_REGION=other"], ["AWS_DEFAULT_REGION=r"]),
        (["AWS_DEFAULT_REGION=other", "AWS_REGION=other"], []),
    ],
)
def test_a_container_that_is_told_no_region_gets_the_sessions(
    given: list[str], added: list[str]
) -> None:
    led = containers.variables([*given, "AWS_ENDPOINT_URL=x", "S3_ENDPOINT_URL=y"], OURS, URL, "r")
    assert led[len(given) + 2 :] == added


class Health(BaseHTTPRequestHandler):
    """Says what the test wants."""

    status, body = 200, b""

    def do_GET(self) -> None:
        assert self.path == "/_emulator/health"
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    yield url
    server.shutdown()
    server.server_close()


class Described:
    """A container as the SDK describes it to docker-compose."""

    sagemaker_session = SimpleNamespace(boto_region_name="us-west-2")

    def _create_docker_host(self, host: str, environment: list[str]) -> dict[str, Any]:
        return {"image": "mine", "environment": environment}


@pytest.mark.parametrize("name", containers.CLASSES)
@pytest.mark.parametrize("status", [200, 503])
def test_each_container_of_a_job_is_led(
    monkeypatch: pytest.MonkeyPatch, emulator: str, name: str, status: int
) -> None:
    monkeypatch.setattr(Health, "status", status)
    monkeypatch.setattr(Health, "body", json.dumps({"url_for_containers": URL}).encode())
    mark, given = len(sagemaker_emulator_shim.REPLACED), [f"AWS_ENDPOINT_URL_S3={emulator}"]
    containers.lead(SimpleNamespace(**{name: Described}))
    try:
        for host in ("algo-1", "algo-2"):
            described = Described()._create_docker_host(host, given)
            assert described["image"] == "mine"
            assert described["environment"] == [
                f"AWS_ENDPOINT_URL_S3={URL}",
                f"AWS_ENDPOINT_URL={URL}",
                f"S3_ENDPOINT_URL={URL}",
                "AWS_REGION=us-west-2",
                "AWS_DEFAULT_REGION=us-west-2",
            ]
        assert given == [f"AWS_ENDPOINT_URL_S3={emulator}"]
    finally:
        sagemaker_emulator_shim.restore(mark)


@pytest.mark.parametrize(
    "status, body",
    [(200, b'{"url_for_containers": ""}'), (200, b"[]"), (404, b"no JSON"), (200, b"")],
)
def test_without_an_address_for_containers_all_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, emulator: str, status: int, body: bytes
) -> None:
    monkeypatch.setattr(Health, "status", status)
    monkeypatch.setattr(Health, "body", body)
    assert containers.url_for_containers(emulator) == ""
    assert containers.url_for_containers("http://127.0.0.1:1") == ""

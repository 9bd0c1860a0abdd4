"""`env --proxy-port` and `up --proxy-port`: what leads a shell's clients through the TLS proxy."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from emulator import clients
from emulator.cli import ports
from emulator.cli.claim import claimed
from emulator.cli.clients import NotRunning, variables
from emulator.cli.ports import PortTaken
from emulator.settings import Settings

SETTINGS = Settings(state=Path("/state"), proxy_port=4611)


def test_https_goes_to_the_proxy_and_what_honours_the_url_straight_here() -> None:
    chosen = variables(SETTINGS, {})
    assert chosen["HTTPS_PROXY"] == chosen["https_proxy"] == "http://127.0.0.1:4611"
    assert chosen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4610"
    assert "HTTP_PROXY" not in chosen


def test_every_kind_of_client_trusts_the_one_bundle() -> None:
    trusted = {key: value for key, value in variables(SETTINGS, {}).items() if "CA" in key}
    trusted["SSL_CERT_FILE"] = variables(SETTINGS, {})["SSL_CERT_FILE"]
    assert {name for name in trusted if trusted[name] == "/state/proxy/ca-bundle.pem"} == {
        "AWS_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
    }


def test_the_bundle_is_named_for_every_working_directory() -> None:
    chosen = variables(replace(SETTINGS, state=Path("here")), {})
    assert chosen["AWS_CA_BUNDLE"] == str(Path.cwd() / "here" / "proxy" / "ca-bundle.pem")


@pytest.mark.parametrize(
    "before, after", [("", None), (str(clients.SHIM), None), (f"{clients.SHIM}:/mine", "/mine")]
)
def test_no_python_of_the_shell_is_changed(before: str, after: str | None) -> None:
    assert variables(SETTINGS, {"PYTHONPATH": before})["PYTHONPATH"] == after


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "localhost,127.0.0.1,::1"),
        ("corp.example, 127.0.0.1", "corp.example,127.0.0.1,localhost,::1"),
        (".amazonaws.com,.corp.example", ".corp.example,localhost,127.0.0.1,::1"),
        ("s3.us-west-2.amazonaws.com,*.API.aws", "localhost,127.0.0.1,::1"),
        ("*", "localhost,127.0.0.1,::1"),
        ("notamazonaws.com", "notamazonaws.com,localhost,127.0.0.1,::1"),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_exemptions_stay_save_those_of_aws(name: str, before: str, after: str) -> None:
    chosen = variables(SETTINGS, {name: before})
    assert chosen["no_proxy"] == chosen["NO_PROXY"] == after


def test_an_emulator_without_a_proxy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with claimed(tmp_path) as held:
        held.announce("http://127.0.0.1:5555")
        settings = replace(SETTINGS, port=0, state=tmp_path)
        monkeypatch.setattr(ports, "health", lambda url: {"status": "ok", "proxy": None})
        with pytest.raises(NotRunning, match=r"no TLS proxy.*--proxy-port 4611"):
            variables(settings, {})
        monkeypatch.setattr(ports, "health", lambda url: {"proxy": "http://0.0.0.0:4999"})
        assert variables(settings, {})["HTTPS_PROXY"] == "http://127.0.0.1:4999"


def test_a_taken_proxy_port_is_named_with_its_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(port=0, proxy_port=taken.getsockname()[1])
        with pytest.raises(PortTaken, match=r"another one with --proxy-port\.$"):
            ports.check_free(settings)

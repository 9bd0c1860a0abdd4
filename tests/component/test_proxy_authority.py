"""The proxy's certificate authority: kept, private, and good for AWS's names alone."""

import ssl
from pathlib import Path

import pytest

from emulator.proxy import hosts, trust
from emulator.proxy.authority import Authority

HOST = "sts.us-west-2.amazonaws.com"


def handshake(authority: Authority, host: str, trusted: Path, *, name: str = "") -> None:
    """Speak TLS in memory, as strictly as Python can; raises what the client raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    strict = ssl.create_default_context(cafile=trusted)
    strict.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    client = strict.wrap_bio(to_client, to_server, server_hostname=name or host)
    server = authority.context(host).wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server, client, server]
    while waiting:
        try:
            waiting.pop(0).do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return trust.directory(tmp_path)


def test_a_restart_keeps_the_authority_and_what_clients_trust(kept: Path) -> None:
    Authority(kept, hosts.suffixes())
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    again = Authority(kept, hosts.suffixes())
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    handshake(again, HOST, kept / "ca.pem")


def test_the_key_is_for_its_owner_alone(kept: Path) -> None:
    Authority(kept, hosts.suffixes())
    assert (kept / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert kept.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "host", [HOST, "b.s3.amazonaws.com", "my_b.s3.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"]
)
def test_strict_clients_accept_every_host_of_aws(kept: Path, host: str) -> None:
    handshake(Authority(kept, hosts.suffixes()), host, kept / "ca.pem")


@pytest.mark.parametrize("host", ["www.example.com", "amazonaws.com.example.com", "localhost"])
def test_no_client_accepts_what_the_key_could_sign_for_others(kept: Path, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(Authority(kept, hosts.suffixes()), host, kept / "ca.pem")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: (kept / "ca.pem").unlink(),
        lambda kept: (kept / "ca-key.pem").write_text("not a key"),
        lambda kept: (kept / "ca.pem").write_text(""),
        lambda kept: Authority(kept / "other", ("example.com",)) and swap(kept),
    ],
    ids=["certificate lost", "key damaged", "certificate damaged", "of other domains"],
)
def test_an_authority_that_cannot_be_used_is_replaced(kept: Path, spoil: object) -> None:
    Authority(kept, hosts.suffixes())
    former = (kept / "ca-key.pem").read_bytes()
    assert callable(spoil)
    spoil(kept)
    handshake(Authority(kept, hosts.suffixes()), HOST, kept / "ca.pem")
    assert (kept / "ca-key.pem").read_bytes() != former
    assert (kept / "ca-key.pem").stat().st_mode & 0o777 == 0o600


def swap(kept: Path) -> None:
    for path in (kept / "other").iterdir():
        path.replace(kept / path.name)


def test_the_bundle_adds_ours_to_what_this_machine_and_its_user_trust(
    kept: Path, tmp_path: Path
) -> None:
    import certifi

    Authority(kept, hosts.suffixes())
    Authority(tmp_path / "company", ("company.example",))
    company = tmp_path / "company" / "ca.pem"
    trust.write_bundle(tmp_path, {"REQUESTS_CA_BUNDLE": str(company), "CURL_CA_BUNDLE": "/absent"})
    bundle = trust.bundle_file(tmp_path).read_text()
    for known in (Path(certifi.where()), company, trust.certificate_file(tmp_path)):
        last = known.read_text().rpartition("-----BEGIN")[2].strip()
        assert bundle.count(last) == 1
    context = ssl.create_default_context(cafile=trust.bundle_file(tmp_path))
    assert context.cert_store_stats()["x509_ca"] > 50


def test_contexts_are_kept_for_hosts_in_use_and_not_without_end(kept: Path) -> None:
    authority = Authority(kept, hosts.suffixes())
    first = authority.context(HOST)
    for number in range(600):
        authority.context(f"b{number}.s3.amazonaws.com")
        assert authority.context(HOST) is first
    assert len(authority._contexts) <= 512

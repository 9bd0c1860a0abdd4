"""What `env --proxy-port` adds: the TLS proxy, and whom its clients must trust. Reads no file."""

from collections.abc import Mapping
from pathlib import Path

from emulator.proxy import hosts, trust

# Each is read by some clients only: botocore and the SDKs of Go and C++, requests, curl, OpenSSL
# (Python's ssl, Ruby, PHP, Rust, Go), Node.
_TRUST = (
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
)
_LOCAL = ("localhost", "127.0.0.1", "::1")


def through(
    proxy: str, state: Path, own_host: str, environ: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the variables that send HTTPS through the proxy, and all else where it went.

    Args:
        proxy: the URL of the proxy.
        state: the state directory of the emulator.
        own_host: the emulator's own host, which clients reach directly.
        environ: the shell's variables before.
    """
    exempt = [name for name in _names(environ) if not _covers_aws(name)]
    direct = ",".join(dict.fromkeys([*exempt, *_LOCAL, own_host]))
    chosen: dict[str, str | None] = {"HTTPS_PROXY": proxy, "https_proxy": proxy}
    chosen |= {"NO_PROXY": direct, "no_proxy": direct}
    return chosen | dict.fromkeys(_TRUST, str(trust.bundle_file(state.absolute())))


def _names(environ: Mapping[str, str]) -> list[str]:
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return [name.strip() for name in exempt.split(",") if name.strip()]


def _covers_aws(name: str) -> bool:
    """Tell whether an exemption would keep a client from the proxy on its way to AWS."""
    domains = hosts.suffixes()
    bare = name.lower().lstrip("*.")
    return not bare or bare in domains or hosts.is_aws(bare, domains)

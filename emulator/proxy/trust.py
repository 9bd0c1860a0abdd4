"""What clients of the proxy must trust, as files of the state directory.

Two files: the certificate of the emulator's own authority alone, and a bundle of it and what this
machine trusts already, so that a client told to use the bundle loses nothing.
"""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", flags=re.DOTALL
)
# By which a user says, beside SSL_CERT_FILE, what else to trust: a company's authority, say.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def directory(state: Path) -> Path:
    """Return the proxy's directory within a state directory."""
    return state / "proxy"


def certificate_file(state: Path) -> Path:
    """Return where the certificate of the authority is, for clients that add it to their own."""
    return directory(state) / "ca.pem"


def bundle_file(state: Path) -> Path:
    """Return where the bundle is, for clients that trust one file and nothing else."""
    return directory(state) / "ca-bundle.pem"


def write_bundle(state: Path, environ: Mapping[str, str]) -> None:
    """Write the bundle anew: this machine's authorities, certifi's, and ours.

    Raises OSError if the certificate of the authority is not there yet.
    """
    ours = certificate_file(state)
    found: dict[str, None] = {}  # an ordered set: most certificates are in several sources
    for source in (*_sources(environ), ours):
        text = source.read_text("utf-8", "replace")
        found.update(dict.fromkeys(_CERTIFICATE.findall(text)))
    fresh = bundle_file(state).with_suffix(".new")
    fresh.write_text("\n".join([*found, ""]))
    fresh.replace(bundle_file(state))  # a client may be reading the old one


def _sources(environ: Mapping[str, str]) -> list[Path]:
    import certifi

    paths = ssl.get_default_verify_paths()
    named = [environ.get(name) for name in _BUNDLES]
    known = (certifi.where(), paths.cafile, paths.openssl_cafile, *named)
    return [Path(name) for name in known if name and os.path.isfile(name)]

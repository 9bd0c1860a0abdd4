"""The emulator's own certificate authority: one per state directory, good for AWS's names alone.

Its certificate forbids every name outside AWS's domains and every IP address, so that whoever gets
hold of the key can impersonate nobody else. It never signs for a host it was not asked for, and its
key never leaves the state directory.
"""

import ipaddress
import os
import ssl
import tempfile
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from emulator import clock

_CA_LIFE = timedelta(days=3650)
# The longest that every client accepts of a server's certificate.
_LEAF_LIFE = timedelta(days=397)
_SKEW = timedelta(days=1)
_CONTEXTS = 512


class Authority:
    """Makes the TLS context of any host within its domains.

    Args:
        folder: keeps key and certificate; made when absent.
        domains: the domains whose hosts it may sign for. A kept authority for others is replaced.
    """

    def __init__(self, folder: Path, domains: tuple[str, ...]) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._certificate, self._key = _kept(folder, domains) or _made(folder, domains)
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def context(self, host: str) -> ssl.SSLContext:
        """Return the server's side of TLS for this very host, whatever name a client asks for."""
        context = self._contexts.pop(host, None) or self._new_context(host)
        self._contexts[host] = context
        if len(self._contexts) > _CONTEXTS:
            self._contexts.popitem(last=False)
        return context

    def _new_context(self, host: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        # OpenSSL reads a file, and only this process may read it.
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(_pem(self._leaf_key) + self._leaf(host).public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _leaf(self, host: str) -> x509.Certificate:
        return (
            # A common name has 64 characters at most, and no client reads it.
            _builder(x509.Name([]), self._certificate.subject, self._leaf_key, _LEAF_LIFE)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(_serves_tls(), critical=False)
            .add_extension(_issued_by(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _kept(
    folder: Path, domains: tuple[str, ...]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Return what an earlier run made, or None if it can't be used any more."""
    try:
        key = load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return None
    fits = (
        isinstance(key, ec.EllipticCurvePrivateKey)
        and certificate.public_key() == key.public_key()
        and constraints == _constraints(domains)
        and certificate.not_valid_after_utc > _now() + _LEAF_LIFE
    )
    return (certificate, key) if fits and isinstance(key, ec.EllipticCurvePrivateKey) else None


def _made(
    folder: Path, domains: tuple[str, ...]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "sagemaker-emulator, for AWS names only")]
    )
    certificate = (
        _builder(name, name, key, _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_constraints(domains), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_serves_tls(), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca-key.pem", _pem(key), 0o600)
    _write(folder / "ca.pem", certificate.public_bytes(Encoding.PEM), 0o644)
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    now = _now()
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life - _SKEW)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _constraints(domains: tuple[str, ...]) -> x509.NameConstraints:
    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    return x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(domain) for domain in domains],
        excluded_subtrees=[x509.IPAddress(network) for network in everywhere],
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _now() -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)


def _serves_tls() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, text: bytes, mode: int) -> None:
    """Replace a file; at no time can others than `mode` says read it."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text)

"""A realm's certificates: an authority of its own, and what its servers show. ECDSA on P-256, as TLS 1.3 knows it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import ConfigurationError

AUTHORITY_DAYS = 3650
SERVER_DAYS = 365
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_EARLIER = timedelta(hours=1)


def authority(realm: str, now: datetime) -> tuple[str, str]:
    """A new authority: its certificate and its secret key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"agentbus realm {realm}")])
    certificate = (
        _dated(x509.CertificateBuilder(), now, AUTHORITY_DAYS)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode(), _secret(key)


def server_certificate(ca: str, ca_key: str, hosts: Sequence[str], now: datetime) -> tuple[str, str]:
    """A new certificate for servers that are reached by these names or addresses, and its secret key, PEM. It serves
    both ends of the routes between servers. Raises `ConfigurationError`."""
    try:
        issuer = x509.load_pem_x509_certificate(ca.encode())
        signing = load_pem_private_key(ca_key.encode(), None)
    except (ValueError, TypeError):
        raise ConfigurationError("the realm's authority can't be read: it wants a certificate and a key, PEM") from None
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise ConfigurationError("the realm's authority has another kind of key than agentbus realm init makes")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _dated(x509.CertificateBuilder(), now, SERVER_DAYS)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signing, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode(), _secret(key)


def end_of(certificate: str) -> datetime:
    """Until when a certificate is valid, PEM. Raises `ConfigurationError`."""
    return _read(certificate).not_valid_after_utc


def hosts_of(certificate: str) -> list[str]:
    """By which names and addresses a server's certificate says that it is reached. Raises `ConfigurationError`."""
    names = _read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def _read(certificate: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        raise ConfigurationError(
            "the servers' certificate can't be read: agentbus realm renew makes a new one"
        ) from None


def _dated(builder: x509.CertificateBuilder, now: datetime, days: int) -> x509.CertificateBuilder:
    now = now.astimezone(UTC)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def check_host(host: str) -> str:
    """The host itself. Raises `ConfigurationError` when it is neither a name nor an address."""
    _name(host)
    return host


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not _HOST.fullmatch(host):
        raise ConfigurationError(f"{host!r} is neither a host's name nor its address")
    return x509.DNSName(host)


def _secret(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

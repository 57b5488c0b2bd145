"""Defects of TLS and of the SECC certificate."""

from __future__ import annotations

import datetime
import ssl
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.charger.defects import defect
from bench.charger.store import Identity
from bench.v2g import tls

if TYPE_CHECKING:
    from bench.charger.model import Charger
    from bench.charger.secc.server import Listener

_DAY = datetime.timedelta(days=1)


def _show(charger: Charger, change: object) -> None:
    good = charger.tls.identity
    assert callable(change)

    def identity() -> Identity | None:
        right = good()
        return None if right is None else change(right)

    charger.tls.identity = identity
    charger.tls.reload()


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(*chain: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


@defect("tls-secc-unknown-root", protocol="tls", wrong="the SECC chain ends under a root that nobody knows")
def tls_secc_unknown_root(charger: Charger) -> None:
    """TLS: a whole look-alike chain, re-issued under keys and a root made up here."""

    def change(right: Identity) -> Identity:
        issuer_key = ec.generate_private_key(ec.SECP256R1())
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody's Root CA")])
        chain: list[x509.Certificate] = []
        for position, original in reversed(list(enumerate(right.chain))):
            key = leaf_key if position == 0 else ec.generate_private_key(ec.SECP256R1())
            chain.insert(0, _reissue(original, issuer_name, issuer_key, key))
            issuer_name, issuer_key = original.subject, key
        return Identity(_pem(*chain), _pem_key(leaf_key))

    _show(charger, change)


def _reissue(
    original: x509.Certificate,
    issuer_name: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    *,
    subject: x509.Name | None = None,
    valid: tuple[datetime.datetime, datetime.datetime] | None = None,
) -> x509.Certificate:
    """A copy of a certificate with another issuer, and key, subject or validity where given."""
    begin, end = valid or (original.not_valid_before_utc, original.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or original.subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension in original.extensions:
        value = extension.value
        if isinstance(value, x509.AuthorityKeyIdentifier):
            value = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        elif isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, extension.critical)
    return builder.sign(issuer_key, hashes.SHA256())

"""Defects of TLS and of the SECC certificate."""

from __future__ import annotations

import datetime
import ssl
import warnings
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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

_CLIENT_HELLO = b"\x01"
_TLS_1_2 = b"\x03\x03"
_RIGHT_SUITE = b"\xc0\x23"
"""TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256."""
_DAY = datetime.timedelta(days=1)


_Change = Callable[[Identity], Identity]


def _show(charger: Charger, change: _Change) -> None:
    good = charger.tls.identity

    def identity() -> Identity | None:
        right = good()
        return None if right is None else change(right)

    charger.tls.identity = identity
    charger.tls.reload()


def _faulty(charger: Charger, fault: str, fallback: _Change) -> None:
    """Show the store's chain with this fault; without one, a look-alike under a made-up root."""

    def change(right: Identity) -> Identity:
        return charger.store.faulty(fault) or fallback(right)

    _show(charger, change)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(*chain: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def lookalike(
    right: Identity,
    *,
    subject: x509.Name | None = None,
    valid: tuple[datetime.datetime, datetime.datetime] | None = None,
) -> Identity:
    """The whole chain issued anew under a root made up here; `subject` and `valid` change the leaf."""
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody's Root CA")])
    chain: list[x509.Certificate] = []
    for original in reversed(right.chain[1:]):
        key = ec.generate_private_key(ec.SECP256R1())
        chain.insert(0, _reissue(original, issuer_name, issuer_key, key))
        issuer_name, issuer_key = original.subject, key
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _reissue(right.chain[0], issuer_name, issuer_key, key, subject=subject, valid=valid)
    return Identity(_pem(leaf, *chain), _pem_key(key))


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


@defect("tls-secc-unknown-root", protocol="tls", wrong="the SECC chain ends under a root that nobody knows")
def tls_secc_unknown_root(charger: Charger) -> None:
    """TLS: a whole look-alike chain."""
    _faulty(charger, "unknown-root", lookalike)


@defect("secc-certificate-expired", protocol="tls", wrong="the SECC certificate has expired")
def secc_certificate_expired(charger: Charger) -> None:
    """TLS: a leaf whose notAfter has passed."""

    def fallback(right: Identity) -> Identity:
        now = datetime.datetime.now(datetime.UTC)
        return lookalike(right, valid=(now - 90 * _DAY, now - _DAY))

    _faulty(charger, "expired", fallback)


@defect(
    "secc-certificate-wrong-domain-component",
    protocol="tls",
    wrong="the SECC certificate lacks domainComponent CPO",
)
def secc_certificate_wrong_domain_component(charger: Charger) -> None:
    """TLS: a leaf without DC=CPO."""

    def fallback(right: Identity) -> Identity:
        kept = [each for each in right.chain[0].subject if each.oid != NameOID.DOMAIN_COMPONENT]
        return lookalike(right, subject=x509.Name(kept))

    _faulty(charger, "wrong-domain-component", fallback)


@defect(
    "secc-chain-incomplete", protocol="tls", wrong="the sub-CA certificates are left out of the TLS chain"
)
def secc_chain_incomplete(charger: Charger) -> None:
    """TLS: the leaf alone."""
    _show(charger, lambda right: Identity(_pem(right.chain[0]), right.key_pem))


def modern_without_right_suite(hello: bytes) -> bool:
    """True for a ClientHello (handshake message) of TLS 1.2 that does not offer the suite of ISO 15118-2."""
    session_end = 39 + (hello[38] if len(hello) > 38 else 0)
    length = int.from_bytes(hello[session_end : session_end + 2], "big")
    suites = hello[session_end + 2 : session_end + 2 + length]
    offered = {suites[at : at + 2] for at in range(0, len(suites), 2)}
    return hello[4:6] == _TLS_1_2 and _RIGHT_SUITE not in offered


@defect("tls-accepts-1.1", protocol="tls", wrong="TLS 1.0 and 1.1 are accepted")
def tls_accepts_1_1(charger: Charger) -> None:
    """TLS: minimum version 1.0; OpenSSL needs security level 0 for that."""

    def context(identity: Identity) -> ssl.SSLContext:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the point here
            old = tls.server_context(
                identity.chain_pem,
                identity.key_pem,
                suites=(*tls.ISO2_SUITES, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
                min_version=ssl.TLSVersion.TLSv1,
                security_level=0,
            )

        refused: weakref.WeakSet[Any] = weakref.WeakSet()

        def observe(  # noqa: PLR0917 - the signature is that of the library's hook
            connection: Any, direction: str, version: object, content: object, kind: object, data: bytes
        ) -> None:
            if direction == "read" and data[:1] == _CLIENT_HELLO and modern_without_right_suite(data):
                refused.add(connection)

        def judge(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
            # The old suite is for old versions only: TLS 1.2 with nothing better is refused.
            alert = ssl.AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
            return alert if connection in refused else None

        old.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        # The library's debugging hook is the one way to see a ClientHello; its own calls say nothing so
        # early.
        old._msg_callback = observe  # type: ignore[attr-defined]
        old.sni_callback = judge
        return old

    charger.tls.make_context = context
    charger.tls.reload()


@defect("tls-accepts-any-suite", protocol="tls", wrong="cipher suites outside ISO 15118-2 are accepted")
def tls_accepts_any_suite(charger: Charger) -> None:
    """TLS: every suite that the library knows for this key."""

    def context(identity: Identity) -> ssl.SSLContext:
        made = tls.server_context(identity.chain_pem, identity.key_pem)
        made.set_ciphers("ECDHE-ECDSA-AES128-SHA256:ALL")
        return made

    charger.tls.make_context = context
    charger.tls.reload()


@defect(
    "tls-lacks-ecdhe-suite",
    protocol="tls",
    wrong="of the two suites of ISO 15118-2 only static ECDH is accepted",
)
def tls_lacks_ecdhe_suite(charger: Charger) -> None:
    """TLS: the list of suites without ECDHE."""
    charger.tls.suites = tls.ISO2_SUITES[1:]


@defect(
    "tls-lacks-static-ecdh-suite",
    protocol="tls",
    wrong="of the two suites of ISO 15118-2 only ECDHE is accepted",
)
def tls_lacks_static_ecdh_suite(charger: Charger) -> None:
    """TLS: the list of suites without static ECDH, as every charger on OpenSSL 1.1 or later has it."""
    charger.tls.suites = tls.ISO2_SUITES[:1]


@defect(
    "tls-dies-after-failed-handshake",
    protocol="tls",
    wrong="after one failed handshake no TLS works any more",
)
def tls_dies_after_failed_handshake(charger: Charger) -> None:
    """TLS: the listener stops with the first handshake that fails."""

    def failed(listener: Listener) -> None:
        listener.stop_accepting()

    charger.tls.handshake_failed = failed  # type: ignore[method-assign]

"""TLS for V2G: contexts of both sides, and a client handshake that records what happened.

The bench must see what a charger really sends, also when it is wrong. So the library's own verification is
off, the Certificate message and the alerts are taken from the handshake itself, and `bench.pki.validate`
judges the chain afterwards. ISO 15118-2: TLS 1.2, server authentication ([V2G2-067], [V2G2-602], [V2G2-871]);
ISO 15118-20: TLS 1.3, mutual ([V2G20-2400]).
"""

from __future__ import annotations

import select
import socket
import ssl
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.pki.credential import Credential
from bench.pki.validate import BadCertificate, ChainCheck, Purpose, load_der, validate_chain

ISO2_SUITES: tuple[str, ...] = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256",
)
"""IANA names; OpenSSL knows no static ECDH any more, for which there is `bench.v2g.tls12`."""

# IANA name -> OpenSSL name, for TLS 1.2 and below; None where OpenSSL 3 has no such suite.
OPENSSL_SUITES: dict[str, str | None] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256": None,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
}
_OPENSSL_TO_IANA = {name: iana for iana, name in OPENSSL_SUITES.items() if name is not None}

_CONTENT_ALERT = 21
_CONTENT_HANDSHAKE = 22
_MESSAGE_CERTIFICATE = 11
_MESSAGE_CERTIFICATE_STATUS = 22
_MAX_CHAIN_BYTES = 200_000
_MAX_CHAIN = 16


# Alerts of RFC 8446, RFC 7507 and RFC 7301 that Python's enumeration lacks.
_MORE_ALERTS = {
    86: "inappropriate_fallback",
    109: "missing_extension",
    116: "certificate_required",
    120: "no_application_protocol",
}


def alert_name(code: int) -> str:
    """Name of a TLS alert description as in RFC 8446 ("handshake_failure"), or "alert_<code>"."""
    try:
        return ssl.AlertDescription(code).name.removeprefix("ALERT_DESCRIPTION_").lower()
    except ValueError:
        return _MORE_ALERTS.get(code, f"alert_{code}")


@dataclass(frozen=True)
class TlsInfo:
    """A completed handshake.

    `chain` is the Certificate message of the peer in the order sent, without what could not be parsed (`bad`
    counts that); `check` the verdict of `validate_chain` when the context has roots. `cipher` is the IANA
    name where known.
    """

    version: str
    cipher: str
    chain: list[x509.Certificate]
    duration_s: float
    alert: str | None = None
    check: ChainCheck | None = None
    bad: int = 0
    ocsp_response: bytes | None = None


class TlsFailure(Exception):  # noqa: N818 - an outcome that tests expect, not an error of the bench
    """A handshake that failed. `alert` is the alert received, `alert_sent` the one sent, None where there was
    none; `chain` the certificates the peer had sent by then; `timeout` True when the peer fell silent.
    """

    def __init__(
        self,
        alert: str | None,
        text: str,
        *,
        alert_sent: str | None = None,
        chain: list[x509.Certificate] | None = None,
        duration_s: float = 0.0,
        timeout: bool = False,
    ) -> None:
        super().__init__(text)
        self.alert = alert
        self.text = text
        self.alert_sent = alert_sent
        self.chain = chain or []
        self.duration_s = duration_s
        self.timeout = timeout


@dataclass
class HandshakeRecord:
    """What was seen of one handshake; message bodies without the header."""

    certificate_message: bytes | None = None
    status_message: bytes | None = None
    alert_received: str | None = None
    alert_sent: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class RecordingSocket(ssl.SSLSocket):
    """An SSLSocket that remembers what its handshake brought."""

    handshake_record: HandshakeRecord | None = None


class ClientContext(ssl.SSLContext):
    """A client context that carries the roots the EV trusts."""

    sslsocket_class = RecordingSocket
    trusted_roots: tuple[x509.Certificate, ...] = ()


def _observe(  # noqa: PLR0917 - the signature is that of the library's hook
    connection: object, direction: str, version: object, content_type: object, kind: object, data: bytes
) -> None:
    """Message callback of OpenSSL: keep the server's Certificate message and the alerts of both
    directions.
    """
    record = connection.handshake_record if isinstance(connection, RecordingSocket) else None
    if record is None:
        return
    if content_type == _CONTENT_ALERT and len(data) >= 2:
        name = alert_name(data[1])
        if direction == "read":
            record.alert_received = name
        else:
            record.alert_sent = name
    elif content_type == _CONTENT_HANDSHAKE and direction == "read" and len(data) >= 4:
        if data[0] == _MESSAGE_CERTIFICATE and len(data) <= _MAX_CHAIN_BYTES:
            record.certificate_message = data[4:]
        elif data[0] == _MESSAGE_CERTIFICATE_STATUS and len(data) <= _MAX_CHAIN_BYTES:
            record.status_message = data[4:]


def _openssl_list(suites: Sequence[str]) -> str:
    names = [OPENSSL_SUITES.get(each, each) for each in suites]
    return ":".join(name for name in names if name is not None)


def _limit(
    context: ssl.SSLContext,
    suites: Sequence[str],
    *,
    minimum: ssl.TLSVersion,
    maximum: ssl.TLSVersion,
    security_level: int | None,
    keylog: Path | None,
) -> None:
    ciphers = _openssl_list(suites)
    if security_level is not None:
        ciphers += f":@SECLEVEL={security_level}"
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise ValueError(f"no usable cipher suite among {', '.join(suites) or '(none)'}") from error
    # Raise the ceiling first: a minimum above the current maximum would be refused.
    with warnings.catch_warnings():
        # TLS 1.1 and below are deprecated, and offering them is exactly what a negative test does.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = maximum
        context.minimum_version = minimum
    if keylog is not None:
        context.keylog_filename = str(keylog)


def client_context(
    roots: Iterable[x509.Certificate | Credential],
    *,
    suites: Sequence[str] = ISO2_SUITES,
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    keylog: Path | None = None,
    client: Credential | None = None,
    security_level: int | None = None,
) -> ClientContext:
    """Context of the EV. `suites` are IANA (or OpenSSL) names for TLS 1.2 and below.

    `client` is the vehicle certificate for mutual TLS (ISO 15118-20). `security_level` 0 is needed to offer
    TLS 1.1 and below. Raises ValueError when no suite is usable, OSError when the key log cannot be written.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    # Judged by bench.pki.validate after the handshake: see the module text.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.trusted_roots = tuple(
        each.certificate if isinstance(each, Credential) else each for each in roots
    )
    _limit(
        context,
        suites,
        minimum=min_version,
        maximum=max_version,
        security_level=security_level,
        keylog=keylog,
    )
    # Same hook that ssl.SSLContext itself documents for debugging; there is no public way to the chain as
    # sent.
    context._msg_callback = _observe  # type: ignore[attr-defined]
    if client is not None:
        load_credential(context, client.pem_chain(), client.private_key)
    return context


def server_context(
    pem_chain: bytes,
    key: ec.EllipticCurvePrivateKey | bytes,
    *,
    suites: Sequence[str] = ISO2_SUITES,
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    curve: str | None = "prime256v1",
    client_roots: Iterable[x509.Certificate] | None = None,
    keylog: Path | None = None,
    security_level: int | None = None,
) -> ssl.SSLContext:
    """Context of the charger: `pem_chain` leaf first, `key` a private key or its PEM.

    `curve` is the only group accepted (P-256 as annex F); None accepts what the library does, as a leaf
    on another curve needs.

    `client_roots` asks for, and verifies, a client certificate (ISO 15118-20). Raises ValueError when the key
    does not fit the certificate or no suite is usable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _limit(
        context,
        suites,
        minimum=min_version,
        maximum=max_version,
        security_level=security_level,
        keylog=keylog,
    )
    if curve is not None:
        context.set_ecdh_curve(curve)
    if client_roots is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        for each in client_roots:
            context.load_verify_locations(cadata=each.public_bytes(serialization.Encoding.DER))
    load_credential(context, pem_chain, key)
    return context


def load_credential(
    context: ssl.SSLContext, pem_chain: bytes, key: ec.EllipticCurvePrivateKey | bytes
) -> None:
    """Put a chain and key into a context; raises ValueError when they do not fit each other or cannot be
    read.
    """
    pem = key if isinstance(key, bytes) else _key_pem(key)
    # ssl reads files only; the folder is 0700 and gone at once.
    with tempfile.TemporaryDirectory(prefix="plugbench-tls-") as folder:
        chain_file, key_file = Path(folder, "chain.pem"), Path(folder, "leaf.key")
        chain_file.write_bytes(pem_chain)
        key_file.write_bytes(pem)
        try:
            context.load_cert_chain(chain_file, key_file)
        except ssl.SSLError as error:
            raise ValueError(f"certificate chain and key cannot be used ({error})") from error


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def connect(
    sock: socket.socket,
    context: ClientContext,
    *,
    timeout_s: float = 10.0,
    purpose: Purpose = "secc",
    at: datetime | None = None,
) -> tuple[RecordingSocket, TlsInfo]:
    """Do the client handshake on a connected socket; the caller decides what to make of `TlsInfo.check`.

    `timeout_s` bounds the whole handshake. Raises TlsFailure; `sock` is closed then.
    """
    started = time.monotonic()
    record = HandshakeRecord()
    wrapped: RecordingSocket | None = None
    try:
        sock.settimeout(timeout_s)
        plain = context.wrap_socket(sock, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        assert isinstance(plain, RecordingSocket)
        wrapped = plain
        wrapped.handshake_record = record
        _handshake(wrapped, started + timeout_s)
    except (OSError, ValueError) as error:
        (wrapped or sock).close()
        raise failure(record, error, time.monotonic() - started) from error
    duration = time.monotonic() - started
    cipher = wrapped.cipher()
    name = cipher[0] if cipher else ""
    info = judged(
        record,
        version=wrapped.version() or "",
        cipher=_OPENSSL_TO_IANA.get(name, name),
        duration_s=duration,
        roots=context.trusted_roots,
        purpose=purpose,
        at=at,
    )
    return wrapped, info


def judged(
    record: HandshakeRecord,
    *,
    version: str,
    cipher: str,
    duration_s: float,
    roots: Sequence[x509.Certificate],
    purpose: Purpose,
    at: datetime | None,
) -> TlsInfo:
    """A completed handshake with its chain parsed, and checked against `roots` when there are any."""
    chain, bad = parse_certificate_message(record.certificate_message)
    check = None
    if roots and chain:
        check = validate_chain(chain[0], chain[1:], roots, at=at or datetime.now(UTC), purpose=purpose)
    return TlsInfo(
        version=version,
        cipher=cipher,
        chain=chain,
        duration_s=duration_s,
        alert=record.alert_received,
        check=check,
        bad=bad,
        ocsp_response=_stapled(record.status_message),
    )


def failure(record: HandshakeRecord, error: Exception, duration_s: float) -> TlsFailure:
    """What to raise for a handshake that ended with `error`."""
    chain, _ = parse_certificate_message(record.certificate_message)
    return TlsFailure(
        record.alert_received,
        _failure_text(record, error),
        alert_sent=record.alert_sent,
        chain=chain,
        duration_s=duration_s,
        timeout=isinstance(error, TimeoutError),
    )


def _handshake(wrapped: RecordingSocket, deadline: float) -> None:
    # A socket timeout restarts with every byte that arrives; the deadline must not, or a peer that sends one
    # byte a second could hold the bench for ever.
    wrapped.setblocking(False)
    poller = select.poll()
    while True:
        try:
            wrapped.do_handshake()
        except ssl.SSLWantReadError:
            events = select.POLLIN
        except ssl.SSLWantWriteError:
            events = select.POLLOUT
        else:
            return
        remaining = deadline - time.monotonic()
        poller.register(wrapped.fileno(), events)
        if remaining <= 0 or not poller.poll(remaining * 1000):
            raise TimeoutError("no answer in time")


def _failure_text(record: HandshakeRecord, error: Exception) -> str:
    if record.alert_received is not None:
        return f"handshake refused by the peer with alert {record.alert_received}"
    if isinstance(error, TimeoutError):
        return "no answer to the handshake in time"
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return "connection closed during the handshake"
    reason = getattr(error, "reason", None) or str(error)
    return f"handshake failed ({str(reason).lower().replace('_', ' ')})"


def parse_certificate_message(body: bytes | None) -> tuple[list[x509.Certificate], int]:
    """Parse the body of a Certificate handshake message of TLS 1.2 (RFC 5246 7.4.2) or 1.3 (RFC 8446 4.4.2).

    Returns the certificates that can be read, in order, and the number of entries that cannot; never raises.
    """
    if not body:
        return [], 0
    if len(body) >= 3 and int.from_bytes(body[:3], "big") == len(body) - 3:
        position, has_extensions = 3, False
    else:
        position, has_extensions = 1 + body[0] + 3, True
    chain: list[x509.Certificate] = []
    bad = 0
    while position + 3 <= len(body) and len(chain) + bad < _MAX_CHAIN:
        length = int.from_bytes(body[position : position + 3], "big")
        data = body[position + 3 : position + 3 + length]
        position += 3 + length
        if has_extensions:
            position += 2 + int.from_bytes(body[position : position + 2], "big")
        try:
            if len(data) != length:
                raise BadCertificate("truncated")
            chain.append(load_der(data))
        except BadCertificate:
            bad += 1
    return chain, bad


def _stapled(body: bytes | None) -> bytes | None:
    """The OCSP response of a CertificateStatus message (RFC 6066 section 8: type 1, 24-bit length), or
    None.
    """
    if body is None or len(body) < 4 or body[0] != 1:
        return None
    length = int.from_bytes(body[1:4], "big")
    return body[4 : 4 + length] if len(body) >= 4 + length else None

"""A TLS ClientHello built by hand, and the first answer to it: does a charger refuse what it must refuse?

A TLS library only offers what it implements. To learn whether a charger refuses TLS 1.1, foreign cipher
suites or curves, or takes the static ECDH suite of ISO 15118-2 that OpenSSL lacks, one message each way is
enough. Sources: RFC 5246 (TLS 1.2), RFC 8446 (TLS 1.3), RFC 8422 (elliptic curves), RFC 6066 (extensions).
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from bench.v2g import ports
from bench.v2g.tls import alert_name

Version = Literal["ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"]
VERSIONS: dict[Version, int] = {
    "ssl3": 0x0300,
    "tls1.0": 0x0301,
    "tls1.1": 0x0302,
    "tls1.2": 0x0303,
    "tls1.3": 0x0304,
}
_VERSION_NAMES: dict[int, str] = {number: name for name, number in VERSIONS.items()}

SUITES: dict[str, int] = {
    "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256": 0xC025,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": 0xC023,
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384": 0xC024,
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xC02B,
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": 0xC02C,
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 0xC02F,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": 0xC009,
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": 0xC00A,
    "TLS_ECDHE_ECDSA_WITH_NULL_SHA": 0xC006,
    "TLS_RSA_WITH_AES_128_CBC_SHA": 0x002F,
    "TLS_RSA_WITH_AES_128_GCM_SHA256": 0x009C,
    "TLS_RSA_WITH_NULL_SHA256": 0x003B,
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "TLS_FALLBACK_SCSV": 0x5600,
    "TLS_EMPTY_RENEGOTIATION_INFO_SCSV": 0x00FF,
}
_SUITE_NAMES = {number: name for name, number in SUITES.items()}
GROUPS: dict[str, int] = {
    "secp256r1": 0x0017,
    "secp384r1": 0x0018,
    "secp521r1": 0x0019,
    "x25519": 0x001D,
    "x448": 0x001E,
}
_SIGNATURES: dict[str, int] = {
    "ecdsa_secp256r1_sha256": 0x0403,
    "ecdsa_secp384r1_sha384": 0x0503,
    "ecdsa_secp521r1_sha512": 0x0603,
    "ed448": 0x0808,
    "rsa_pss_rsae_sha256": 0x0804,
    "rsa_pkcs1_sha256": 0x0401,
    "ecdsa_sha1": 0x0203,
}

EXTENSION_TRUSTED_CA_KEYS = 3
EXTENSION_STATUS_REQUEST = 5
_EXTENSION_GROUPS = 10
_EXTENSION_POINT_FORMATS = 11
_EXTENSION_SIGNATURES = 13
_EXTENSION_VERSIONS = 43
_EXTENSION_KEY_SHARE = 51

_RECORD_ALERT = 21
_RECORD_HANDSHAKE = 22
_SERVER_HELLO = 2
_MAX_ANSWER = 70_000
_HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

Kind = Literal["server_hello", "alert", "closed", "timeout", "garbage"]


@dataclass(frozen=True)
class ProbeResult:
    """What came first. For "server_hello": `version` and `suite` chosen (hex text where unknown), `retry`
    True for a HelloRetryRequest; for "alert": its name and `fatal`. `raw` holds the bytes received (bounded).
    """

    kind: Kind
    version: str = ""
    suite: str = ""
    alert: str = ""
    fatal: bool = False
    retry: bool = False
    raw: bytes = b""
    duration_s: float = 0.0

    @property
    def refused(self) -> bool:
        """True when the peer did not go on with the handshake: a fatal alert or a closed connection."""
        return self.kind == "closed" or (self.kind == "alert" and self.fatal)


def _block(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def _numbers(values: Sequence[str | int], table: dict[str, int], what: str) -> bytes:
    numbers = []
    for each in values:
        number = each if isinstance(each, int) else table.get(each, -1)
        if not 0 <= number <= 0xFFFF:
            raise ValueError(f"unknown {what} {each!r}; known: {', '.join(table)}")
        numbers.append(struct.pack(">H", number))
    return b"".join(numbers)


def _key_share(group: str | int) -> bytes:
    if group in ("secp256r1", "secp384r1", "secp521r1"):
        curves: dict[str, ec.EllipticCurve] = {
            "secp256r1": ec.SECP256R1(),
            "secp384r1": ec.SECP384R1(),
            "secp521r1": ec.SECP521R1(),
        }
        share = ec.generate_private_key(curves[str(group)]).public_key()
        point = share.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    elif group == "x25519":
        point = x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
    else:
        return b""
    return struct.pack(">H", GROUPS[str(group)]) + _block(point, 2)


def client_hello(
    *,
    versions: Sequence[Version] = ("tls1.2",),
    suites: Sequence[str | int] = ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",),
    groups: Sequence[str | int] = ("secp256r1",),
    signatures: Sequence[str | int] = ("ecdsa_secp256r1_sha256",),
    extensions: Sequence[tuple[int, bytes]] = (),
    session_id: bytes = b"",
) -> bytes:
    """Build one TLS record with a ClientHello that offers exactly this; `extensions` are (type, body) to add.

    The highest of `versions` below 1.3 is the legacy version; supported_versions is sent when 1.3 is among
    them. Raises ValueError for an unknown name.
    """
    unknown = [each for each in versions if each not in VERSIONS]
    if unknown or not versions:
        raise ValueError(f"unknown TLS version {unknown}; known: {', '.join(VERSIONS)}")
    legacy = max((VERSIONS[each] for each in versions if each != "tls1.3"), default=VERSIONS["tls1.2"])
    parts: list[tuple[int, bytes]] = []
    if groups:
        parts.append((_EXTENSION_GROUPS, _block(_numbers(groups, GROUPS, "group"), 2)))
        parts.append((_EXTENSION_POINT_FORMATS, b"\x01\x00"))
    if signatures and max(VERSIONS[each] for each in versions) >= VERSIONS["tls1.2"]:
        parts.append((_EXTENSION_SIGNATURES, _block(_numbers(signatures, _SIGNATURES, "signature"), 2)))
    if "tls1.3" in versions:
        offered = b"".join(struct.pack(">H", VERSIONS[each]) for each in versions)
        parts.append((_EXTENSION_VERSIONS, _block(offered, 1)))
        parts.append((_EXTENSION_KEY_SHARE, _block(_key_share(groups[0]) if groups else b"", 2)))
    parts.extend(extensions)
    body = struct.pack(">H", legacy) + os.urandom(32) + _block(session_id[:32], 1)
    body += _block(_numbers(suites, SUITES, "cipher suite"), 2) + b"\x01\x00"
    if parts:
        body += _block(b"".join(struct.pack(">H", kind) + _block(data, 2) for kind, data in parts), 2)
    handshake = b"\x01" + _block(body, 3)
    # Records of a first ClientHello carry 0x0301 for compatibility (RFC 8446 5.1), SSL 3.0 its own number.
    record_version = min(legacy, VERSIONS["tls1.0"])
    return struct.pack(">BH", _RECORD_HANDSHAKE, record_version) + _block(handshake, 2)


def parse_answer(data: bytes) -> ProbeResult | None:
    """Interpret the bytes received so far; None when more are needed. Never raises."""
    if not data:
        return None
    if data[0] not in (_RECORD_ALERT, _RECORD_HANDSHAKE) or (len(data) >= 2 and data[1] != 3):
        return ProbeResult("garbage", raw=data)
    if len(data) < 5:
        return None
    length = int.from_bytes(data[3:5], "big")
    if length == 0 or length > 2**14 + 256:
        return ProbeResult("garbage", raw=data)
    if data[0] == _RECORD_ALERT:
        if len(data) < 7:
            return None
        if length != 2 or data[5] not in (1, 2):
            return ProbeResult("garbage", raw=data)
        return ProbeResult("alert", alert=alert_name(data[6]), fatal=data[5] == 2, raw=data)
    handshake = _handshake_bytes(data)
    if handshake is None:
        return ProbeResult("garbage", raw=data)
    if handshake and handshake[0] != _SERVER_HELLO:
        return ProbeResult("garbage", raw=data)
    if len(handshake) < 4:
        return None
    size = int.from_bytes(handshake[1:4], "big")
    if size > _MAX_ANSWER:
        return ProbeResult("garbage", raw=data)
    if len(handshake) < 4 + size:
        return None
    return _server_hello(handshake[4 : 4 + size], data)


def _handshake_bytes(data: bytes) -> bytes | None:
    """The handshake bytes of the leading handshake records; None when a record is none of TLS."""
    collected = bytearray()
    position = 0
    while position + 5 <= len(data) and data[position] == _RECORD_HANDSHAKE:
        length = int.from_bytes(data[position + 3 : position + 5], "big")
        if length == 0 or length > 2**14 + 256:
            return None
        collected += data[position + 5 : position + 5 + length]
        position += 5 + length
    return bytes(collected)


def _server_hello(body: bytes, raw: bytes) -> ProbeResult:
    if len(body) < 38 or len(body) < 38 + body[34]:
        return ProbeResult("garbage", raw=raw)
    version = int.from_bytes(body[:2], "big")
    position = 35 + body[34]
    suite = int.from_bytes(body[position : position + 2], "big")
    position += 5  # suite, compression method, length of the extensions
    while position + 4 <= len(body):
        kind, length = struct.unpack_from(">HH", body, position)
        if kind == _EXTENSION_VERSIONS and length == 2 and position + 6 <= len(body):
            version = int.from_bytes(body[position + 4 : position + 6], "big")
        position += 4 + length
    return ProbeResult(
        "server_hello",
        version=_VERSION_NAMES.get(version, f"0x{version:04x}"),
        suite=_SUITE_NAMES.get(suite, f"0x{suite:04x}"),
        retry=body[2:34] == _HELLO_RETRY,
        raw=raw,
    )


def exchange(sock: socket.socket, hello: bytes, timeout_s: float = 5.0) -> ProbeResult:
    """Send `hello` (any bytes) over a connected socket and wait for the first complete answer, at most
    `timeout_s`.

    The socket stays open, it is the caller's.
    """
    started = time.monotonic()
    deadline = started + timeout_s
    received = bytearray()
    result = ProbeResult("timeout")
    try:
        sock.settimeout(timeout_s)
        sock.sendall(hello)
        sock.setblocking(False)
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        while len(received) <= _MAX_ANSWER:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not poller.poll(remaining * 1000):
                break
            data = sock.recv(16_384)
            if not data:
                result = ProbeResult("closed")
                break
            received += data
            answer = parse_answer(bytes(received))
            if answer is not None:
                result = answer
                break
        else:
            result = ProbeResult("garbage")
    except TimeoutError:
        result = ProbeResult("timeout")
    except OSError:
        result = ProbeResult("closed")
    return ProbeResult(
        result.kind,
        result.version,
        result.suite,
        result.alert,
        fatal=result.fatal,
        retry=result.retry,
        raw=bytes(received[:_MAX_ANSWER]),
        duration_s=time.monotonic() - started,
    )


def probe(
    address: tuple[str, int, int, int],
    *,
    versions: Sequence[Version] = ("tls1.2",),
    suites: Sequence[str | int] = ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",),
    groups: Sequence[str | int] = ("secp256r1",),
    extensions: Sequence[tuple[int, bytes]] = (),
    signatures: Sequence[str | int] = ("ecdsa_secp256r1_sha256",),
    timeout_s: float = 5.0,
) -> ProbeResult:
    """Connect to an IPv6 socket address (see `connection.socket_address`), send a ClientHello, tell the
    answer.

    Raises ValueError for an unknown name and OSError when there is no TCP connection.
    """
    hello = client_hello(
        versions=versions, suites=suites, groups=groups, signatures=signatures, extensions=extensions
    )
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        ports.bind_dynamic(sock)
        sock.connect(address)
        return exchange(sock, hello, timeout_s)

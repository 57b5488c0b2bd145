"""Handshake messages of TLS 1.2 and 1.3 taken apart for display and for what decryption needs of them.

Source: RFC 5246 (7.4), RFC 8446 (4), RFC 6066 (trusted_ca_keys,
status_request), RFC 6961 (status_request_v2).
Everything here comes from the wire: a message that does not fit its own lengths raises `TlsFormatError`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from bench.capture.tls_names import (
    TLS13,
    extension_name,
    group_name,
    signature_name,
    suite_name,
    version_name,
)

_MAX_CERTIFICATES = 32
_MAX_NAMES = 256
_SERVER_NAME, _TRUSTED_CA_KEYS, _STATUS_REQUEST, _GROUPS, _SIGNATURES, _ALPN = 0, 3, 5, 10, 13, 16
_ENCRYPT_THEN_MAC, _EARLY_DATA, _SUPPORTED_VERSIONS, _AUTHORITIES, _KEY_SHARE = 22, 42, 43, 47, 51
_OCSP, _OCSP_MULTI = 1, 2
# SHA-256 of "HelloRetryRequest" in the place of the random (RFC 8446 4.1.3).
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class TlsFormatError(ValueError):
    """A message whose lengths or values cannot be; the text says which."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise TlsFormatError(f"{count} bytes wanted at byte {self._at} of {len(self._data)}")
        out, self._at = self._data[self._at : end], end
        return out

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Bytes that follow a length of `size` bytes."""
        return self.take(self.number(size))

    def inner(self, size: int) -> _Reader:
        return _Reader(self.vector(size))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)


@dataclass(frozen=True, slots=True)
class Hello:
    """What decryption needs of a hello; `info` is for display. `version`: chosen, or the highest offered."""

    random: bytes
    version: int
    suite: int
    info: dict[str, Any]
    encrypt_then_mac: bool = False
    retry: bool = False
    early_data: bool = False
    compressed: bool = False


def _numbers(data: bytes) -> list[int]:
    if len(data) % 2:
        raise TlsFormatError(f"a list of numbers of {len(data)} bytes")
    return list(struct.unpack(f">{len(data) // 2}H", data))


def _extensions(reader: _Reader) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    if reader:
        inside = reader.inner(2)
        while inside and len(found) < _MAX_NAMES:
            number = inside.number(2)
            found[number] = inside.vector(2)
    return found


def _server_name(data: bytes) -> str | None:
    if not data:
        return None
    names = _Reader(data).inner(2)
    while names:
        kind, name = names.number(1), names.vector(2)
        if kind == 0:
            return name[:256].decode("ascii", "replace")
    return None


def _trusted_ca_keys(data: bytes) -> list[dict[str, str]]:
    kinds = {0: "pre_agreed", 1: "key_sha1_hash", 2: "x509_name", 3: "cert_sha1_hash"}
    inside = _Reader(data).inner(2)
    found: list[dict[str, str]] = []
    while inside and len(found) < _MAX_NAMES:
        kind = inside.number(1)
        if kind not in kinds:
            raise TlsFormatError(f"trusted authority of kind {kind}")
        value = b"" if kind == 0 else inside.vector(2) if kind == 2 else inside.take(20)
        found.append({"kind": kinds[kind], "value": value.hex()})
    return found


def _authorities(data: bytes) -> list[bytes]:
    inside = _Reader(data).inner(2)
    found: list[bytes] = []
    while inside and len(found) < _MAX_NAMES:
        found.append(inside.vector(2))
    return found


def _of_extensions(extensions: dict[int, bytes]) -> dict[str, Any]:
    """The fields that hellos and certificate requests share."""
    info: dict[str, Any] = {"extensions": [extension_name(each) for each in extensions]}
    if (data := extensions.get(_SIGNATURES)) is not None:
        info["signature_algorithms"] = [signature_name(each) for each in _numbers(_Reader(data).vector(2))]
    if (data := extensions.get(_AUTHORITIES)) is not None:
        info["authorities"] = _authorities(data)
    return info


def client_hello(body: bytes) -> Hello:
    """A ClientHello; its info has version, versions, suites, sni, groups, extensions, random, session_id and,
    where sent, signature_algorithms, authorities (DER names), trusted_ca_keys, alpn.
    """
    reader = _Reader(body)
    legacy, random, session_id = reader.number(2), reader.take(32), reader.vector(1)
    suites = _numbers(reader.vector(2))
    reader.vector(1)  # Compression methods.
    extensions = _extensions(reader)
    versions = [legacy]
    if (data := extensions.get(_SUPPORTED_VERSIONS)) is not None:
        versions = _numbers(_Reader(data).vector(1))
    groups = _numbers(_Reader(extensions[_GROUPS]).vector(2)) if _GROUPS in extensions else []
    info: dict[str, Any] = {
        "version": version_name(legacy),
        "versions": [version_name(each) for each in versions],
        "suites": [suite_name(each) for each in suites],
        "sni": _server_name(extensions.get(_SERVER_NAME, b"")),
        "groups": [group_name(each) for each in groups],
        **_of_extensions(extensions),
        "random": random.hex(),
        "session_id": session_id.hex(),
    }
    if _TRUSTED_CA_KEYS in extensions:
        info["trusted_ca_keys"] = _trusted_ca_keys(extensions[_TRUSTED_CA_KEYS])
    if _ALPN in extensions:
        names = _Reader(extensions[_ALPN]).inner(2)
        info["alpn"] = []
        while names and len(info["alpn"]) < _MAX_NAMES:
            info["alpn"].append(names.vector(1).decode("ascii", "replace"))
    return Hello(random, max(versions, default=legacy), 0, info, early_data=_EARLY_DATA in extensions)


def server_hello(body: bytes) -> Hello:
    """A ServerHello or HelloRetryRequest; its info has version, suite, group, extensions, random, session_id,
    hello_retry_request.
    """
    reader = _Reader(body)
    version, random, session_id = reader.number(2), reader.take(32), reader.vector(1)
    suite, compression = reader.number(2), reader.number(1)
    extensions = _extensions(reader)
    if (data := extensions.get(_SUPPORTED_VERSIONS)) is not None:
        version = _Reader(data).number(2)
    group = None
    if version == TLS13 and (data := extensions.get(_KEY_SHARE)) is not None:
        group = group_name(_Reader(data).number(2))
    info = {
        "version": version_name(version),
        "suite": suite_name(suite),
        "group": group,
        **_of_extensions(extensions),
        "random": random.hex(),
        "session_id": session_id.hex(),
        "hello_retry_request": random == _RETRY,
    }
    return Hello(
        random,
        version,
        suite,
        info,
        encrypt_then_mac=_ENCRYPT_THEN_MAC in extensions,
        retry=random == _RETRY,
        compressed=compression != 0,
    )


def certificate(body: bytes, *, tls13: bool) -> tuple[list[bytes], list[bytes]]:
    """The chain of a Certificate message as sent (DER, leaf first) and, of TLS 1.3, the OCSP responses (DER,
    b"" where a certificate has none; empty list when none has).
    """
    reader = _Reader(body)
    if tls13:
        reader.vector(1)
    inside = reader.inner(3)
    chain: list[bytes] = []
    staples: list[bytes] = []
    while inside and len(chain) < _MAX_CERTIFICATES:
        chain.append(inside.vector(3))
        staple = b""
        if tls13 and (data := _extensions(inside).get(_STATUS_REQUEST)) is not None:
            staple = certificate_status(data)[0]
        staples.append(staple)
    return chain, staples if any(staples) else []


def certificate_status(body: bytes) -> list[bytes]:
    """The OCSP responses (DER) of a CertificateStatus, that of the leaf first; b"" for one left out."""
    reader = _Reader(body)
    kind = reader.number(1)
    if kind == _OCSP:
        return [reader.vector(3)]
    if kind == _OCSP_MULTI:
        inside = reader.inner(3)
        found: list[bytes] = []
        while inside and len(found) < _MAX_CERTIFICATES:
            found.append(inside.vector(3))
        return found or [b""]
    raise TlsFormatError(f"certificate status of kind {kind}")


def certificate_request(body: bytes, *, tls13: bool) -> dict[str, Any]:
    """authorities (DER names) and signature_algorithms that the server asks for."""
    reader = _Reader(body)
    if tls13:
        reader.vector(1)
        return {"authorities": [], "signature_algorithms": [], **_of_extensions(_extensions(reader))}
    reader.vector(1)  # Certificate types.
    signatures = _numbers(reader.vector(2))
    return {
        "authorities": _authorities(reader.rest()),
        "signature_algorithms": [signature_name(each) for each in signatures],
    }

"""Record protection of TLS 1.2 and 1.3, as a reader needs it: keys from secrets, plaintext from records.

Source: RFC 5246 (5, 6.2.3, 6.3), 5288, 6655, 7366, 7905; RFC 8446 (5.2, 5.3, 7.1, 7.2).
"""

from __future__ import annotations

import hmac
import re
import struct
from dataclasses import dataclass
from typing import Literal, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from bench.capture.tls_names import APPLICATION_DATA, TLS12, TLS13, suite_name

Role = Literal["client", "server"]
Mode = Literal["CBC", "GCM", "CCM", "CCM_8", "CHACHA20"]

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384}
_MAC_BYTES = {"sha1": 20, "sha256": 32, "sha384": 48}
_NAME = re.compile(
    r"^TLS_(?:\w+?_WITH_)?(?:AES_(128|256)_(CBC|GCM|CCM_8|CCM)|(CHACHA20)_POLY1305)(?:_(SHA|SHA256|SHA384))?$"
)
_EXPLICIT_NONCE = 8
_AES_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Suite:
    """What a cipher suite means for its records; `mac` is the HMAC hash of a CBC suite, else ""."""

    number: int
    name: str
    mode: Mode
    key_bytes: int
    prf: str
    mac: str

    @property
    def is_tls13(self) -> bool:
        """TLS 1.3 suites name no key exchange and have numbers of their own (RFC 8446 B.4)."""
        return self.number >> 8 == 0x13


def suite(number: int) -> Suite | None:
    """The suite with this number; None when its records cannot be decrypted here."""
    found = _NAME.match(suite_name(number))
    if found is None:
        return None
    mode: Mode = "CHACHA20" if found[3] else found[2]  # type: ignore[assignment]  # The pattern has these only.
    key_bytes = 32 if found[3] else int(found[1]) // 8
    digest = {"SHA": "sha1", "SHA384": "sha384"}.get(found[4], "sha256")
    # TLS 1.2 suites that name SHA-1 or no hash still use SHA-256 in the PRF (RFC 5246 5, RFC 6655 3).
    prf = "sha384" if digest == "sha384" else "sha256"
    return Suite(number, suite_name(number), mode, key_bytes, prf, digest if mode == "CBC" else "")


def suites_of_hash(prf: str) -> list[Suite]:
    """The TLS 1.3 suites that use this hash, the usual ones first."""
    known = [suite(number) for number in range(0x1301, 0x1306)]
    return [each for each in known if each is not None and each.prf == prf]


class Protection(Protocol):
    """Opens the records of one direction with one set of keys."""

    def open(self, sequence: int, kind: int, version: int, fragment: bytes) -> tuple[int, bytes] | None:
        """The content type and plaintext of a record; None when it does not authenticate."""


def prf(secret: bytes, label: bytes, seed: bytes, length: int, digest: str) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246 5)."""
    out, block = b"", label + seed
    while len(out) < length:
        block = hmac.digest(secret, block, digest)
        out += hmac.digest(secret, block + label + seed, digest)
    return out[:length]


def expand_label(secret: bytes, label: str, length: int, digest: str) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 7.1)."""
    full = b"tls13 " + label.encode("ascii")
    info = struct.pack(">HB", length, len(full)) + full + b"\x00"
    return HKDFExpand(_HASHES[digest](), length, info).derive(secret)


def next_secret(secret: bytes, digest: str) -> bytes:
    """The traffic secret after a KeyUpdate (RFC 8446 7.2)."""
    return expand_label(secret, "traffic upd", len(secret), digest)


def _aead(mode: Mode, key: bytes) -> AESGCM | AESCCM | ChaCha20Poly1305:
    if mode == "GCM":
        return AESGCM(key)
    if mode == "CHACHA20":
        return ChaCha20Poly1305(key)
    return AESCCM(key, tag_length=8 if mode == "CCM_8" else 16)


def _mixed(vector: bytes, sequence: int) -> bytes:
    return (int.from_bytes(vector, "big") ^ sequence).to_bytes(len(vector), "big")


class _Cbc:
    """AES-CBC with an explicit vector and HMAC, in either order (RFC 5246 6.2.3.2, RFC 7366)."""

    def __init__(self, key: bytes, mac_key: bytes, digest: str, encrypt_then_mac: bool) -> None:
        self._key = algorithms.AES(key)
        self._mac_key = mac_key
        self._digest = digest
        self._mac_bytes = _MAC_BYTES[digest]
        self._encrypt_then_mac = encrypt_then_mac
        self._opened: tuple[bytes, bytes] = b"", b""

    def open(self, sequence: int, kind: int, version: int, fragment: bytes) -> tuple[int, bytes] | None:
        if self._encrypt_then_mac:
            split = len(fragment) - self._mac_bytes
            sealed, mac = fragment[: max(split, 0)], fragment[max(split, 0) :]
            if not self._authentic(sequence, kind, version, sealed, mac):
                return None
            plain = self._decrypt(sealed)
            return None if plain is None else (kind, plain)
        plain = self._decrypt(fragment)
        if plain is None or len(plain) < self._mac_bytes:
            return None
        content, mac = plain[: -self._mac_bytes], plain[-self._mac_bytes :]
        return (kind, content) if self._authentic(sequence, kind, version, content, mac) else None

    def _authentic(self, sequence: int, kind: int, version: int, content: bytes, mac: bytes) -> bool:
        header = struct.pack(">QBHH", sequence, kind, version, len(content))
        return hmac.compare_digest(hmac.digest(self._mac_key, header + content, self._digest), mac)

    def _decrypt(self, sealed: bytes) -> bytes | None:
        """Without vector and padding; None when the length or the padding is impossible."""
        # Several sequence numbers may be tried on one record: decrypt it once.
        if sealed == self._opened[0]:
            return self._opened[1]
        if len(sealed) < 2 * _AES_BLOCK or len(sealed) % _AES_BLOCK:
            return None
        reader = Cipher(self._key, modes.CBC(sealed[:_AES_BLOCK])).decryptor()
        plain = reader.update(sealed[_AES_BLOCK:]) + reader.finalize()
        padding = plain[-1] + 1
        if padding > len(plain) or plain[-padding:] != plain[-1:] * padding:
            return None
        self._opened = sealed, plain[:-padding]
        return self._opened[1]


class _Aead12:
    """AEAD of TLS 1.2: an explicit nonce in the record (GCM, CCM) or none (ChaCha20)."""

    def __init__(self, mode: Mode, key: bytes, vector: bytes) -> None:
        self._cipher = _aead(mode, key)
        self._vector = vector
        self._explicit = 0 if mode == "CHACHA20" else _EXPLICIT_NONCE
        self._tag_bytes = 8 if mode == "CCM_8" else 16

    def open(self, sequence: int, kind: int, version: int, fragment: bytes) -> tuple[int, bytes] | None:
        length = len(fragment) - self._explicit - self._tag_bytes
        if length < 0:
            return None
        explicit = fragment[: self._explicit]
        nonce = self._vector + explicit if explicit else _mixed(self._vector, sequence)
        header = struct.pack(">QBHH", sequence, kind, version, length)
        try:
            return kind, self._cipher.decrypt(nonce, fragment[self._explicit :], header)
        except InvalidTag:
            return None


class _Aead13:
    """AEAD of TLS 1.3: the content type is inside, followed by padding (RFC 8446 5.2)."""

    def __init__(self, mode: Mode, key: bytes, vector: bytes) -> None:
        self._cipher = _aead(mode, key)
        self._vector = vector
        self._tag_bytes = 8 if mode == "CCM_8" else 16

    def open(self, sequence: int, kind: int, version: int, fragment: bytes) -> tuple[int, bytes] | None:
        if kind != APPLICATION_DATA or len(fragment) <= self._tag_bytes:
            return None
        header = struct.pack(">BHH", kind, version, len(fragment))
        try:
            inner = self._cipher.decrypt(_mixed(self._vector, sequence), fragment, header).rstrip(b"\0")
        except InvalidTag:
            return None
        return (inner[-1], inner[:-1]) if inner else None


def protection12(
    chosen: Suite, master_secret: bytes, randoms: tuple[bytes, bytes], role: Role, *, encrypt_then_mac: bool
) -> Protection:
    """Opens what `role` sends; `randoms` are those of client and server (RFC 5246 6.3)."""
    client_random, server_random = randoms
    mac_bytes = _MAC_BYTES[chosen.mac] if chosen.mac else 0
    vector_bytes = {"CBC": 0, "CHACHA20": 12}.get(chosen.mode, 4)
    total = 2 * (mac_bytes + chosen.key_bytes + vector_bytes)
    block = prf(master_secret, b"key expansion", server_random + client_random, total, chosen.prf)
    parts = []
    for length in (mac_bytes, chosen.key_bytes, vector_bytes):
        pair, block = block[: 2 * length], block[2 * length :]
        parts.append(pair[:length] if role == "client" else pair[length:])
    mac_key, key, vector = parts
    if chosen.mode == "CBC":
        return _Cbc(key, mac_key, chosen.mac, encrypt_then_mac)
    return _Aead12(chosen.mode, key, vector)


def protection13(chosen: Suite, secret: bytes) -> Protection:
    """Opens what is sent under a traffic secret (RFC 8446 7.3)."""
    key = expand_label(secret, "key", chosen.key_bytes, chosen.prf)
    return _Aead13(chosen.mode, key, expand_label(secret, "iv", 12, chosen.prf))


def decryptable(version: int, chosen: Suite | None) -> bool:
    """True when this pair of version and suite belongs together and can be read here."""
    if chosen is None:
        return False
    return version == TLS13 if chosen.is_tls13 else version == TLS12

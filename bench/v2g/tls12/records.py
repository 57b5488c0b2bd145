"""The record layer of TLS 1.2 with AES-128-CBC and HMAC-SHA256, and how both sides come to its keys."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
TLS_1_2 = 0x0303
MAX_CONTENT = 2**14
MAX_RECORD = MAX_CONTENT + 2048
HEADER = struct.Struct(">BHH")
_BLOCK = 16
_MAC = 32
_MAC_HEADER = struct.Struct(">QBHH")


class Refusal(ssl.SSLError):
    """Something from the peer cannot be accepted; `alert` is the RFC 5246 name of what is said about it."""

    def __init__(self, alert: str, text: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, text)
        self.alert = alert
        self.reason = text


class AlertReceived(ssl.SSLError):
    """The peer sent a fatal alert; `alert` is its name."""

    def __init__(self, alert: str) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, f"fatal alert {alert}")
        self.alert = alert
        self.reason = f"fatal alert {alert}"


def prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """`length` bytes of the pseudo-random function with SHA-256 (RFC 5246 section 5)."""
    seed = label + seed
    made, chained = b"", seed
    while len(made) < length:
        chained = hmac.digest(secret, chained, "sha256")
        made += hmac.digest(secret, chained + seed, "sha256")
    return made[:length]


@dataclass
class Protection:
    """Keys and sequence number of one direction."""

    mac_key: bytes = field(repr=False)
    key: bytes = field(repr=False)
    encrypt_then_mac: bool = False
    sequence: int = 0

    def seal(self, kind: int, content: bytes) -> bytes:
        """The fragment of the next record of type `kind`: explicit IV, ciphertext (and MAC)."""
        iv = os.urandom(_BLOCK)
        if not self.encrypt_then_mac:
            content += self._mac(kind, content)
        padding = _BLOCK - 1 - len(content) % _BLOCK
        aes = Cipher(algorithms.AES(self.key), modes.CBC(iv)).encryptor()
        fragment = iv + aes.update(content + bytes([padding]) * (padding + 1)) + aes.finalize()
        if self.encrypt_then_mac:
            fragment += self._mac(kind, fragment)
        self.sequence += 1
        return fragment

    def open(self, kind: int, fragment: bytes) -> bytes:
        """The content of the next record; raises Refusal (bad_record_mac, record_overflow)."""
        if self.encrypt_then_mac:
            fragment, mac = fragment[:-_MAC], fragment[-_MAC:]
            self._check(mac, kind, fragment)
        if len(fragment) < 2 * _BLOCK or len(fragment) % _BLOCK:
            raise Refusal("bad_record_mac", "a record of an impossible length")
        aes = Cipher(algorithms.AES(self.key), modes.CBC(fragment[:_BLOCK])).decryptor()
        content = aes.update(fragment[_BLOCK:]) + aes.finalize()
        padding = content[-1] + 1
        if content[-padding:] != bytes([padding - 1]) * padding:
            raise Refusal("bad_record_mac", "wrong padding of a record")
        content = content[:-padding]
        if not self.encrypt_then_mac:
            if len(content) < _MAC:
                raise Refusal("bad_record_mac", "a record without a MAC")
            content, mac = content[:-_MAC], content[-_MAC:]
            self._check(mac, kind, content)
        if len(content) > MAX_CONTENT:
            raise Refusal("record_overflow", "a record that is too long")
        self.sequence += 1
        return content

    def _mac(self, kind: int, content: bytes) -> bytes:
        header = _MAC_HEADER.pack(self.sequence, kind, TLS_1_2, len(content))
        return hmac.digest(self.mac_key, header + content, "sha256")

    def _check(self, mac: bytes, kind: int, content: bytes) -> None:
        if not hmac.compare_digest(mac, self._mac(kind, content)):
            raise Refusal("bad_record_mac", "wrong MAC of a record")


@dataclass(frozen=True)
class Secrets:
    """What both sides agreed on. `session_hash` is set with the extended master secret (RFC 7627)."""

    premaster: bytes = field(repr=False)
    client_random: bytes
    server_random: bytes
    session_hash: bytes | None = None

    def master(self) -> bytes:
        """The master secret."""
        if self.session_hash is not None:
            return prf(self.premaster, b"extended master secret", self.session_hash, 48)
        return prf(self.premaster, b"master secret", self.client_random + self.server_random, 48)

    def protections(self, master: bytes, *, encrypt_then_mac: bool) -> tuple[Protection, Protection]:
        """Protection of what the client writes and of what the server writes."""
        block = prf(master, b"key expansion", self.server_random + self.client_random, 96)
        client = Protection(block[:32], block[64:80], encrypt_then_mac)
        server = Protection(block[32:64], block[80:96], encrypt_then_mac)
        return client, server


def finished(master: bytes, label: bytes, transcript: hashlib._Hash) -> bytes:
    """The body of a Finished message; `label` is b"client finished" or b"server finished"."""
    return prf(master, label, transcript.digest(), 12)

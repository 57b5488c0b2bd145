"""Handshake messages of TLS 1.2, as far as the two suites of ISO 15118-2 need them. All input is hostile."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.v2g.tls12.records import Refusal

HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 0, 1, 2, 11
SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE = 12, 13, 14
CLIENT_KEY_EXCHANGE, FINISHED = 16, 20

ECDHE = 0xC023
STATIC_ECDH = 0xC025
RENEGOTIATION_SCSV = 0x00FF
SUITE_NAMES = {
    ECDHE: "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    STATIC_ECDH: "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256",
}
SUITE_NUMBERS = {name: number for number, name in SUITE_NAMES.items()}

GROUPS, POINT_FORMATS, SIGNATURES = 10, 11, 13
ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, RENEGOTIATION_INFO = 22, 23, 0xFF01
SECP256R1 = 0x0017
_UNCOMPRESSED = 4


class Reader:
    """Takes fields off a message; raises Refusal (decode_error) where there are too few bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise Refusal("decode_error", "a handshake message that ends too early")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self, width: int) -> int:
        """The next `width` bytes as a number."""
        return int.from_bytes(self.take(width), "big")

    def block(self, width: int) -> bytes:
        """A field with its length before it in `width` bytes."""
        return self.take(self.number(width))

    @property
    def more(self) -> bool:
        """True while bytes are left."""
        return self._at < len(self._data)

    def end(self) -> None:
        """Raises Refusal when bytes are left."""
        if self.more:
            raise Refusal("decode_error", "a handshake message with bytes behind its end")


def block(data: bytes, width: int) -> bytes:
    """`data` with its length before it."""
    return len(data).to_bytes(width, "big") + data


def numbers(data: bytes) -> tuple[int, ...]:
    """A list of 16-bit numbers; raises Refusal."""
    if len(data) % 2:
        raise Refusal("decode_error", "a list of odd length")
    return struct.unpack(f">{len(data) // 2}H", data)


def packed(values: Sequence[int]) -> bytes:
    """A list of 16-bit numbers with its length in bytes before it."""
    return block(struct.pack(f">{len(values)}H", *values), 2)


def write_extensions(extensions: Mapping[int, bytes]) -> bytes:
    """Extensions with their length; nothing at all when there are none."""
    if not extensions:
        return b""
    return block(b"".join(struct.pack(">H", kind) + block(body, 2) for kind, body in extensions.items()), 2)


def _read_extensions(reader: Reader) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    if reader.more:
        inner = Reader(reader.block(2))
        while inner.more:
            kind = inner.number(2)
            if kind in found:
                raise Refusal("illegal_parameter", f"extension {kind} twice")
            found[kind] = inner.block(2)
    reader.end()
    return found


@dataclass(frozen=True)
class ClientHello:
    """What a client offers."""

    version: int
    random: bytes
    suites: tuple[int, ...]
    compressions: bytes
    extensions: Mapping[int, bytes]

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        """Read the body of the message; raises Refusal."""
        reader = Reader(body)
        version, random = reader.number(2), reader.take(32)
        if len(reader.block(1)) > 32:
            raise Refusal("decode_error", "a session id of more than 32 bytes")
        suites, compressions = numbers(reader.block(2)), reader.block(1)
        return cls(version, random, suites, compressions, _read_extensions(reader))

    def body(self) -> bytes:
        """The body of the message, without a session id."""
        fixed = struct.pack(">H", self.version) + self.random + b"\x00"
        offers = packed(self.suites) + block(self.compressions, 1)
        return fixed + offers + write_extensions(self.extensions)


@dataclass(frozen=True)
class ServerHello:
    """What the server chose."""

    version: int
    random: bytes
    suite: int
    extensions: Mapping[int, bytes]

    @classmethod
    def parse(cls, body: bytes) -> ServerHello:
        """Read the body of the message; raises Refusal."""
        reader = Reader(body)
        version, random = reader.number(2), reader.take(32)
        reader.block(1)  # a session id to resume with, which is not done
        suite, compression = reader.number(2), reader.number(1)
        if compression:
            raise Refusal("illegal_parameter", "the server chose a compression")
        return cls(version, random, suite, _read_extensions(reader))

    def body(self) -> bytes:
        """The body of the message, without a session id."""
        fixed = struct.pack(">H", self.version) + self.random + b"\x00"
        return fixed + struct.pack(">HB", self.suite, 0) + write_extensions(self.extensions)


def certificates(chain: Sequence[bytes]) -> bytes:
    """Body of a Certificate message; `chain` is DER, leaf first."""
    return block(b"".join(block(each, 3) for each in chain), 3)


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as an uncompressed point."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def read_point(data: bytes) -> ec.EllipticCurvePublicKey:
    """An uncompressed point of secp256r1; raises Refusal when it is none or not on the curve."""
    if len(data) != 65 or data[0] != _UNCOMPRESSED:
        raise Refusal("illegal_parameter", "not an uncompressed point of secp256r1")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError as error:
        raise Refusal("illegal_parameter", "a point that is not on secp256r1") from error

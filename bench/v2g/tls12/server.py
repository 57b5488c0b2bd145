"""The charger's side: a server of the static ECDH suite only."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.v2g.tls12 import messages
from bench.v2g.tls12.engine import Engine, Handshake, expect
from bench.v2g.tls12.records import HANDSHAKE, HEADER, MAX_RECORD, TLS_1_2, Refusal, Secrets

MAX_CLIENT_HELLO = 2**14


@dataclass(frozen=True)
class ServerContext:
    """Chain (leaf first) and key of the charger; made by `server_context`."""

    chain: tuple[bytes, ...]
    key: ec.EllipticCurvePrivateKey

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = True
    ) -> ServerEngine:
        """One connection; as `ssl.SSLContext.wrap_bio`."""
        return ServerEngine(incoming, outgoing, self)


def server_context(chain: Iterable[x509.Certificate], key: ec.EllipticCurvePrivateKey) -> ServerContext:
    """Context of the charger. Raises ValueError when the key is not on secp256r1 or not that of the leaf."""
    certificates = tuple(chain)
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"static ECDH needs a key on secp256r1, not on {key.curve.name}")
    if not certificates or certificates[0].public_key() != key.public_key():
        raise ValueError("certificate chain and key do not fit each other")
    return ServerContext(tuple(each.public_bytes(serialization.Encoding.DER) for each in certificates), key)


class ServerEngine(Engine):
    """The server's side of one connection."""

    _my_label, _peer_label = b"server finished", b"client finished"

    def __init__(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, context: ServerContext) -> None:
        super().__init__(incoming, outgoing)
        self._context = context

    def _handshake(self) -> Handshake:
        hello = messages.ClientHello.parse(expect((yield), messages.CLIENT_HELLO))
        self.suite = _choose(hello)
        random = os.urandom(32)
        answers = _answers(hello)
        self._say(messages.SERVER_HELLO, messages.ServerHello(TLS_1_2, random, self.suite, answers).body())
        self._say(messages.CERTIFICATE, messages.certificates(self._context.chain))
        self._say(messages.SERVER_HELLO_DONE, b"")

        reader = messages.Reader(expect((yield), messages.CLIENT_KEY_EXCHANGE))
        point = messages.read_point(reader.block(1))
        reader.end()
        extended = messages.EXTENDED_MASTER_SECRET in answers
        secrets = Secrets(
            self._context.key.exchange(ec.ECDH(), point),
            hello.random,
            random,
            self._transcript.digest() if extended else None,
        )
        self._next_read, self._next_write = self._agree(
            secrets, encrypt_then_mac=messages.ENCRYPT_THEN_MAC in answers
        )

        self._check_finished(expect((yield), messages.FINISHED))
        self._say_finished()


def _choose(hello: messages.ClientHello) -> int:
    """The suite, or a Refusal."""
    if hello.version < TLS_1_2:
        raise Refusal("protocol_version", f"at most version {hello.version:#06x} offered")
    if messages.STATIC_ECDH not in hello.suites:
        raise Refusal("handshake_failure", "no shared cipher suite")
    if 0 not in hello.compressions:
        raise Refusal("illegal_parameter", "no offer to go without compression")
    groups = hello.extensions.get(messages.GROUPS)
    if groups is not None and messages.SECP256R1 not in messages.numbers(messages.Reader(groups).block(2)):
        raise Refusal("handshake_failure", "no shared curve")
    return messages.STATIC_ECDH


def _answers(hello: messages.ClientHello) -> dict[int, bytes]:
    """Extensions of the ServerHello: only what the client asked for."""
    answers = {
        kind: b""
        for kind in (messages.ENCRYPT_THEN_MAC, messages.EXTENDED_MASTER_SECRET)
        if kind in hello.extensions
    }
    if messages.RENEGOTIATION_INFO in hello.extensions or messages.RENEGOTIATION_SCSV in hello.suites:
        answers[messages.RENEGOTIATION_INFO] = b"\x00"
    if messages.POINT_FORMATS in hello.extensions:
        answers[messages.POINT_FORMATS] = b"\x01\x00"
    return answers


def offered_suites(data: bytes) -> frozenset[int] | None:
    """The suites that the ClientHello at the start of a connection offers; None while more bytes are needed.

    Empty for what is no ClientHello. Never raises; decides within MAX_CLIENT_HELLO bytes.
    """
    hello = bytearray()
    at = 0
    while at < len(data):
        if data[at] != HANDSHAKE:
            return frozenset()
        if len(data) - at < HEADER.size:
            break
        _, _, length = HEADER.unpack_from(data, at)
        hello += data[at + HEADER.size : at + HEADER.size + length]
        at += HEADER.size + length
        if not 0 < length <= MAX_RECORD:
            return frozenset()
    if hello and hello[0] != messages.CLIENT_HELLO:
        return frozenset()
    if len(hello) >= 4:
        end = 4 + int.from_bytes(hello[1:4], "big")
        if len(hello) >= end:
            try:
                return frozenset(messages.ClientHello.parse(bytes(hello[4:end])).suites)
            except Refusal:
                return frozenset()
    return frozenset() if len(data) > MAX_CLIENT_HELLO else None

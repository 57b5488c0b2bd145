"""The EV's side: a client that offers one of the suites of ISO 15118-2, or both."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.pki.credential import Credential
from bench.pki.unreadable import UNREADABLE
from bench.v2g import tls
from bench.v2g.tls12 import messages
from bench.v2g.tls12.engine import Engine, Handshake, expect
from bench.v2g.tls12.records import TLS_1_2, Refusal, Secrets

_NAMED_CURVE = 3
_ECDSA_SHA256, _ECDSA_SHA384, _ECDSA_SHA512 = 0x0403, 0x0503, 0x0603
_HASHES: dict[int, hashes.HashAlgorithm] = {
    _ECDSA_SHA256: hashes.SHA256(),
    _ECDSA_SHA384: hashes.SHA384(),
    _ECDSA_SHA512: hashes.SHA512(),
}


@dataclass(frozen=True)
class ClientContext:
    """What the EV offers and trusts; made by `client_context`."""

    suites: tuple[int, ...]
    trusted_roots: tuple[x509.Certificate, ...]
    keylog: Path | None = None

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ClientEngine:
        """One connection; as `ssl.SSLContext.wrap_bio`."""
        return ClientEngine(incoming, outgoing, self)


def client_context(
    roots: Iterable[x509.Certificate | Credential],
    *,
    suites: Sequence[str] = tls.ISO2_SUITES,
    keylog: Path | None = None,
) -> ClientContext:
    """Context of the EV; its ClientHello offers exactly `suites` (IANA names) in that order.

    Raises ValueError for a suite that is none of ISO 15118-2, OSError when the key log cannot be written.
    """
    other = [each for each in suites if each not in messages.SUITE_NUMBERS]
    if other or not suites:
        raise ValueError(
            f"static ECDH can be offered together with {tls.ISO2_SUITES[0]} only, "
            f"not with {', '.join(other) or 'nothing'}"
        )
    if keylog is not None:
        with keylog.open("ab"):
            pass
    certificates = (each.certificate if isinstance(each, Credential) else each for each in roots)
    return ClientContext(tuple(messages.SUITE_NUMBERS[each] for each in suites), tuple(certificates), keylog)


class ClientEngine(Engine):
    """The client's side of one connection; `certificate_message` is the body of the server's Certificate."""

    _my_label, _peer_label = b"client finished", b"server finished"

    def __init__(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, context: ClientContext) -> None:
        super().__init__(incoming, outgoing, context.keylog)
        self._context = context
        self.certificate_message: bytes | None = None

    def _handshake(self) -> Handshake:
        hello = _hello(self._context.suites)
        self._say(messages.CLIENT_HELLO, hello.body())
        chosen = messages.ServerHello.parse(expect((yield), messages.SERVER_HELLO))
        self._accept(chosen, hello)
        self.certificate_message = expect((yield), messages.CERTIFICATE)
        leaf = _leaf_key(self.certificate_message)

        message = yield
        own = ec.generate_private_key(ec.SECP256R1())
        if chosen.suite == messages.ECDHE:
            body = expect(message, messages.SERVER_KEY_EXCHANGE)
            theirs = _ephemeral_key(body, hello.random + chosen.random, leaf)
            message = yield
        elif isinstance(leaf.curve, ec.SECP256R1):
            theirs = leaf
        else:
            raise Refusal("illegal_parameter", f"static ECDH with a key on {leaf.curve.name}")
        asked = message[0] == messages.CERTIFICATE_REQUEST
        if asked:
            message = yield
        if expect(message, messages.SERVER_HELLO_DONE):
            raise Refusal("decode_error", "ServerHelloDone with content")

        if asked:
            # ISO 15118-2 knows no certificate of the car in TLS: an empty list says so (RFC 5246 7.4.6).
            self._say(messages.CERTIFICATE, messages.certificates([]))
        self._say(messages.CLIENT_KEY_EXCHANGE, messages.block(messages.point_of(own.public_key()), 1))
        extended = messages.EXTENDED_MASTER_SECRET in chosen.extensions
        secrets = Secrets(
            own.exchange(ec.ECDH(), theirs),
            hello.random,
            chosen.random,
            self._transcript.digest() if extended else None,
        )
        self._next_write, self._next_read = self._agree(
            secrets, encrypt_then_mac=messages.ENCRYPT_THEN_MAC in chosen.extensions
        )
        self._say_finished()
        self._check_finished(expect((yield), messages.FINISHED))

    def _accept(self, chosen: messages.ServerHello, hello: messages.ClientHello) -> None:
        if chosen.version != TLS_1_2:
            raise Refusal("protocol_version", f"the server chose version {chosen.version:#06x}")
        if chosen.suite not in self._context.suites:
            raise Refusal("illegal_parameter", f"the server chose suite {chosen.suite:#06x}, not offered")
        # The signalling suite stands for the extension (RFC 5746 section 3.4).
        unasked = set(chosen.extensions) - set(hello.extensions) - {messages.RENEGOTIATION_INFO}
        if unasked:
            raise Refusal("unsupported_extension", f"extension {min(unasked)} was not asked for")
        self.suite = chosen.suite


def _hello(suites: tuple[int, ...]) -> messages.ClientHello:
    return messages.ClientHello(
        TLS_1_2,
        os.urandom(32),
        (*suites, messages.RENEGOTIATION_SCSV),
        b"\x00",
        {
            messages.GROUPS: messages.packed([messages.SECP256R1]),
            messages.POINT_FORMATS: b"\x01\x00",
            messages.SIGNATURES: messages.packed([*_HASHES]),
            messages.ENCRYPT_THEN_MAC: b"",
            messages.EXTENDED_MASTER_SECRET: b"",
        },
    )


def _leaf_key(body: bytes) -> ec.EllipticCurvePublicKey:
    """Public key of the first certificate; raises Refusal."""
    first = messages.Reader(messages.Reader(body).block(3)).block(3)
    try:
        key = x509.load_der_x509_certificate(first).public_key()
    except UNREADABLE as error:
        raise Refusal("bad_certificate", "the server's certificate cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refusal("unsupported_certificate", "the server's key is not of an elliptic curve")
    return key


def _ephemeral_key(body: bytes, randoms: bytes, leaf: ec.EllipticCurvePublicKey) -> ec.EllipticCurvePublicKey:
    """The server's key of this connection, whose signature must be the leaf's; raises Refusal."""
    reader = messages.Reader(body)
    if reader.number(1) != _NAMED_CURVE or reader.number(2) != messages.SECP256R1:
        raise Refusal("illegal_parameter", "the server's ephemeral key is not on secp256r1")
    point = reader.block(1)
    algorithm, signature = reader.number(2), reader.block(2)
    reader.end()
    if algorithm not in _HASHES:
        raise Refusal("illegal_parameter", f"signature algorithm {algorithm:#06x} was not offered")
    signed = randoms + body[: 4 + len(point)]
    try:
        leaf.verify(signature, signed, ec.ECDSA(_HASHES[algorithm]))
    except InvalidSignature as error:
        raise Refusal("decrypt_error", "wrong signature of the ephemeral key") from error
    return messages.read_point(point)

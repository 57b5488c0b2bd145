"""TLS connections in memory between two OpenSSL ends, with what went over the wire and the key log."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from bench.capture.keylog import KeyLog
from bench.capture.tls_decrypt import Direction, TlsEvent, TlsSession
from bench.v2g import tls_bridge

NO_ENCRYPT_THEN_MAC = 1 << 19


@dataclass(frozen=True)
class Identity:
    """A self-signed certificate with its key, as a file for `ssl` and as DER."""

    path: Path
    der: bytes


def identity(folder: Path, name: str, *, curve: ec.EllipticCurve | None = None) -> Identity:
    """With an EC key on `curve`, or an RSA key."""
    key = ec.generate_private_key(curve) if curve else rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return Identity(path, certificate.public_bytes(serialization.Encoding.DER))


@dataclass
class Wire:
    """What went over the wire, in order, and the key log."""

    keylog_path: Path
    flights: list[tuple[Direction, bytes]] = field(default_factory=list)

    @property
    def keylog(self) -> str:
        return self.keylog_path.read_text() if self.keylog_path.exists() else ""


class Pair:
    """A client and a server joined by memory. `said` is what each wrote, in clear."""

    def __init__(
        self,
        folder: Path,
        server: Identity,
        *,
        client: Identity | None = None,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        ciphers: str = "",
        suites13: str = "",
        options: int = 0,
        server_curve: str = "",
        server_name: str | None = None,
        contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.wire = Wire(folder / "tls.keylog")
        self.said: dict[Direction, bytes] = {"c2s": b"", "s2c": b""}
        self.contexts = contexts or self._contexts(
            server, client, version, ciphers, suites13, options, server_curve
        )
        self._bios = {each: ssl.MemoryBIO() for each in ("c2s", "s2c")}
        client_context, server_context = self.contexts
        self._outgoing = {"c2s": ssl.MemoryBIO(), "s2c": ssl.MemoryBIO()}
        # The ends write into `_outgoing`, the wire moves it on and keeps it.
        self.server = server_context.wrap_bio(self._bios["c2s"], self._outgoing["s2c"], server_side=True)
        self.client = client_context.wrap_bio(
            self._bios["s2c"], self._outgoing["c2s"], server_hostname=server_name, session=session
        )

    def _contexts(
        self,
        server: Identity,
        client: Identity | None,
        version: ssl.TLSVersion,
        ciphers: str,
        suites13: str,
        options: int,
        server_curve: str,
    ) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        ends = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for context in ends:
            context.minimum_version = context.maximum_version = version
            context.options |= options
            if ciphers:
                context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            if suites13:
                library, pointer = tls_bridge._reach(context)
                assert library.SSL_CTX_set_ciphersuites(pointer, suites13.encode()) == 1
        ends[0].check_hostname = False
        ends[0].load_verify_locations(server.path)
        ends[0].keylog_filename = str(self.wire.keylog_path)
        ends[1].load_cert_chain(server.path)
        if server_curve:
            ends[1].set_ecdh_curve(server_curve)
        if client:
            ends[0].load_cert_chain(client.path)
            ends[1].verify_mode = ssl.CERT_REQUIRED
            ends[1].load_verify_locations(client.path)
        return ends

    def move(self) -> None:
        """Let both ends see what the other one wrote."""
        for direction, bio in self._outgoing.items():
            data = bio.read()
            if data:
                self.wire.flights.append((direction, data))  # type: ignore[arg-type]
                self._bios[direction].write(data)

    def handshake(self) -> Pair:
        done = {"c2s": False, "s2c": False}
        while not all(done.values()):
            for name, end in (("c2s", self.client), ("s2c", self.server)):
                if not done[name]:
                    try:
                        end.do_handshake()
                        done[name] = True
                    except ssl.SSLWantReadError:
                        pass
                self.move()
        return self

    def say(self, direction: Direction, data: bytes) -> None:
        """One end writes, the other reads."""
        self.said[direction] += data
        writer, reader = (self.client, self.server) if direction == "c2s" else (self.server, self.client)
        writer.write(data)
        self.move()
        got = b""
        while len(got) < len(data):
            got += reader.read(65536)
        assert got == data
        self.move()

    def talk(self) -> Pair:
        """Small and large messages both ways."""
        for size in (1, 100, 40_000):
            self.say("c2s", bytes([size % 251]) * size)
            self.say("s2c", bytes([size % 249]) * size)
        return self

    def key_update(self, direction: Direction, *, request: bool) -> None:
        """Change the keys of a direction (TLS 1.3), asking the other end to do so too."""
        end = self.client if direction == "c2s" else self.server
        library, _ = tls_bridge._reach(self.contexts[0])
        # PySSLSocket: object header, PyObject *Socket, SSL *ssl.
        pointer = ctypes.c_void_p.from_address(id(end._sslobj) + object.__basicsize__ + 8)
        assert library.SSL_key_update(pointer, int(request)) == 1

    def close(self) -> Pair:
        """Both ends send close_notify."""
        for end in (self.client, self.server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.unwrap()
            self.move()
        return self


def read(
    flights: list[tuple[Direction, bytes]], keylog: KeyLog, *, session: TlsSession | None = None
) -> list[TlsEvent]:
    """All events of a transcript; the frame is the number of the flight."""
    session = session or TlsSession(keylog)
    events = [
        event
        for number, (direction, data) in enumerate(flights)
        for event in session.feed(direction, data, number, number * 1000)
    ]
    return events + session.finish()


def plain(events: list[TlsEvent], direction: Direction) -> bytes:
    """All plaintext of one direction."""
    return b"".join(
        each.data for each in events if each.kind == "application_data" and each.direction == direction
    )


def problems(events: list[TlsEvent]) -> list[str]:
    return [each.info["text"] for each in events if each.kind == "problem"]


def of_kind(events: list[TlsEvent], kind: str) -> list[TlsEvent]:
    return [each for each in events if each.kind == kind]

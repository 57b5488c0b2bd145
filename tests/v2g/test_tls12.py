"""TLS 1.2 with static ECDH: against ourselves, against OpenSSL, and against Mbed TLS where it is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_server import server

from bench.pki import Pki
from bench.v2g import tls, tls_probe, v2gtp
from bench.v2g.connection import ConnectionClosed, TransportError, V2GConnection
from bench.v2g.tls12 import messages
from bench.v2g.tls12.client import ClientContext, ClientEngine, client_context
from bench.v2g.tls12.engine import Engine
from bench.v2g.tls12.records import HEADER, AlertReceived, Protection, Refusal, prf
from bench.v2g.tls12.server import ServerContext, ServerEngine, offered_suites, server_context

ECDHE, STATIC = tls.ISO2_SUITES
PKI = Pki.create()
SECC = PKI.secc
CHARGER = server_context(SECC.chain, SECC.private_key)


def pair(
    client: ClientContext | None = None, charger: object = CHARGER
) -> tuple[ClientEngine, Engine, Callable[[], None]]:
    """A client and a server, and a function that carries their bytes until both have shaken hands."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = (client or client_context([], suites=[STATIC])).wrap_bio(to_client, to_server)
    far = charger.wrap_bio(to_server, to_client, server_side=True)  # type: ignore[attr-defined]

    def carry() -> None:
        open_sides: list[Engine] = [near, far]
        while open_sides:
            for side in tuple(open_sides):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                open_sides.remove(side)

    return near, far, carry


def open_to(port: int, *suites: str, keylog: Path | None = None) -> V2GConnection:
    context = client_context([PKI.v2g_root], suites=suites or tls.ISO2_SUITES, keylog=keylog)
    return V2GConnection.open("::1", port, "lo", context, timeout_s=5)


# --- the pieces ---


def test_prf_with_the_published_vector() -> None:
    # The P_SHA256 vector that was sent round the TLS working group's list for RFC 5246.
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    made = prf(secret, b"test label", seed, 100)
    assert made.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
    assert len(made) == 100


@given(st.binary(max_size=300), st.booleans())
def test_records_come_back_and_a_changed_bit_is_seen(content: bytes, encrypt_then_mac: bool) -> None:
    def keys() -> Protection:
        return Protection(b"m" * 32, b"k" * 16, encrypt_then_mac)

    sealed = keys().seal(23, content)
    assert keys().open(23, sealed) == content
    for place in (0, len(sealed) // 2, len(sealed) - 1):
        spoilt = bytearray(sealed)
        spoilt[place] ^= 0x10
        with pytest.raises(Refusal) as refused:
            keys().open(23, bytes(spoilt))
        assert refused.value.alert == "bad_record_mac"
    with pytest.raises(Refusal):
        keys().open(22, sealed)


# --- both sides of ours ---


def test_client_and_server_agree() -> None:
    near, far, carry = pair()
    carry()
    assert near.suite == far.suite == messages.STATIC_ECDH
    for size in (0, 1, 16, 16_384, 40_000):
        data = os.urandom(size)
        near.write(data)
        got = b""
        while len(got) < size:
            got += far.read(65_536)
        assert got == data
    far.write(b"answer")
    assert near.read(100) == b"answer"
    near.unwrap()
    assert far.read(10) == b""
    assert far.alert_received == "close_notify"


@pytest.mark.parametrize(
    ("change", "alert"),
    [
        ({"suites": (messages.ECDHE,)}, "handshake_failure"),
        ({"version": 0x0302}, "protocol_version"),
        ({"compressions": b"\x01"}, "illegal_parameter"),
        ({"extensions": {messages.GROUPS: messages.packed([0x0019])}}, "handshake_failure"),
        ({"extensions": {messages.GROUPS: b"\x00"}}, "decode_error"),
    ],
)
def test_the_server_refuses_what_it_must(change: dict[str, object], alert: str) -> None:
    offer: dict[str, object] = {
        "version": 0x0303,
        "random": bytes(32),
        "suites": (messages.STATIC_ECDH,),
        "compressions": b"\x00",
        "extensions": {},
    }
    body = messages.ClientHello(**{**offer, **change}).body()  # type: ignore[arg-type]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = CHARGER.wrap_bio(incoming, outgoing)
    hello = b"\x01" + messages.block(body, 3)
    incoming.write(HEADER.pack(22, 0x0301, len(hello)) + hello)
    with pytest.raises(Refusal):
        far.do_handshake()
    answer = tls_probe.parse_answer(outgoing.read())
    assert answer is not None and (answer.kind, answer.alert, answer.fatal) == ("alert", alert, True)


def test_a_server_that_does_not_have_the_key_is_found_out() -> None:
    impostor = server_context(SECC.chain, SECC.private_key)
    object.__setattr__(impostor, "key", ec.generate_private_key(ec.SECP256R1()))
    near, far, carry = pair(charger=impostor)
    with pytest.raises((Refusal, AlertReceived)):
        carry()
    # The keys differ, so the server cannot even read the client's Finished.
    assert far.alert_sent == "bad_record_mac"
    assert not near.established


def test_a_key_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        server_context(SECC.chain, PKI.contract.private_key)
    with pytest.raises(ValueError, match="secp256r1"):
        server_context(SECC.chain, ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(ValueError, match="AES_128_GCM"):
        client_context([], suites=[STATIC, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"])


@given(st.lists(st.binary(max_size=120), max_size=4))
@settings(max_examples=200)
def test_any_bytes_end_in_a_refusal_or_in_waiting(pieces: list[bytes]) -> None:
    for side in (ServerEngine, ClientEngine):
        context = CHARGER if side is ServerEngine else client_context([])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = context.wrap_bio(incoming, outgoing)
        for piece in pieces:
            incoming.write(HEADER.pack(22, 0x0303, len(piece)) + piece)
        with pytest.raises((Refusal, ssl.SSLWantReadError)):
            engine.do_handshake()


@given(st.binary(min_size=1, max_size=4), st.integers(0, 100), st.integers(0, 4))
@settings(max_examples=300)
def test_a_spoilt_flight_of_the_server_never_gets_through(noise: bytes, place: int, kind: int) -> None:
    """ServerHello to ServerHelloDone, changed somewhere: the client refuses, waits, or Finished fails."""
    near, far, _ = pair()
    with contextlib.suppress(ssl.SSLWantReadError):
        near.do_handshake()
    with contextlib.suppress(ssl.SSLWantReadError):
        far.do_handshake()
    flight = bytearray(far._outgoing.read())
    at = len(flight) * place // 101
    if flight[at : at + len(noise)] == noise[: len(flight) - at]:
        return
    flight[at : at + len(noise)] = noise
    near._incoming.write(bytes(flight))
    with contextlib.suppress(ssl.SSLError):
        near.do_handshake()
    with contextlib.suppress(ssl.SSLError):
        far.do_handshake()
    assert not near.established and not far.established


def test_which_suites_a_client_hello_offers() -> None:
    hello = tls_probe.client_hello(suites=[STATIC, 0x1301])
    assert offered_suites(hello) == {0xC025, 0x1301}
    for cut in (0, 1, 4, 5, 20, len(hello) - 1):
        assert offered_suites(hello[:cut]) is None
    halves = hello[5:60], hello[60:]
    assert offered_suites(b"".join(HEADER.pack(22, 0x0301, len(each)) + each for each in halves)) == {
        0xC025,
        0x1301,
    }
    for rubbish in (
        b"GET / HTTP/1.0",
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x00",
    ):
        assert offered_suites(rubbish) == frozenset()
    slow = (HEADER.pack(22, 0x0301, 1) + b"\x01") + HEADER.pack(22, 0x0301, 3) + b"\xff\xff\xff"
    assert offered_suites(slow + (HEADER.pack(22, 0x0301, 4) + b"1234") * 2000) == frozenset()


@given(st.binary(max_size=200))
def test_any_first_bytes_are_looked_at(data: bytes) -> None:
    for each in (data, b"\x16\x03\x01" + data, b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c" + data):
        found = offered_suites(each)
        assert found is None or isinstance(found, frozenset)


# --- over sockets; OpenSSL as the foreign server of the ECDHE suite ---


@contextlib.contextmanager
def static_server() -> Iterator[int]:
    """A charger of ours on ::1: answers each connection's bytes until close_notify."""

    def serve(sock: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        far = CHARGER.wrap_bio(incoming, outgoing)

        def until_done(step: Callable[[], object]) -> object:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    if not (data := sock.recv(65_536)):
                        raise ConnectionError from None
                    incoming.write(data)
                finally:
                    sock.sendall(outgoing.read())

        until_done(far.do_handshake)
        while data := until_done(lambda: far.read(65_536)):
            far.write(data)  # type: ignore[arg-type]

    with server(handler=serve) as port:
        yield port


def openssl(**options: object) -> ssl.SSLContext:
    return tls.server_context(SECC.pem_chain(), SECC.private_key, **options)  # type: ignore[arg-type]


def echoed(connection: V2GConnection) -> None:
    for size in (1, 50_000):
        data = os.urandom(size)
        connection.send(v2gtp.PAYLOAD_V2G_EXI, data)
        assert connection.receive(5)[:2] == (v2gtp.PAYLOAD_V2G_EXI, data)


@pytest.mark.parametrize("suites", [(STATIC,), tls.ISO2_SUITES], ids=["static alone", "both"])
def test_a_session_with_static_ecdh(suites: tuple[str, ...]) -> None:
    with static_server() as port, open_to(port, *suites) as connection:
        info = connection.tls
        assert info is not None and info.check is not None
        assert (info.version, info.cipher) == ("TLSv1.2", STATIC)
        assert info.chain == list(SECC.chain)
        assert info.check.ok
        echoed(connection)


@pytest.mark.parametrize("suites", [(ECDHE,), tls.ISO2_SUITES, tls.ISO2_SUITES[::-1]])
def test_openssl_is_given_ecdhe(suites: tuple[str, ...]) -> None:
    with server(openssl()) as port, open_to(port, *suites) as connection:
        info = connection.tls
        assert info is not None and info.check is not None
        assert (info.cipher, info.check.ok) == (ECDHE, True)
        echoed(connection)


def test_openssl_without_encrypt_then_mac_asking_for_a_certificate() -> None:
    context = openssl()
    context.options |= 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC
    context.verify_mode = ssl.CERT_OPTIONAL
    with server(context) as port, open_to(port, ECDHE) as connection:
        echoed(connection)


def test_openssl_refuses_static_ecdh_and_the_alert_is_told() -> None:
    with server(openssl()) as port:
        with pytest.raises(tls.TlsFailure) as failed:
            open_to(port, STATIC)
        assert (failed.value.alert, failed.value.alert_sent) == ("handshake_failure", None)
        with open_to(port, ECDHE) as connection:
            echoed(connection)


def test_a_server_without_a_common_suite_gets_an_alert() -> None:
    def choose_another(sock: socket.socket) -> None:
        sock.recv(65_536)
        body = messages.ServerHello(0x0303, bytes(32), 0xC02B, {}).body()
        sock.sendall(HEADER.pack(22, 0x0303, len(body) + 4) + b"\x02" + messages.block(body, 3))
        said.append(sock.recv(100))

    said: list[bytes] = []
    with server(handler=choose_another) as port, pytest.raises(tls.TlsFailure) as failed:
        open_to(port)
    assert failed.value.alert_sent == "illegal_parameter"
    assert said[0] == (b"\x15\x03\x03\x00\x02\x02\x2f")


def test_silence_and_a_closed_connection_are_told() -> None:
    release = threading.Event()
    with server(handler=lambda sock: release.wait(5)) as port:
        with pytest.raises(tls.TlsFailure) as failed:
            V2GConnection.open("::1", port, "lo", client_context([]), timeout_s=0.2)
        release.set()
    assert failed.value.timeout
    with server(handler=lambda sock: sock.recv(1000)) as port, pytest.raises(tls.TlsFailure) as failed:
        open_to(port)
    assert not failed.value.timeout


def test_a_connection_that_breaks_off_is_told() -> None:
    with server(openssl(), handler=lambda sock: sock.recv(10)) as port, open_to(port, ECDHE) as connection:
        connection.send(v2gtp.PAYLOAD_V2G_EXI, b"x")
        with pytest.raises((ConnectionClosed, TransportError)):
            connection.receive(5)


# --- Mbed TLS, the one foreign peer at hand that still knows static ECDH ---


class Mbed:
    """One side by Mbed TLS, joined to an engine of ours."""

    def __init__(self, suite: str, engine_for: ClientContext | ServerContext) -> None:
        library = pytest.importorskip("mbedtls.tls", reason="python-mbedtls (extra: test) has no wheel here")
        self.want = (library.WantReadError, library.WantWriteError)
        self.over = library.HandshakeStep.HANDSHAKE_OVER
        options = {
            "ciphers": (suite.replace("_", "-"),),
            "lowest_supported_version": library.TLSVersion.TLSv1_2,
            "validate_certificates": False,
        }
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.engine: Engine = engine_for.wrap_bio(self.incoming, self.outgoing)
        if isinstance(engine_for, ClientContext):
            options["certificate_chain"] = self.credential()
            self.buffer = library.ServerContext(library.TLSConfiguration(**options)).wrap_buffers()
        else:
            self.buffer = library.ClientContext(library.TLSConfiguration(**options)).wrap_buffers(None)

    @staticmethod
    def credential() -> tuple[tuple[object, ...], object]:
        from mbedtls import pk, x509

        key = SECC.private_key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return tuple(x509.CRT.from_DER(each) for each in SECC.der_chain()), pk.ECC.from_DER(key)

    def shake_hands(self) -> None:
        for _ in range(50):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.engine.do_handshake()
            self.to_mbed()
            if self.buffer._handshake_state is not self.over:
                with contextlib.suppress(*self.want):
                    self.buffer.do_handshake()
            self.from_mbed()
            if self.engine.established and self.buffer._handshake_state is self.over:
                return
        raise AssertionError(f"no end: {self.buffer._handshake_state}, {self.engine.established}")

    def to_mbed(self) -> None:
        if data := self.outgoing.read():
            self.buffer.receive_from_network(data)

    def from_mbed(self) -> None:
        if data := self.buffer.peek_outgoing(65_536):
            self.buffer.consume_outgoing(len(data))
            self.incoming.write(data)

    def exchange(self) -> None:
        data = os.urandom(5000)
        self.buffer.write(data)
        self.from_mbed()
        assert self.engine.read(65_536) == data
        self.engine.write(data)
        self.to_mbed()
        assert self.buffer.read(65_536) == data


@pytest.mark.parametrize("suite", tls.ISO2_SUITES)
def test_mbed_tls_as_the_charger(suite: str) -> None:
    other = Mbed(suite, client_context([]))
    other.shake_hands()
    assert messages.SUITE_NAMES[other.engine.suite] == suite
    assert isinstance(other.engine, ClientEngine)
    assert tls.parse_certificate_message(other.engine.certificate_message) == (list(SECC.chain), 0)
    other.exchange()


def test_mbed_tls_as_the_car() -> None:
    other = Mbed(STATIC, CHARGER)
    other.shake_hands()
    assert other.buffer.getpeercert(binary_form=True) == SECC.der_chain()[0]
    other.exchange()


def test_mbed_tls_is_refused_ecdhe_by_our_static_server() -> None:
    other = Mbed(ECDHE, CHARGER)
    with contextlib.suppress(*other.want):
        other.buffer.do_handshake()
    with contextlib.suppress(*other.want):
        other.buffer.do_handshake()
    other.from_mbed()
    with pytest.raises(Refusal, match="no shared cipher suite"):
        other.engine.do_handshake()


# --- what is written for the capture ---


def test_the_key_log_lets_tshark_read_a_session(tmp_path: Path) -> None:
    """A static ECDH session by way of text2pcap and tshark: the independent judge of keys and key log."""
    if shutil.which("tshark") is None or shutil.which("text2pcap") is None:
        pytest.skip("tshark and text2pcap are not installed")
    keylog = tmp_path / "tls.keylog"
    near, far, _ = pair(client_context([], suites=[STATIC], keylog=keylog))
    sent: list[tuple[str, bytes]] = []

    def step(side: Engine, direction: str, act: Callable[[], object]) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            act()
        if data := side._outgoing.read():
            sent.append((direction, data))
            (far if side is near else near)._incoming.write(data)

    for _ in range(3):
        step(near, "O", near.do_handshake)
        step(far, "I", far.do_handshake)
    assert near.established and far.established
    step(near, "O", lambda: near.write(b"\x01\xfe\x80\x01\x00\x00\x00\x04hush"))
    step(far, "I", lambda: far.write(b"\x01\xfe\x80\x01\x00\x00\x00\x04calm"))
    dump = tmp_path / "packets.txt"
    dump.write_text(
        "".join(
            f"{way}\n"
            + "".join(f"{at:06x} {data[at : at + 16].hex(' ')}\n" for at in range(0, len(data), 16))
            for way, data in sent
        )
    )
    capture = tmp_path / "session.pcapng"
    subprocess.run(["text2pcap", "-q", "-D", "-T", "50000,64109", dump, capture], check=True, timeout=60)
    said = subprocess.run(
        ["tshark", "-r", capture, "-x", "-V", "-d", "tcp.port==64109,tls", "-o", f"tls.keylog_file:{keylog}"],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    ).stdout
    assert "Cipher Suite: TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256 (0xc025)" in said
    for secret in (b"hush", b"calm"):
        assert secret.hex(" ") in said
    assert "Malformed" not in said

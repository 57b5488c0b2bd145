"""The EV's connection over loopback, with and without TLS: framing, stamps, deviations, ends."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from tls_server import echo, server

from bench.pki import Pki
from bench.v2g import tls, v2gtp
from bench.v2g.connection import ConnectionClosed, ReceiveTimeout, TransportError, V2GConnection

PKI = Pki.create()
CONTEXTS: dict[str, tuple[ssl.SSLContext | None, tls.ClientContext | None]] = {
    "tcp": (None, None),
    "tls": (
        tls.server_context(PKI.secc.pem_chain(), PKI.secc.private_key),
        tls.client_context([PKI.v2g_root]),
    ),
}


@pytest.fixture(params=CONTEXTS)
def connection(request: pytest.FixtureRequest) -> Iterator[V2GConnection]:
    serving, asking = CONTEXTS[request.param]
    with server(serving) as port, V2GConnection.open("::1", port, "lo", asking) as opened:
        yield opened


def test_a_message_comes_back_with_its_time(connection: V2GConnection) -> None:
    sent_ns = connection.send(v2gtp.PAYLOAD_V2G_EXI, b"hello")
    kind, payload, t_ns = connection.receive(2.0)
    assert (kind, payload) == (v2gtp.PAYLOAD_V2G_EXI, b"hello")
    assert sent_ns <= time.monotonic_ns()
    assert t_ns <= time.monotonic_ns()
    assert connection.local_address[0] == "::1"


@pytest.mark.parametrize("segments", [1, 2, 13, 1000])
def test_segments_do_not_change_the_message(connection: V2GConnection, segments: int) -> None:
    connection.send(v2gtp.PAYLOAD_V2G_EXI, b"split", segments=segments)
    assert connection.receive(2.0)[1] == b"split"


def test_large_and_many_messages(connection: V2GConnection) -> None:
    connection.send(v2gtp.PAYLOAD_V2G_EXI, bytes(60_000))
    connection.send(0, b"", raw=v2gtp.pack(0x8001, b"a") + v2gtp.pack(0x8002, b"b"))
    assert len(connection.receive(2.0)[1]) == 60_000
    assert connection.receive(2.0)[:2] == (0x8001, b"a")
    assert connection.receive(2.0)[:2] == (0x8002, b"b")


def test_silence_is_a_timeout_of_the_right_length(connection: V2GConnection) -> None:
    connection.send(0, b"", raw=v2gtp.pack(0x8001, b"abc")[:-1])
    started = time.monotonic()
    with pytest.raises(ReceiveTimeout) as timeout:
        connection.receive(0.2)
    assert time.monotonic() - started >= 0.19
    assert timeout.value.pending == 10
    connection.send(0, b"", raw=b"c")
    assert connection.receive(2.0)[1] == b"abc"


def test_a_stream_that_is_no_v2gtp(connection: V2GConnection) -> None:
    connection.send(0, b"", raw=b"HTTP/1.1 200 OK")
    for _ in range(2):
        with pytest.raises(v2gtp.V2GTPError):
            connection.receive(2.0)


def test_an_announced_size_costs_no_memory(connection: V2GConnection) -> None:
    connection.send(0, b"", raw=v2gtp.pack(0x8001, b"", length=0xFFFF_FFFF))
    with pytest.raises(v2gtp.V2GTPError, match="4294967295"):
        connection.receive(2.0)


def last_words(sock: socket.socket) -> None:
    sock.sendall(v2gtp.pack(0x8001, b"bye"))


@pytest.mark.parametrize("kind", CONTEXTS)
def test_the_end_comes_after_the_last_message(kind: str) -> None:
    serving, asking = CONTEXTS[kind]
    with server(serving, last_words) as port, V2GConnection.open("::1", port, "lo", asking) as connection:
        closed_ns = connection.wait_closed(2.0)
        assert closed_ns is not None
        assert connection.receive(0.1)[1] == b"bye"
        with pytest.raises(ConnectionClosed) as closed:
            connection.receive(0.1)
        assert closed.value.t_ns == closed_ns


def test_a_connection_that_stays_open(connection: V2GConnection) -> None:
    assert connection.wait_closed(0.1) is None


def test_a_reset_is_a_closed_connection() -> None:
    def reset(sock: socket.socket) -> None:
        sock.recv(100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    with server(None, reset) as port, V2GConnection.open("::1", port, "lo") as connection:
        connection.send(0x8001, b"go")
        with pytest.raises(ConnectionClosed):
            connection.receive(2.0)
        with pytest.raises(ConnectionClosed):
            for _ in range(10):
                connection.send(0x8001, b"x")


def test_close_and_abort_can_be_repeated() -> None:
    for kind, (serving, asking) in CONTEXTS.items():
        with server(serving, echo) as port:
            connection = V2GConnection.open("::1", port, "lo", asking)
            connection.abort() if kind == "tcp" else connection.close()
            connection.close()
            connection.abort()


@pytest.mark.parametrize(
    ("address", "port", "interface"),
    [
        ("::1", 1, "lo"),
        ("nonsense", 1, "lo"),
        ("fe80::1", 1, "nope0"),
        ("::1", 70_000, "lo"),
        ("fe80::1", 1, None),
    ],
)
def test_a_peer_that_cannot_be_reached(address: str, port: int, interface: str | None) -> None:
    with pytest.raises(TransportError):
        V2GConnection.open(address, port, interface, timeout_s=0.5)

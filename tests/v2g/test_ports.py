"""Car and charger use dynamic ports (49152 to 65535), whatever range the system hands out."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Sequence

import pytest
from tls_server import server

from bench.v2g import ports, sdp, v2gtp
from bench.v2g.connection import V2GConnection


def test_the_port_is_a_dynamic_one() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        port = ports.bind_dynamic(sock, "::1")
        assert port == sock.getsockname()[1]
        assert 49_152 <= port <= 65_535


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as first,
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as second,
    ):
        taken = ports.bind_dynamic(first, "::1")
        free = taken - 1 if taken > 49_152 else taken + 1

        def order(population: Sequence[int], k: int) -> list[int]:
            return [taken, taken, free]

        monkeypatch.setattr(random, "sample", order)
        assert ports.bind_dynamic(second, "::1") == free


def test_with_none_free_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as first,
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as second,
    ):
        taken = ports.bind_dynamic(first, "::1")
        monkeypatch.setattr(random, "sample", lambda population, k: [taken] * 3)
        with pytest.raises(OSError, match="no free port") as caught:
            ports.bind_dynamic(second, "::1")
    assert caught.value.errno == errno.EADDRINUSE


def test_the_car_connects_from_a_dynamic_port() -> None:
    with server() as port, V2GConnection.open("::1", port) as connection:
        assert connection.local_address[1] in ports.DYNAMIC


def test_the_car_asks_for_the_charger_from_a_dynamic_port() -> None:
    with sdp.open_sdp_socket("lo", 0) as charger:
        charger.setblocking(False)
        sdp.discover("lo", port=charger.getsockname()[1], timeout_s=0.01, attempts=1)
        datagram, sender = charger.recvfrom(100)
    assert v2gtp.unpack(datagram)[0] == v2gtp.PAYLOAD_SDP_REQUEST
    assert sender[1] in ports.DYNAMIC

"""SDP: encoding, hostile datagrams, and discovery over a real loopback socket."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.v2g import sdp, v2gtp

GOOD = sdp.SdpResponse("::1", 61_000, sdp.SECURITY_TLS)


def test_datagrams_are_those_of_the_standard() -> None:
    assert sdp.encode_request(sdp.SdpRequest()) == bytes.fromhex("01fe9000000000020000")
    assert sdp.encode_request(sdp.SdpRequest(sdp.SECURITY_NONE))[-2:] == b"\x10\x00"
    response = sdp.encode_response(sdp.SdpResponse("fe80::1", 0x1234, sdp.SECURITY_NONE))
    assert response == bytes.fromhex("01fe900100000014fe80000000000000000000000000000112341000")


@given(st.integers(0, 255), st.integers(0, 255))
def test_requests_round_trip(security: int, transport: int) -> None:
    request = sdp.SdpRequest(security, transport)
    assert sdp.decode_request(sdp.encode_request(request)) == request


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_well_formed(data: bytes) -> None:
    for candidate in (data, v2gtp.pack(v2gtp.PAYLOAD_SDP_RESPONSE, data)):
        try:
            response = sdp.decode_response(candidate)
        except sdp.SdpError:
            continue
        assert sdp.encode_response(response) == candidate


@pytest.mark.parametrize(
    "response",
    [
        sdp.SdpResponse("::1", 1, 0x01),
        sdp.SdpResponse("::1", 1, 0x00, 0x10),
        sdp.SdpResponse("::1", 0),
        sdp.SdpResponse("::", 1),
        sdp.SdpResponse("ff02::1", 1),
    ],
)
def test_answers_that_lead_nowhere_are_refused(response: sdp.SdpResponse) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.decode_response(sdp.encode_response(response))


@pytest.mark.parametrize("response", [sdp.SdpResponse("x", 1), sdp.SdpResponse("::1", 70_000)])
def test_answers_that_cannot_be_encoded(response: sdp.SdpResponse) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.encode_response(response)


Answer = Callable[[socket.socket, tuple[str, int]], None]


@contextlib.contextmanager
def charger(answer: Answer, requests: int = 1, interface: str = "lo") -> Iterator[int]:
    with sdp.open_sdp_socket(interface, 0) as sock:
        sock.settimeout(5)

        def run() -> None:
            for number in range(requests):
                _, source = sock.recvfrom(100)
                if number == requests - 1:
                    answer(sock, source)

        thread = threading.Thread(target=run)
        thread.start()
        yield sock.getsockname()[1]
        thread.join()


def test_discovery_on_loopback_says_that_it_was_no_multicast() -> None:
    events: list[str] = []
    with charger(lambda sock, source: sock.sendto(sdp.encode_response(GOOD), source) and None) as port:
        result = sdp.discover("lo", port=port, on_event=lambda kind, data: events.append(kind))
    assert result.response == GOOD
    assert result.response.tls
    assert result.attempts == 1
    assert result.raw == sdp.encode_response(GOOD)
    assert "::1 instead of ff02::1" in result.note
    assert result.findings == []
    assert events == ["request", "response"]


def test_a_late_charger_is_found_by_a_later_request() -> None:
    with charger(lambda sock, source: sock.sendto(sdp.encode_response(GOOD), source) and None, 3) as port:
        result = sdp.discover("lo", port=port, timeout_s=0.05)
    assert result.response == GOOD
    assert result.attempts == 3
    assert result.duration_s >= 0.1


def test_malformed_foreign_and_second_answers_are_findings() -> None:
    def answer(sock: socket.socket, source: tuple[str, int]) -> None:
        sock.sendto(b"rubbish", source)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as foreign:
            foreign.sendto(sdp.encode_response(sdp.SdpResponse("::1", 666)), source)
        sock.sendto(sdp.encode_response(sdp.SdpResponse("fe80::7", 667)), source)
        sock.sendto(sdp.encode_response(GOOD), source)

    with charger(answer) as port:
        result = sdp.discover("lo", port=port, timeout_s=1.0)
    assert result.response == sdp.SdpResponse("fe80::7", 667)
    codes = [each.code for each in result.findings]
    assert codes[:3] == ["malformed", "foreign-port", "other-address"]
    assert set(codes[3:]) <= {"second-answer"}


def test_a_flood_of_rubbish_is_bounded() -> None:
    def answer(sock: socket.socket, source: tuple[str, int]) -> None:
        for _ in range(500):
            sock.sendto(b"x" * 1000, source)

    with charger(answer) as port:
        result = sdp.discover("lo", port=port, timeout_s=0.3, attempts=1)
    assert result.response is None
    assert 1 <= len(result.findings) <= 100
    assert all(len(each.raw) <= 64 for each in result.findings)


def test_nobody_answers() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as unused:
        unused.bind(("::1", 0))
        result = sdp.discover("lo", port=unused.getsockname()[1], timeout_s=0.02, attempts=4)
    assert result.response is None
    assert result.attempts == 4


def test_a_closed_port_still_takes_all_attempts() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as unused:
        unused.bind(("::1", 0))
        port = unused.getsockname()[1]
    result = sdp.discover("lo", port=port, timeout_s=0.02, attempts=4)
    assert result.response is None
    assert result.attempts == 4
    assert result.duration_s >= 0.05


def test_an_unknown_interface_is_named() -> None:
    for call in (lambda: sdp.discover("nope0"), lambda: sdp.open_sdp_socket("nope0")):
        with pytest.raises(sdp.SdpError, match="nope0"):
            call()


@pytest.fixture
def veth() -> Iterator[tuple[str, str]]:
    """A veth pair with link-local addresses; needs root."""
    stem = f"pb{uuid.uuid4().hex[:6]}"
    ends = (f"{stem}a", f"{stem}b")
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made = subprocess.run(
        ["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip(f"no veth pair: {made.stderr.decode()}")
    try:
        for number, end in enumerate(ends):
            for words in (
                ["link", "set", end, "up"],
                ["addr", "add", f"fe80::{number + 1}/64", "dev", end, "nodad"],
            ):
                subprocess.run(["ip", *words], check=True, capture_output=True)
        yield ends
    finally:
        subprocess.run(["ip", "link", "del", ends[0]], check=False, capture_output=True)


@pytest.mark.netns
def test_multicast_discovery_over_an_ethernet_pair(veth: tuple[str, str]) -> None:
    assert sdp.carries_multicast(veth[0])
    assert sdp.has_link_local(veth[0])
    response = sdp.SdpResponse("fe80::2", 61_001, sdp.SECURITY_NONE)
    with charger(
        lambda sock, source: sock.sendto(sdp.encode_response(response), source) and None,
        interface=veth[1],
    ) as port:
        result = sdp.discover(veth[0], tls=False, port=port, timeout_s=0.5)
    assert result.response == response
    assert result.destination == f"ff02::1%{veth[0]}"
    assert result.note == ""
    assert result.findings == []

"""The sniffer: raw capture where permitted, synthesized frames where not, and it says which."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.capture import frames, packet_ring, socket_tap
from bench.capture.frames import Flow
from bench.capture.pcapng import CaptureReader, Packet, Secrets
from bench.capture.sniffer import Sniffer, SocketTap

FLOW = Flow("fe80::1", 50_000, "fe80::2", 61_000)


def can_capture() -> bool:
    try:
        packet_ring.open_raw_socket("lo").close()
    except OSError:
        return False
    return True


needs_raw = pytest.mark.skipif(not can_capture(), reason="raw capture on lo is not permitted here")


def wait_for(condition: object, seconds: float = 3.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.01)


@needs_raw
def test_frames_of_the_interface_are_captured_as_they_happen(tmp_path: Path) -> None:
    path, keylog = tmp_path / "a.pcapng", tmp_path / "tls.keylog"
    with Sniffer("lo", path, keylog=keylog) as running:
        assert running.method == "af_packet"
        before_ns = time.time_ns()
        with (
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        ):
            receiver.bind(("::1", 0))
            target = receiver.getsockname()
            other.sendto(b"not of IPv6", ("127.0.0.1", 9))
            sender.sendto(b"one", target)
            keylog.write_bytes(b"CLIENT_RANDOM 00 11\nCLIENT_RAN")
            sender.sendto(b"two", target)
            wait_for(lambda: running.packets >= 2)
            live = [each for each in CaptureReader(path).packets() if each.data.endswith((b"one", b"two"))]
            assert len(live) == 2
    items = list(CaptureReader(path))
    assert isinstance(items[0], Secrets)
    assert items[0].data == b"CLIENT_RANDOM 00 11\n"
    packets = [each for each in items if isinstance(each, Packet)]
    assert all(each.data[12:14] in (b"\x86\xdd", b"\x88\xe1") for each in packets)
    ours = [each for each in packets if each.data.endswith((b"one", b"two"))]
    assert len(ours) == 2, "on loopback every frame counts once"
    assert before_ns - 1_000_000 <= ours[0].t_ns <= ours[1].t_ns <= time.time_ns()
    assert running.error == ""
    assert running.dropped == 0


def test_without_the_interface_the_tap_takes_over_and_says_why(tmp_path: Path) -> None:
    with Sniffer("nope0", tmp_path / "a.pcapng") as running:
        assert running.method == "socket_tap"
        assert "nope0" in running.reason
        assert isinstance(running.tap, SocketTap)
    with pytest.raises(OSError, match=r"."):
        Sniffer("nope0", tmp_path / "b.pcapng", method="af_packet").start()


def test_without_permission_the_tap_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(interface: str, **options: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(packet_ring, "open_raw_socket", refuse)
    with Sniffer("lo", tmp_path / "a.pcapng") as running:
        assert running.method == "socket_tap"
        assert "CAP_NET_RAW" in running.reason


def test_socket_payloads_become_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    big = bytes(range(256)) * 20
    with Sniffer("lo", path, method="socket_tap") as running:
        tap = running.tap
        stamp = time.monotonic_ns()
        tap.udp(Flow("fe80::1", 50_001, "ff02::1", 15_118), b"\x01\xfe\x90\x00", stamp, outgoing=True)
        tap.tcp_open(FLOW, stamp)
        tap.tcp_data(FLOW, b"request", stamp, outgoing=True)
        tap.tcp_data(FLOW, big, stamp, outgoing=False)
        tap.tcp_close(FLOW, stamp)
    assert running.error == ""
    assert running.dropped == 0
    packets = list(CaptureReader(path).packets())
    segments = -(-len(big) // frames.MAX_SEGMENT)
    assert len(packets) == 1 + 3 + 1 + segments + 3
    assert all(abs(each.t_ns - time.time_ns()) < 10_000_000_000 for each in packets)
    from scapy.layers.inet import TCP, UDP
    from scapy.layers.l2 import Ether

    decoded = [Ether(each.data) for each in packets]
    assert bytes(decoded[0][UDP].payload) == b"\x01\xfe\x90\x00"
    received = b"".join(
        bytes(each[TCP].payload) for each in decoded[1:] if each[TCP].sport == FLOW.remote_port
    )
    assert received == big
    # Sequence numbers must join, or no tool can reassemble the stream.
    expected = 0
    for each in decoded[1:]:
        if each[TCP].sport == FLOW.remote_port:
            assert each[TCP].seq == expected
            expected += len(each[TCP].payload) + (1 if set("SF") & set(str(each[TCP].flags)) else 0)


def test_taking_a_payload_does_not_wait_for_scapy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "scapy_loaded", lambda: False)
    with Sniffer("lo", tmp_path / "a.pcapng", method="socket_tap") as running:
        for _ in range(1000):
            running.tap.tcp_data(FLOW, b"x", time.monotonic_ns(), outgoing=True)
        assert running.packets == 0  # all taken, none written yet: nobody waited for the writer
    assert running.packets == 1000


def test_the_queue_of_the_tap_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "scapy_loaded", lambda: False)
    monkeypatch.setattr(socket_tap, "_MAX_QUEUED", 5)
    with Sniffer("lo", tmp_path / "a.pcapng", method="socket_tap") as running:
        for _ in range(8):
            running.tap.tcp_data(FLOW, b"x", 0, outgoing=True)
    assert running.dropped == 3
    assert running.packets == 5


def test_the_filter_passes_what_it_should() -> None:
    """The program is run here step by step: a wrong jump would silently lose the SLAC frames."""

    def passes(frame: bytes) -> bool:
        program = packet_ring.frame_filter()
        steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
        position, register = 0, 0
        while True:
            code, true, false, value = steps[position]
            if code == 0x06:
                return value > 0
            if code == 0x28:
                register = int.from_bytes(frame[value : value + 2], "big")
                position += 1
            else:
                position += 1 + (true if register == value else false)

    macs = bytes(12)
    assert passes(macs + b"\x86\xdd" + bytes(40))
    assert passes(macs + b"\x88\xe1" + bytes(40))
    assert passes(macs + b"\x81\x00\x00\x05\x86\xdd" + bytes(40))
    assert passes(macs + b"\x81\x00\x00\x05\x88\xe1" + bytes(40))
    assert passes(macs + b"\x88\xa8\x00\x05\x88\xe1" + bytes(40))
    assert passes(macs + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x86\xdd" + bytes(40))
    assert passes(macs + b"\x81\x00\x00\x05\x81\x00\x00\x06\x88\xe1" + bytes(40))
    assert not passes(macs + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00" + bytes(40))
    assert not passes(macs + b"\x08\x00" + bytes(40))
    assert not passes(macs + b"\x81\x00\x00\x05\x08\x06" + bytes(40))


def test_a_slac_frame_is_described() -> None:
    frame = bytes(12) + b"\x88\xe1" + bytes.fromhex("0164600000000001020304050607080000") + bytes(40)
    layers = frames.describe(frame)
    assert layers[0]["layer"] == "Ethernet"
    assert any("HomePlug" in each["layer"] or "SLAC" in each["layer"] for each in layers)


@given(st.binary(max_size=200), st.sampled_from([b"\x86\xdd", b"\x88\xe1", b"\x81\x00", b"\x00\x00"]))
@settings(max_examples=60, deadline=None)
def test_any_frame_is_described(data: bytes, ethertype: bytes) -> None:
    layers = frames.describe(bytes(12) + ethertype + data)
    assert layers
    assert len(layers) <= 17


@pytest.mark.parametrize("method", ["socket_tap", pytest.param("af_packet", marks=needs_raw)])
def test_the_frames_of_a_tunnel_are_in_the_capture_by_either_method(method: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    frame = bytes.fromhex("ffffffffffff 020000000001 88e1 01 6460".replace(" ", "")).ljust(60, b"\0")
    with Sniffer("lo", path, method=method) as running:
        running.tap.ethernet(frame, time.monotonic_ns())
        running.tap.ethernet(frame, time.monotonic_ns())
    packets = [each for each in CaptureReader(path) if isinstance(each, Packet)]
    tunnelled = [each for each in packets if each.interface == 1]
    assert [each.data for each in tunnelled] == [frame, frame]
    assert running.error == ""


def test_a_frame_behind_the_end_of_the_capture_is_lost_and_told(tmp_path: Path) -> None:
    running = Sniffer("lo", tmp_path / "a.pcapng", method="socket_tap").start()
    tap = running.tap
    running.stop()
    tap.ethernet(bytes(60), time.monotonic_ns())
    assert isinstance(tap, socket_tap.FrameTap)
    assert tap.dropped == 1 and "not written" in tap.error

"""The host's port: a tunnel to the simulated powerline, and raw Ethernet on a veth pair."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

from bench.slac.mme import BROADCAST, MnbcSoundInd, NwInfoReq, build_frame
from bench.slac.port import (
    PortError,
    PortPermissionError,
    RawPort,
    TunnelPort,
    ethertype,
    open_port,
)
from tests.veth import veth_pair

OTHER = bytes.fromhex("020000000002")
SOUND = build_frame(MnbcSoundInd(cnt=9), destination=BROADCAST, source=OTHER)
QUESTION = build_frame(NwInfoReq(), destination=BROADCAST, source=OTHER)
IPV6 = BROADCAST + OTHER + b"\x86\xdd" + bytes(46)


def behind_length(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">H", len(frame)) + frame for frame in frames)


@pytest.fixture
def tunnel() -> Iterator[tuple[TunnelPort, socket.socket]]:
    """A tunnel's port, and the far end of its wire."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = open_port(f"tunnel:127.0.0.1:{listener.getsockname()[1]}")
        far, _ = listener.accept()
    assert isinstance(port, TunnelPort)
    with port, far:
        far.settimeout(5)
        yield port, far


def test_tunnel_carries_whole_frames_both_ways(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    port, far = tunnel
    before = time.monotonic_ns()
    stamp = port.send(SOUND)
    assert before <= stamp <= time.monotonic_ns()
    assert far.recv(4096) == behind_length(SOUND)
    far.sendall(behind_length(SOUND, IPV6, QUESTION))
    first, second = port.receive(5), port.receive(5)
    assert first is not None and second is not None
    assert (first.frame, second.frame) == (SOUND, QUESTION), "IPv6 is not for this port"
    assert before < first.t_ns <= second.t_ns <= time.monotonic_ns()
    assert port.receive(0) is None


def test_tunnel_puts_a_frame_together_from_single_bytes(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    port, far = tunnel
    for byte in behind_length(SOUND)[:-1]:
        far.sendall(bytes([byte]))
        assert port.receive(0) is None
    far.sendall(behind_length(SOUND)[-1:])
    received = port.receive(5)
    assert received is not None and received.frame == SOUND


def test_tunnel_is_readable_as_long_as_a_frame_waits(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    port, far = tunnel
    far.sendall(behind_length(SOUND, QUESTION))
    for _ in range(2):
        assert select.select([port], [], [], 5)[0] == [port]
        assert port.receive(0) is not None
    assert select.select([port], [], [], 0)[0] == []


@pytest.mark.parametrize("frame", [b"", b"\xff", SOUND[:13], BROADCAST + OTHER + b"\x81\x00\x00\x01"])
def test_tunnel_drops_what_is_no_frame(tunnel: tuple[TunnelPort, socket.socket], frame: bytes) -> None:
    port, far = tunnel
    far.sendall(behind_length(frame, QUESTION))
    received = port.receive(5)
    assert received is not None and received.frame == QUESTION


def test_tunnel_that_lost_count_is_an_error(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    port, far = tunnel
    far.sendall(b"\xff\xff" + bytes(100))
    with pytest.raises(PortError, match="a frame of 65535 bytes is announced"):
        port.receive(5)


def test_tunnel_hung_up_is_an_error(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    port, far = tunnel
    far.sendall(behind_length(SOUND)[:10])
    far.close()
    with pytest.raises(PortError, match="the simulated powerline hung up"):
        port.receive(5)
    port.close()
    port.close()
    with pytest.raises(PortError):
        port.send(SOUND)


def test_tunnel_refuses_what_no_ethernet_carries(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    with pytest.raises(PortError, match="too long"):
        tunnel[0].send(bytes(1527))


def test_each_host_has_an_address_of_its_own(tunnel: tuple[TunnelPort, socket.socket]) -> None:
    port, _ = tunnel
    assert len(port.mac) == 6
    assert port.mac[0] & 0b11 == 0b10, "locally administered, not a group"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resource = f"tunnel:127.0.0.1:{listener.getsockname()[1]}"
        with open_port(resource) as another, open_port(resource, mac=OTHER) as given:
            assert another.mac != port.mac
            assert given.mac == OTHER
            assert given.name == resource


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        ("tunnel:", "is no tunnel: tunnel:HOST:PORT"),
        ("tunnel:127.0.0.1", "is no tunnel"),
        ("tunnel:127.0.0.1:0", "is no tunnel"),
        ("tunnel:127.0.0.1:65536", "is no tunnel"),
        ("no-such-if", r"there is no interface 'no-such-if' on this host \(it has .*lo"),
        ("", "there is no interface ''"),
        ("x" * 100, "there is no interface"),
        ("a\0b", "there is no interface"),
    ],
)
def test_a_wrong_resource_gets_one_clear_line(resource: str, problem: str) -> None:
    with pytest.raises(PortError, match=problem) as caught:
        open_port(resource)
    assert "\n" not in str(caught.value)


def test_nobody_at_the_other_end_of_a_tunnel() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    with pytest.raises(PortError, match=f"tunnel:127.0.0.1:{number}: nobody listens there"):
        open_port(f"tunnel:127.0.0.1:{number}")


@pytest.mark.parametrize("mac", [b"", bytes(5), b"\x01" + bytes(5), BROADCAST])
def test_an_address_that_no_station_has_is_refused(mac: bytes) -> None:
    with pytest.raises(PortError, match="is no station address"):
        open_port("lo", mac=mac)


def test_without_the_capability_the_error_says_what_to_do() -> None:
    """In a process that gives its capabilities away first; a user without them needs not."""
    script = """
        import ctypes, struct
        from bench.slac.port import PortPermissionError, open_port
        header = struct.pack("Ii", 0x20080522, 0)          # _LINUX_CAPABILITY_VERSION_3, this process
        assert ctypes.CDLL(None).capset(header, bytes(24)) == 0
        try:
            open_port("lo")
        except PortPermissionError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == (
        "raw Ethernet on lo needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep` the Python"
        " interpreter\n"
    )
    assert issubclass(PortPermissionError, PermissionError)


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (SOUND, 0x88E1),
        (SOUND[:12] + b"\x81\x00\x00\x05" + SOUND[12:], 0x88E1),
        (SOUND[:12] + b"\x88\xa8\x00\x05\x81\x00\x00\x06" + SOUND[12:], 0x88E1),
        (SOUND[:12] + b"\x81\x00\x00\x05" * 3 + SOUND[12:], None),
        (IPV6, 0x86DD),
        (SOUND[:13], None),
        (SOUND[:12] + b"\x81\x00\x00", None),
    ],
)
def test_ethertype_behind_tags(frame: bytes, found: int | None) -> None:
    assert ethertype(frame) == found


# --- raw Ethernet -----------------------------------------------------------------------------


@pytest.fixture
def veth() -> Iterator[tuple[str, str]]:
    with veth_pair() as ends:
        yield ends


@contextlib.contextmanager
def plain(interface: str) -> Iterator[socket.socket]:
    """A raw socket that sends anything."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((interface, 0))
        yield sock


@pytest.mark.netns
def test_raw_frames_over_a_veth_pair(veth: tuple[str, str]) -> None:
    with open_port(veth[0]) as near, open_port(veth[1]) as far:
        assert isinstance(near, RawPort)
        assert near.mac != far.mac
        before = time.monotonic_ns()
        sent_at = near.send(SOUND)
        received = far.receive(5)
        assert received is not None and received.frame == SOUND
        assert before <= sent_at <= time.monotonic_ns()
        # the stamp comes from the wall clock's kernel stamp, whose turning into monotonic costs microseconds
        assert before - 1_000_000 < received.t_ns <= time.monotonic_ns()
        with plain(veth[0]) as neighbour:  # another program of this host on the same interface
            neighbour.send(SOUND)
        far.send(QUESTION)
        back = near.receive(5)
        assert back is not None and back.frame == QUESTION, "what this host sends does not come back"


@pytest.mark.netns
def test_raw_port_passes_homeplug_only_with_the_tags_that_it_had(veth: tuple[str, str]) -> None:
    tagged = SOUND[:12] + b"\x81\x00\x60\x07" + SOUND[12:]
    service = SOUND[:12] + b"\x88\xa8\x00\x09" + SOUND[12:]
    twice = SOUND[:12] + b"\x88\xa8\x00\x09\x81\x00\x00\x07" + SOUND[12:]
    with open_port(veth[0]) as port, plain(veth[1]) as other:
        for frame in (IPV6, tagged, IPV6[:12] + b"\x81\x00\x00\x07" + IPV6[12:], service, twice, QUESTION):
            other.send(frame)
        seen = [port.receive(5) for _ in range(4)]
        assert [each.frame for each in seen if each is not None] == [tagged, service, twice, QUESTION]
        assert port.receive(0) is None


@pytest.mark.netns
def test_raw_port_with_another_address_hears_what_is_sent_to_it(veth: tuple[str, str]) -> None:
    to_other = build_frame(NwInfoReq(), destination=OTHER, source=bytes.fromhex("020000000003"))
    with open_port(veth[0], mac=OTHER) as port, plain(veth[1]) as far:
        assert port.mac == OTHER
        far.send(to_other)
        received = port.receive(5)
        assert received is not None and received.frame == to_other


@pytest.mark.netns
def test_an_interface_that_is_down_gets_one_clear_line(veth: tuple[str, str]) -> None:
    with open_port(veth[0]) as port:
        subprocess.run(["ip", "link", "set", veth[0], "down"], check=True)
        with pytest.raises(PortError, match=f"{veth[0]} is down: `ip link set {veth[0]} up`"):
            port.send(SOUND)

"""Live capture and decoding: the ring on a virtual cable, lost frames, what reaches the timeline."""

from __future__ import annotations

import json
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from capture_lab import Talk, ethernet, exi_messages, ipv6, session, udp
from cryptography.hazmat.primitives.asymmetric import ec
from tls_pairs import Pair, identity

from bench.capture import live, packet_ring
from bench.capture.decode import decode
from bench.capture.events import EventMaker
from bench.capture.files import open_capture
from bench.capture.keylog import KeyLog
from bench.capture.live import LiveDecoder
from bench.capture.packet_ring import Frame, PacketRing
from bench.capture.pcapng import CaptureReader
from bench.capture.sniffer import Sniffer
from bench.capture.timeline_file import TimelineFile
from bench.timeline import Event, Timeline, TimelineError, read
from bench.v2g import v2gtp
from tests.shared import shared_dir
from tests.veth import veth_pair

NOISE = ethernet(ipv6(udp(b"noise" * 20, target_port=5353), protocol=17))
MESSAGES = exi_messages()


@pytest.fixture
def cable() -> Iterator[tuple[str, socket.socket]]:
    """The name of one end, and a socket that sends into the other."""
    with veth_pair() as (near, far), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((far, 0))
        yield near, sock


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def stamped(frames: list[bytes]) -> list[Frame]:
    now = time.time_ns()
    return [Frame(now + number * 1000, data, len(data)) for number, data in enumerate(frames)]


def names(events: list[Event], kind: str) -> list[str]:
    return [each.name for each in events if each.kind == kind]


# -- the ring


def ours(frames: list[Frame]) -> list[Frame]:
    """Without what the interfaces themselves send (neighbour discovery)."""
    return [each for each in frames if each.data[:12] == NOISE[:12]]


def taken(ring: PacketRing, count: int) -> list[Frame]:
    """The next `count` frames of ours."""
    poller = select.poll()
    poller.register(ring.fileno(), select.POLLIN)
    found: list[Frame] = []
    while len(found) < count and poller.poll(5000):
        found += ours(ring.take())
    return found


@pytest.mark.netns
def test_the_ring_gives_every_frame_whole_and_in_order(cable: tuple[str, socket.socket]) -> None:
    name, sock = cable
    ring = PacketRing(name, ring_bytes=1024 * 1024, block_bytes=64 * 1024)
    try:
        before = time.time_ns()
        sent = [NOISE[:-2] + struct.pack(">H", number) for number in range(1000)]
        sent[500] = NOISE + bytes(1300)
        for frame in sent:
            sock.send(frame)
        found = taken(ring, 1000)
        assert [each.data for each in found] == sent
        assert all(each.length == len(each.data) for each in found)
        stamps = [each.t_ns for each in found]
        assert stamps == sorted(stamps)
        assert before - 1_000_000_000 < stamps[0] <= stamps[-1] <= time.time_ns()
        assert ring.count_lost() == 0
    finally:
        ring.close()


@pytest.mark.netns
def test_the_ring_keeps_tags(cable: tuple[str, socket.socket]) -> None:
    name, sock = cable
    ring = PacketRing(name, ring_bytes=256 * 1024, block_bytes=64 * 1024)
    try:
        tagged = [NOISE[:12] + tag + NOISE[12:] for tag in (b"\x81\x00\x60\x07", b"\x88\xa8\x00\x09")]
        tagged.append(NOISE[:12] + b"\x88\xa8\x00\x09\x81\x00\x00\x07" + NOISE[12:])
        for frame in tagged:
            sock.send(frame)
        assert [each.data for each in taken(ring, 3)] == tagged
    finally:
        ring.close()


@pytest.mark.netns
def test_what_the_kernel_drops_is_counted(cable: tuple[str, socket.socket]) -> None:
    name, sock = cable
    ring = PacketRing(name, ring_bytes=2 * 16 * 1024, block_bytes=16 * 1024)
    try:
        for _ in range(2000):
            sock.send(NOISE)
        wait_for(lambda: ring.count_lost() > 0 or ring.lost > 0)
        held = 0

        def all_accounted_for() -> bool:
            nonlocal held
            held += len(ring.take())
            ring.count_lost()
            return held + ring.lost >= 2000

        # A busy system hands on the last frames only now.
        wait_for(all_accounted_for)
        assert held > 0
        assert ring.lost > 0
        assert ring.received == held
        sock.send(NOISE)
        assert len(taken(ring, 1)) == 1, "it goes on after that"
    finally:
        ring.close()


@pytest.mark.netns
def test_what_is_for_others_is_heard(cable: tuple[str, socket.socket]) -> None:
    flags = Path(f"/sys/class/net/{cable[0]}/flags")
    ring = PacketRing(cable[0], ring_bytes=256 * 1024)
    promiscuous = 0x100
    assert int(flags.read_text(), 16) & promiscuous
    ring.close()
    assert not int(flags.read_text(), 16) & promiscuous


# -- the sniffer


@pytest.mark.netns
def test_lost_frames_are_in_the_evidence(
    cable: tuple[str, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, sock = cable
    small = PacketRing(name, ring_bytes=2 * 16 * 1024, block_bytes=16 * 1024)
    monkeypatch.setattr("bench.capture.sniffer.PacketRing", lambda interface: small)
    for _ in range(2000):
        sock.send(NOISE)
    told: list[int] = []
    path = tmp_path / "a.pcapng"
    with (
        Timeline(tmp_path / "timeline.jsonl") as timeline,
        LiveDecoder(timeline) as decoder,
        Sniffer(name, path, listener=decoder, on_lost=told.append) as sniffer,
    ):
        wait_for(lambda: sniffer.dropped > 0)
        sock.send(NOISE)
        wait_for(lambda: any("lost" in each.comment for each in CaptureReader(path).packets()))
        [event] = [each for each in timeline.since() if each.kind == "capture"]
    assert sum(told) == sniffer.dropped == event.data["total"]
    assert event.name == "frames lost"
    assert event.source == "sniffer"
    marks = [each.comment for each in CaptureReader(path).packets() if each.comment]
    assert marks == [f"{sniffer.dropped} frames before this one were lost"]
    # The last block is the interface's statistics: captured and dropped.
    block = path.read_bytes()[-52:]
    assert struct.unpack_from("<II", block) == (5, 52)
    assert struct.unpack_from("<HHQHHQ", block, 20) == (4, 8, sniffer.packets, 5, 8, sniffer.dropped)


@pytest.mark.netns
def test_an_interface_that_goes_down_is_told_and_comes_back(
    cable: tuple[str, socket.socket], tmp_path: Path
) -> None:
    name, sock = cable
    with Sniffer(name, tmp_path / "a.pcapng") as sniffer:
        subprocess.run(["ip", "link", "set", name, "down"], check=True)
        wait_for(lambda: "went down" in sniffer.error)
        before = sniffer.packets
        subprocess.run(["ip", "link", "set", name, "up"], check=True)

        def arrives() -> bool:
            try:
                sock.send(NOISE)
            except OSError:
                return False
            return sniffer.packets > before

        wait_for(arrives)


# -- live decoding


@pytest.mark.netns
def test_a_session_of_others_is_on_the_timeline_while_it_happens(
    cable: tuple[str, socket.socket], tmp_path: Path
) -> None:
    name, sock = cable
    path = tmp_path / "a.pcapng"
    frames = session()
    with (
        Timeline(tmp_path / "timeline.jsonl") as timeline,
        LiveDecoder(timeline) as decoder,
        Sniffer(name, path, listener=decoder),
    ):
        begun = time.monotonic_ns()
        for frame in frames[:6]:
            sock.send(frame)
        first = timeline.wait_for(lambda event: event.kind == "v2g", 20)
        assert first is not None, "before the session has ended"
        assert begun - 50_000_000 <= first.t_ns <= time.monotonic_ns()
        for frame in frames[6:]:
            sock.send(frame)
        last = timeline.wait_for(lambda event: event.name == MESSAGES[-1][0], 20)
        assert last is not None
        events = timeline.since()
    v2g = [each for each in events if each.kind == "v2g"]
    assert [(each.name, each.data["exi"]) for each in v2g] == [(name, exi.hex()) for name, exi in MESSAGES]
    assert {each.source for each in v2g} == {"sniffer"}
    assert [each.data["dir"] for each in v2g] == ["tx", "rx"] * (len(v2g) // 2)
    assert all(each.data["rtt_s"] >= 0 for each in v2g if each.data["dir"] == "rx")
    assert v2g[3].data["response_code"] == "OK"
    assert names(events, "tcp")[0] == "connect"
    assert [each.name for each in read(tmp_path / "timeline.jsonl") if each.kind == "v2g"] == names(
        events, "v2g"
    )
    # The frame numbers are those of the file.
    with open_capture(path) as reader:
        at = {packet.number: packet.data for packet in reader}
    assert all(bytes.fromhex(each.data["exi"]) in at[each.data["frame"]] for each in v2g)
    assert decoder.error == ""
    assert decoder.decoded == len(at)


def test_tls_is_read_with_secrets_that_come_as_it_happens(tmp_path: Path) -> None:
    end = identity(tmp_path, "end", curve=ec.SECP256R1())
    pair = Pair(tmp_path, end, client=end, version=ssl.TLSVersion.TLSv1_3).handshake()
    for index, (_, exi) in enumerate(MESSAGES):
        pair.say("c2s" if index % 2 == 0 else "s2c", v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, exi))
    talk = Talk()
    frames = talk.open()
    for direction, data in pair.close().wire.flights:
        frames += talk.say(0 if direction == "c2s" else 1, data)
    frames += talk.close()

    with Timeline() as timeline, LiveDecoder(timeline) as decoder:
        decoder.frames(stamped(frames[:-20]))
        decoder.key_log(pair.wire.keylog.encode())
        decoder.frames(stamped(frames[-20:]))
        decoder.stop()
        events = timeline.since()
    assert names(events, "v2g") == [name for name, _ in MESSAGES]
    assert all(each.data["tls"] for each in events if each.kind == "v2g")
    [handshake] = [each for each in events if each.kind == "tls" and each.name == "handshake"]
    assert handshake.data["version"] == "TLS 1.3"
    for chain in ("chain", "client_chain"):
        assert [ssl.PEM_cert_to_DER_cert(each) for each in handshake.data[chain]] == [end.der]
    assert "alert" in names(events, "tls")
    assert "failed" not in names(events, "tls")


@pytest.mark.netns
def test_a_key_log_that_grows_decrypts_what_is_captured(
    cable: tuple[str, socket.socket], tmp_path: Path
) -> None:
    """A car and a charger that are not ours; their key log comes into a file while they talk."""
    name, sock = cable
    end = identity(tmp_path, "end", curve=ec.SECP256R1())
    pair = Pair(tmp_path, end).handshake()
    for index, (_, exi) in enumerate(MESSAGES):
        pair.say("c2s" if index % 2 == 0 else "s2c", v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, exi))
    talk = Talk()
    frames = talk.open()
    for direction, data in pair.wire.flights:
        frames += talk.say(0 if direction == "c2s" else 1, data)
    path, keylog = tmp_path / "a.pcapng", tmp_path / "of-the-charger.keylog"
    with (
        Timeline() as timeline,
        LiveDecoder(timeline) as decoder,
        Sniffer(name, path, keylog=keylog, listener=decoder) as sniffer,
    ):
        for frame in frames[:-4]:
            sock.send(frame)
        assert timeline.wait_for(lambda event: event.name == "ServerHello", 20) is not None
        assert names(timeline.since(), "v2g") == []
        wait_for(lambda: sniffer.packets >= len(frames) - 4)
        keylog.write_text(pair.wire.keylog)
        for frame in frames[-4:]:
            sock.send(frame)
        assert timeline.wait_for(lambda event: event.name == MESSAGES[-1][0], 20) is not None
        assert names(timeline.since(), "v2g") == [each for each, _ in MESSAGES]
    # The file alone is enough afterwards.
    items = [each for each in decode(path) if each.layer == "v2g"]
    assert [(each.name, each.payload) for each in items] == MESSAGES


def test_what_the_queue_has_no_room_for_is_counted_and_keeps_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = threading.Event()
    busy = threading.Event()

    def hold(item: object) -> None:
        busy.set()
        assert held.wait(20)

    frames = session()
    monkeypatch.setattr(live, "MAX_QUEUED_BYTES", sum(len(each) + 200 for each in frames) + 10_000)
    sdp = ethernet(ipv6(udp(bytes.fromhex("01fe9000000000021000")), protocol=17))
    numbers: list[int] = []
    with Timeline() as timeline, LiveDecoder(timeline, on_item=hold) as decoder:
        decoder.frames(stamped([sdp]))
        assert busy.wait(20)
        decoder.frames(stamped(frames))
        decoder.frames(stamped([NOISE] * 200))
        held.set()
        wait_for(lambda: decoder.decoded == 1 + len(frames))
        decoder.frames(stamped([sdp]))
        decoder.stop()
        events = timeline.since()
        numbers = [each.data["frame"] for each in events if each.kind == "sdp"]
    assert decoder.skipped == 200
    assert numbers == [1, 1 + len(frames) + 200 + 1]
    assert names(events, "capture") == ["frames not decoded"]


def test_a_fault_of_the_decoder_is_told_and_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = LiveDecoder()
    feed = decoder._decoder.feed

    def faulty(packet: object) -> object:
        if packet[0] == 2:  # type: ignore[index]
            raise ZeroDivisionError("on purpose")
        return feed(packet)  # type: ignore[arg-type]

    monkeypatch.setattr(decoder._decoder, "feed", faulty)
    decoder.frames(stamped(session()))
    decoder.stop()
    assert decoder.error == "frame 2 not decoded: ZeroDivisionError: on purpose"
    assert decoder.items > 0


def test_a_timeline_that_is_a_file_only(tmp_path: Path) -> None:
    with TimelineFile(tmp_path / "a.jsonl") as timeline:
        timeline.append("sniffer", "v2g", "SessionSetupReq", {"frame": 1}, t_ns=5)
        timeline.flush()
        [clock, event] = read(tmp_path / "a.jsonl")
    assert (clock.kind, clock.name) == ("clock", "epoch")
    assert event == Event(1, 5, "sniffer", "v2g", "SessionSetupReq", {"frame": 1})
    timeline.append("sniffer", "v2g", "after the end", {})
    assert timeline.error == ""
    with pytest.raises(TimelineError, match="cannot be written"):
        TimelineFile(tmp_path / "missing" / "a.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told_and_raises_nothing() -> None:
    timeline = TimelineFile(Path("/dev/full"))
    timeline.append("sniffer", "v2g", "SessionSetupReq", {})
    timeline.flush()
    timeline.close()
    assert timeline.error == "/dev/full: No space left on device"


# -- events of real captures


@pytest.mark.parametrize(
    ("name", "chains"),
    [("ISO-20_mTLS_DC_DS5366_Josev", 2), ("ISO-2_DC_PnC_TLS_CertInstallation_DS5366_RiseV2G", 1)],
)
def test_a_real_session_as_events(name: str, chains: int) -> None:
    folder = shared_dir()
    path = folder / "captures" / f"dspace_Wireshark_dsV2Gshark_examples_{name}.pcapng" if folder else None
    if path is None or not path.exists():
        pytest.skip("the shared captures are not here")
    maker = EventMaker()
    keylog = KeyLog.parse(Path(f"{path}.keylog").read_bytes())
    made = [each for item in decode(path, keylog) for each in maker.events(item)]
    json.dumps([each.data for each in made])
    kinds = [each.kind for each in made]
    slac = [(each.name, each.data["dir"]) for each in made if each.kind == "slac" and "dir" in each.data]
    assert slac.count(("CM_MNBC_SOUND.IND", "tx")) == 10
    assert slac.count(("CM_SLAC_MATCH.CNF", "rx")) == 1
    assert [each.data["dir"] for each in made if each.kind == "sdp"] == ["tx", "rx"]
    [handshake] = [each for each in made if each.name == "handshake"]
    assert bool(handshake.data["client_chain"]) == (chains == 2)
    v2g = [each for each in made if each.kind == "v2g"]
    assert [each.data["dir"] for each in v2g] == ["tx", "rx"] * (len(v2g) // 2)
    assert all(each.name.endswith("Req" if each.data["dir"] == "tx" else "Res") for each in v2g)
    assert "v2g-error" not in kinds


# -- the command


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.cli", "capture", "live", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.netns
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command(cable: tuple[str, socket.socket], tmp_path: Path, number: int) -> None:
    name, sock = cable
    path, timeline = tmp_path / "a.pcapng", tmp_path / "a.jsonl"
    words = ["--interface", name, "--write", str(path), "--timeline", str(timeline), "--jsonl"]
    with command(*words) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "capturing" in process.stderr.readline()
        for frame in session():
            sock.send(frame)
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1]["name"] == MESSAGES[-1][0]:
                break
        process.send_signal(number)
        _, complaints = process.communicate(timeout=30)
        assert process.returncode == 0
    assert [each["exi"] for each in lines if each["layer"] == "v2g"] == [exi.hex() for _, exi in MESSAGES]
    assert "frames captured, none lost" in complaints
    assert [each.name for each in read(timeline) if each.kind == "v2g"] == [each for each, _ in MESSAGES]
    assert len(list(CaptureReader(path).packets())) >= len(session())


@pytest.mark.netns
def test_the_command_ends_after_the_time_given(cable: tuple[str, socket.socket], tmp_path: Path) -> None:
    with command("--interface", cable[0], "--write", str(tmp_path / "a.pcapng"), "--for", "0.1") as process:
        _, complaints = process.communicate(timeout=30)
        assert process.returncode == 0
    assert "none lost" in complaints


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    with command("--interface", "nope0", "--write", str(tmp_path / "a.pcapng")) as process:
        _, complaints = process.communicate(timeout=30)
        assert process.returncode == 2
    assert len(complaints.splitlines()) == 1
    assert "nope0" in complaints or "CAP_NET_RAW" in complaints
    if packet_ring_possible():
        missing = tmp_path / "missing" / "a.pcapng"
        with command("--interface", "lo", "--write", str(missing)) as process:
            _, complaints = process.communicate(timeout=30)
            assert process.returncode == 2
        assert complaints == f"plugbench: {missing}: No such file or directory\n"


def packet_ring_possible() -> bool:
    try:
        packet_ring.open_raw_socket("lo").close()
    except OSError:
        return False
    return True

"""The live sniffer under load: 20,000 packets/s for 30 s on a veth pair, captured, written, decoded at once.

    python benchmarks/sniffer.py                       # root; about 40 s
    python benchmarks/sniffer.py --rate 50000 --seconds 10

A process of its own sends a charging session that never ends (CurrentDemand, every 10th frame), SLAC frames
(every 20th) and noise that a powerline network has (other IPv6, other HomePlug) into one end. At the other
end the capture is written as pcapng and decoded onto a timeline on disk, all in this process, as `plugbench
capture live` does it. Afterwards the file is read back and every frame sent is looked for.

Exit 0 when no frame was lost, every message was decoded, and decoding was less than 1 s behind at the
end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

CAR, CHARGER, OTHER = b"\x02\x00\x00\x00\xbe\x01", b"\x02\x00\x00\x00\xbe\x02", b"\x02\x00\x00\x00\xbe\x03"
CAR_IP, CHARGER_IP = bytes.fromhex("fe80" + "00" * 13 + "01"), bytes.fromhex("fe80" + "00" * 13 + "02")
MOST_LAG_S = 1.0
SENT, CAPTURED = "pbbench0", "pbbench1"


def ipv6(source: bytes, target: bytes, kind: int, payload: bytes) -> bytes:
    """An IPv6 packet from car to charger or back, by MAC address."""
    ends = (CAR_IP, CHARGER_IP) if source == CAR else (CHARGER_IP, CAR_IP)
    head = struct.pack(">IHBB", 0x6000_0000, len(payload), kind, 64)
    return target + source + b"\x86\xdd" + head + b"".join(ends) + payload


class Stream:
    """Both directions of one TCP connection, segment after segment."""

    def __init__(self) -> None:
        self._next = {True: 1, False: 1}

    def segment(self, from_car: bool, payload: bytes, flags: int = 0x18) -> bytes:
        """A frame with `payload` as the next segment of one side."""
        ports = (50_000, 61_000) if from_car else (61_000, 50_000)
        head = struct.pack(
            ">HHIIBBHHH", *ports, self._next[from_car], self._next[not from_car], 0x50, flags, 65_535, 0, 0
        )
        self._next[from_car] = (self._next[from_car] + len(payload) + (flags & 0x03 != 0)) & 0xFFFF_FFFF
        source, target = (CAR, CHARGER) if from_car else (CHARGER, CAR)
        return ipv6(source, target, 6, head + payload)


def session_messages() -> tuple[list[bytes], list[bytes]]:
    """V2GTP frames: the handshake up to the loop, and request and response of the loop, in turn."""
    from bench.v2g import codec, v2gtp

    xml = (
        '<ns:supportedAppProtocolReq xmlns:ns="urn:iso:15118:2:2010:AppProtocol"><AppProtocol>'
        "<ProtocolNamespace>urn:iso:15118:2:2013:MsgDef</ProtocolNamespace><VersionNumberMajor>2"
        "</VersionNumberMajor><VersionNumberMinor>0</VersionNumberMinor><SchemaID>1</SchemaID><Priority>1"
        "</Priority></AppProtocol></ns:supportedAppProtocolReq>",
        '<ns:supportedAppProtocolRes xmlns:ns="urn:iso:15118:2:2010:AppProtocol"><ResponseCode>'
        "OK_SuccessfulNegotiation</ResponseCode><SchemaID>1</SchemaID></ns:supportedAppProtocolRes>",
    )
    start = [codec.encode(codec.from_xml("sap", each), schema="sap") for each in xml]
    from bench.v2g.messages import iso2

    def message(body: object) -> bytes:
        header = iso2.MessageHeader(SessionID=bytes(range(8)))
        return codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)), schema="iso2")

    def value(unit: str, number: int, multiplier: int = 0) -> object:
        return iso2.PhysicalValue(Multiplier=multiplier, Unit=unit, Value=number)

    request = iso2.CurrentDemandReq(
        DC_EVStatus=iso2.DC_EVStatus(EVReady=True, EVErrorCode="NO_ERROR", EVRESSSOC=50),
        EVTargetCurrent=value("A", 125),
        ChargingComplete=False,
        EVTargetVoltage=value("V", 400),
        EVMaximumVoltageLimit=value("V", 450),
        RemainingTimeToFullSoC=value("s", 1200),
    )
    response = iso2.CurrentDemandRes(
        ResponseCode="OK",
        DC_EVSEStatus=iso2.DC_EVSEStatus(
            NotificationMaxDelay=0,
            EVSENotification="None",
            EVSEIsolationStatus="Valid",
            EVSEStatusCode="EVSE_Ready",
        ),
        EVSEPresentVoltage=value("V", 400),
        EVSEPresentCurrent=value("A", 125),
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        EVSEPowerLimitAchieved=False,
        EVSEID="DE*PLG*E1",
        SAScheduleTupleID=1,
    )
    packed = [
        v2gtp.pack(v2gtp.PAYLOAD_V2G_EXI, each) for each in (*start, message(request), message(response))
    ]
    return packed[:2], packed[2:]


def traffic(count: int) -> Iterator[tuple[str, bytes]]:
    """`count` frames, each with its kind: "v2g", "slac", "tcp" (without a message) or "noise"."""
    start, loop = session_messages()
    stream = Stream()
    opening = [
        ("tcp", stream.segment(True, b"", 0x02)),
        ("tcp", stream.segment(False, b"", 0x12)),
        ("tcp", stream.segment(True, b"", 0x10)),
        ("v2g", stream.segment(True, start[0])),
        ("v2g", stream.segment(False, start[1])),
    ]
    yield from opening
    sound = bytes.fromhex("017660000000") + bytes(17) + b"\x05" + bytes(8) + bytes(8) + os.urandom(16)
    slac = CHARGER + CAR + b"\x88\xe1" + sound
    noise = [
        ipv6(OTHER, CAR, 17, struct.pack(">HHHH", 5353, 5353, 108, 0) + os.urandom(100)),
        ipv6(OTHER, CHARGER, 58, os.urandom(64)),
        ipv6(OTHER, CAR, 6, struct.pack(">HHIIBBHHH", 443, 9, 1, 1, 0x50, 0x10, 1, 0, 0) + os.urandom(600)),
        CAR + OTHER + b"\x88\xe1" + bytes.fromhex("0034a1 00b052") + os.urandom(60),
    ]
    turn = 0
    for number in range(len(opening), count):
        if number % 10 == 0:
            yield "v2g", stream.segment(turn % 2 == 0, loop[turn % 2])
            turn += 1
        elif number % 20 == 5:
            yield "slac", slac
        else:
            yield "noise", noise[number % len(noise)]


def send(rate: int, seconds: float, ready: Connection) -> None:
    """Send at `rate`; tells what was sent: {kind: count}, seconds."""
    frames, kinds = [], {"v2g": 0, "slac": 0, "tcp": 0, "noise": 0}
    for kind, frame in traffic(int(rate * seconds)):
        kinds[kind] += 1
        frames.append(frame)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((SENT, 0))
        ready.send("ready")
        ready.recv()
        begun, position = time.perf_counter(), 0
        while position < len(frames):
            due = min(len(frames), int((time.perf_counter() - begun) * rate) + 1)
            for frame in frames[position:due]:
                sock.send(frame)
            position = max(position, due)
            time.sleep(0.0005)
        ready.send((kinds, time.perf_counter() - begun))


def ip(*words: str, check: bool = True) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=check, capture_output=True)


def measure(rate: int, seconds: float, folder: Path) -> bool:
    """One run with its table; True when nothing was lost and decoding kept up."""
    from bench.capture.live import LiveDecoder
    from bench.capture.pcapng import CaptureReader
    from bench.capture.sniffer import Sniffer
    from bench.capture.timeline_file import TimelineFile
    from bench.timeline import read

    path = folder / "load.pcapng"
    near, far = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(target=send, args=(rate, seconds, far))
    sender.start()
    near.recv()
    counts: dict[str, int] = {}
    with (
        TimelineFile(folder / "timeline.jsonl") as timeline,
        LiveDecoder(timeline, on_batch=timeline.flush) as decoder,
    ):
        sniffer = Sniffer(CAPTURED, path, method="af_packet", listener=decoder)
        with sniffer:
            used = time.process_time()
            near.send("go")
            lags = []
            while not near.poll(0.05):
                lags.append(decoder.lag_s)
            kinds, took = near.recv()
            lag_s, worst_s = decoder.lag_s, decoder.worst_lag_s
            used = time.process_time() - used
    for event in read(folder / "timeline.jsonl"):
        counts[event.kind] = counts.get(event.kind, 0) + 1
    sender.join()
    offered = sum(kinds.values())
    macs = (CAR, CHARGER, OTHER)
    found = sum(packet.data[6:12] in macs for packet in CaptureReader(path).packets())
    print(f"offered      {offered} packets in {took:.2f} s: {offered / took:.0f} packets/s")
    print(f"             {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    size_mb = path.stat().st_size / 1e6
    print(f"captured     {found} of them in the file ({size_mb:.1f} MB), {sniffer.packets} in all")
    print(f"kernel drops {sniffer.dropped}")
    messages = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in ("v2g", "slac"))
    print(f"decoded      {decoder.decoded} packets, {decoder.skipped} skipped; messages: {messages}")
    median_ms, high_ms = (statistics.quantiles(lags, n=100)[each - 1] * 1000 for each in (50, 99))
    print(f"decode lag   median {median_ms:.0f} ms, 99 % within {high_ms:.0f} ms,", end=" ")
    print(f"worst {worst_s * 1000:.0f} ms, {lag_s * 1000:.0f} ms when the last packet was sent")
    print(f"processor    {used / took * 100:.0f} % of one core for capture, file, decoding and timeline")
    for problem in (sniffer.error, decoder.error):
        if problem:
            print(f"problem      {problem}")
    whole = found == offered and sniffer.dropped == 0 and decoder.skipped == 0
    read = counts.get("v2g", 0) == kinds["v2g"] and counts.get("slac", 0) >= kinds["slac"]
    quick = lag_s <= MOST_LAG_S
    print(f"result       {'met' if whole and read and quick else 'MISSED'}")
    return whole and read and quick and not sniffer.error and not decoder.error


def main() -> int:
    """Make the veth pair, measure, remove it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=20_000, help="packets a second")
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("benchmarks/sniffer.py needs root: it makes a veth pair and captures on it", file=sys.stderr)
        return 2
    ip("link", "del", SENT, check=False)
    ip("link", "add", SENT, "type", "veth", "peer", "name", CAPTURED)
    try:
        for name in (SENT, CAPTURED):
            # Without an address of its own the interface sends nothing of its own.
            ip("link", "set", name, "addrgenmode", "none")
            ip("link", "set", name, "up")
        with tempfile.TemporaryDirectory() as folder:
            return 0 if measure(args.rate, args.seconds, Path(folder)) else 1
    finally:
        ip("link", "del", SENT, check=False)


if __name__ == "__main__":
    sys.exit(main())

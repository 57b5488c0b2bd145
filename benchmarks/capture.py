"""Capture decoding: packets and V2G messages per second beside tshark, and the memory that 1 GB takes.

Run: python benchmarks/capture.py FOLDER_OF_CAPTURES [--gigabytes N]

Everything is measured in one run, in turn, because machines differ and are shared. "Full decode" is what
`plugbench capture decode` does up to the items: SLAC, SDP, TCP reassembly, V2G from EXI to typed messages.
tshark prints the fields that a dissection without an EXI decoder has.

dsV2Gshark, which does decode EXI, is measured where it is installed. Where not, its figure is one measured
elsewhere, on a machine where tshark printed fields at TSHARK_ELSEWHERE packets/s; it is scaled by what tshark
does here in this run.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

if __name__ == "__main__":  # allows running from a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.capture.decode import Decoder, run
from bench.capture.files import Packet, open_capture
from bench.capture.layers import IPV6, TCP, network, transport

DISSECTOR, TSHARK_ELSEWHERE = 1_740, 46_000
"""V2G messages/s of tshark with dsV2Gshark (XML out), packets/s of tshark -T fields, both on one machine."""
WANTED_RATIO = 1.0
WANTED_TIMES = 10
WANTED_MEMORY_MB = 200
MERGE_PACKETS = 300_000
ROUNDS = 3
_CHILD = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from bench.capture.decode import Decoder, run
from bench.capture.files import open_capture
decoder = Decoder()
messages = sum(item.layer == "v2g" and not item.problem for item in run(open_capture(sys.argv[2]), decoder))
print(decoder.packets, messages, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def packets_of(folder: Path) -> list[Packet]:
    """The packets of a folder's Ethernet captures without TLS, whose records cannot be repeated."""
    packets: list[Packet] = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".pcap", ".pcapng", ".dump"):
            continue
        decoder = Decoder()
        reader = open_capture(path)
        with reader:
            own = []
            for packet in reader:
                decoder.feed(packet)
                own.append(packet)
        if not decoder.tls_seen and own and own[0].link == 1:
            packets += own
    return packets


def repeated(packets: list[Packet]) -> Iterator[tuple[int, bytes]]:
    """Time and data without end: each round 60 s later, and with ports of its own: new connections."""
    shift = 0
    span = 60_000_000_000
    places = [_port_place(packet) for packet in packets]
    base = min(packet.t_ns for packet in packets)
    while True:
        for number, (packet, place) in enumerate(zip(packets, places, strict=True)):
            data = packet.data
            if place and shift:
                source, target = struct.unpack_from(">HH", data, place)
                ports = struct.pack(">HH", (source + 7 * shift) & 0xFFFF, (target + 7 * shift) & 0xFFFF)
                data = data[:place] + ports + data[place + 4 :]
            yield base + shift * span + number * 1000, data
        shift += 1


def _port_place(packet: Packet) -> int:
    """Where the TCP ports of a packet stand; 0 for other packets."""
    kind, offset = network(packet.link, packet.data)
    found = transport(kind, packet.data, offset) if kind == IPV6 else None
    return found.start if found is not None and found.protocol == TCP else 0


def write_pcap(path: Path, stream: Iterator[tuple[int, bytes]], *, packets: int = 0, size: int = 0) -> int:
    """A nanosecond pcap of so many packets, or of at least so many bytes; returns the number of packets."""
    count = written = 0
    with path.open("wb", buffering=1024 * 1024) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1))
        for t_ns, data in stream:
            if count >= packets and written >= size:
                break
            file.write(struct.pack("<IIII", t_ns // 10**9, t_ns % 10**9, len(data), len(data)) + data)
            count += 1
            written += 16 + len(data)
    return count


def timed(action: Callable[[], object]) -> float:
    """Seconds of one call, on the wall."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def decode_all(path: Path) -> tuple[int, int]:
    """Packets and V2G messages of a file."""
    decoder = Decoder()
    messages = sum(item.layer == "v2g" and not item.problem for item in run(open_capture(path), decoder))
    return decoder.packets, messages


def tshark(path: Path) -> None:
    """The same file through tshark, fields of every packet."""
    fields = [part for name in ("frame.number", "frame.time_epoch", "eth.src", "ipv6.src", "ipv6.dst",
              "tcp.srcport", "tcp.dstport", "tcp.payload") for part in ("-e", name)]  # fmt: skip
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *fields]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def has_plugin() -> bool:
    """Whether tshark has the dsV2Gshark dissector."""
    done = subprocess.run(["tshark", "-G", "protocols"], capture_output=True, text=True, check=False)
    return "v2gmsg" in done.stdout.lower()


def dissector(path: Path, messages: int) -> float:
    """V2G messages per second of tshark with dsV2Gshark, decoding to XML."""
    command = ["tshark", "-n", "-r", str(path), "-T", "pdml"]
    seconds = timed(
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )
    return messages / seconds


def beside_dissector(path: Path, messages: int, speed: float, tshark_rate: float) -> bool:
    """Print our V2G messages per second beside those of dsV2Gshark; True when we are fast enough."""
    print(f"V2G messages      {speed:10,.0f} a second")
    if tshark_rate and has_plugin():
        beside = dissector(path, messages)
        print(f"dsV2Gshark        {beside:10,.0f} a second, measured here")
    else:
        beside = DISSECTOR
        print(f"dsV2Gshark        {beside:10,.0f} a second: not installed, a figure measured elsewhere")
        print(f"                  {speed / beside:10.1f} times that figure as it stands")
        if tshark_rate:
            beside *= tshark_rate / TSHARK_ELSEWHERE
            print(f"                  {beside:10,.0f} a second, scaled by tshark's own speed in this run")
    good = speed >= WANTED_TIMES * beside
    print(f"times             {speed / beside:10.1f}   wanted {WANTED_TIMES}: {verdict(good)}")
    return good


def verdict(good: bool) -> str:
    """A word for a line's end."""
    return "ok" if good else "MISSED"


def main() -> int:
    """Measure and print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="captures (pcap, pcapng, dump) without TLS, or with")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the large file (default 1)")
    arguments = parser.parse_args()
    packets = packets_of(arguments.folder)
    good = True
    with tempfile.TemporaryDirectory(prefix="plugbench-capture-") as folder:
        path = Path(folder) / "merged.pcap"
        count = write_pcap(path, repeated(packets), packets=MERGE_PACKETS)
        messages = decode_all(path)[1]  # warm: the codec compiles its grammars at first use
        print(f"{count:,} packets, {messages:,} V2G messages; {ROUNDS} rounds in turn, medians")
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda: decode_all(path)))
            if shutil.which("tshark"):
                theirs.append(timed(lambda: tshark(path)))
        rate = count / statistics.median(ours)
        print(f"full decode       {rate:10,.0f} packets/s")
        other = count / statistics.median(theirs) if theirs else 0.0
        if theirs:
            good &= rate >= WANTED_RATIO * other
            print(f"tshark -T fields  {other:10,.0f} packets/s")
            said = verdict(rate >= WANTED_RATIO * other)
            print(f"ratio             {rate / other:10.2f}   wanted {WANTED_RATIO:.0f}: {said}")
        else:
            print("tshark is not installed: no ratio")
        good &= beside_dissector(path, messages, messages / statistics.median(ours), other)
        path.unlink()
        good &= large(Path(folder) / "large.pcap", packets, int(arguments.gigabytes * 1e9))
    return 0 if good else 1


def large(path: Path, packets: list[Packet], size: int) -> bool:
    """Decode a large file in a process of its own; True when its peak memory is within the limit."""
    count = write_pcap(path, repeated(packets), size=size)
    root = str(Path(__file__).resolve().parents[1])
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, root, str(path)], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - start
    found = re.match(r"(\d+) (\d+) (\d+)", done.stdout)
    assert found is not None
    assert int(found[1]) == count
    peak = int(found[3]) / 1024
    rate = f"{int(found[2]):,} V2G messages in {seconds:.0f} s"
    print(f"{path.stat().st_size / 1e9:.2f} GB           {count:,} packets, {rate}")
    print(f"peak memory       {peak:10.0f} MB   limit {WANTED_MEMORY_MB}: {verdict(peak < WANTED_MEMORY_MB)}")
    return peak < WANTED_MEMORY_MB


if __name__ == "__main__":
    sys.exit(main())

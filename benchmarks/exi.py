"""Microseconds per message of the EXI codec and of its peers, in one run on one machine.

    python benchmarks/exi.py                       # ours, and every peer that is at hand
    python benchmarks/exi.py --install             # first puts the PyPI package in a venv in the user's cache
    python benchmarks/exi.py --iso15118 PYTHON --libcbv2g DIR

Median of a decode and of an encode, the same bytes for all:

    ours          typed message <-> bytes
    iso15118      the PyPI package as in production: pydantic message <-> JSON <-> py4j <-> jar <-> bytes
    EXIficient    the package's jar in one JVM after thousands of rounds, schemas loaded. XML: text <-> bytes,
                  with Java's own serializer and parser. DOM: document <-> bytes, the nearest to a typed
                  message. Ours is held against both. SAX: bytes to a handler that does nothing, and from a
                  list of recorded events: no message is made of them, so it is shown for what the jar costs
                  at least, and not judged
    libcbv2g      C, struct <-> bytes, -O2

All but the package are measured in --passes turns, the best of which counts, so that a load that comes and
goes does not favour one of them. The package is found by --iso15118 (a Python that has iso15118==0.31.2) or
in JOSEV_HOME, libcbv2g (a checkout of EVerest/libcbv2g) by --libcbv2g or LIBCBV2G_HOME. A peer that is not
there has no figures. "*": the peer's own bytes differ from those given. Then the decode rate over the
captures in --captures (or PLUGBENCH_SHARED, ../shared) and the cost of the import. Exit 1 when a criterion
fails.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # allows running from a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.v2g import codec
from benchmarks import exi_peers
from benchmarks.exi_messages import messages
from benchmarks.exi_peers import Missing, Streams, Timing

PACKAGE_FACTOR = 250.0
"""Times ours must be faster than the PyPI package."""
C_FACTOR = 10.0
"""Times of libcbv2g's that ours may take: an aim."""
OWN_LIMIT_US = 23.0
"""Longest geometric mean of encode + decode."""
IMPORT_LIMIT_MS, IMPORT_LIMIT_MB = 150.0, 40.0


def median_us(action: Callable[[], object], rounds: int = 200, batch: int = 20) -> float:
    """Median time of ``action`` in microseconds."""
    action()
    found = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(batch):
            action()
        found.append((time.perf_counter_ns() - start) / batch / 1000)
    return statistics.median(found)


def time_ours(streams: Streams) -> dict[str, Timing]:
    """Plugbench's codec."""
    found = {}
    for name, schema, data in streams:
        message = codec.decode(schema, data)
        decode_us = median_us(lambda s=schema, d=data: codec.decode(s, d))  # type: ignore[misc]
        encode_us = median_us(lambda s=schema, m=message: codec.encode(m, s))  # type: ignore[misc]
        found[name] = Timing(decode_us, encode_us, codec.encode(message, schema) == data)
    return found


def geometric_mean(timings: dict[str, Timing]) -> float:
    """Of decode + encode, in microseconds."""
    return math.exp(statistics.fmean(math.log(t.both_us) for t in timings.values()))


SET_OF_NAMESPACE = {
    "urn:iso:15118:2:2010:AppProtocol": "sap",
    "urn:din:70121:2012:MsgDef": "din",
    "urn:iso:15118:2:2013:MsgDef": "iso2",
    "urn:iso:std:iso:15118:-20:CommonMessages": "iso20-common",
    "urn:iso:std:iso:15118:-20:DC": "iso20-dc",
    "urn:iso:std:iso:15118:-20:AC": "iso20-ac",
}


def captured(folder: Path) -> list[tuple[str, bytes]]:
    """Every V2G message (set, EXI) of the captures' ground truth in a folder."""
    found = []
    for path in sorted(folder.glob("*.truth.json.gz")):
        truth = json.loads(gzip.decompress(path.read_bytes()))
        for entry in truth["v2gtp"]:
            # Wireshark puts a set that it guessed in brackets.
            space = entry.get("schema", "").rpartition("(")[2].rstrip(")")
            if space in SET_OF_NAMESPACE:
                found.append((SET_OF_NAMESPACE[space], bytes.fromhex(entry["exi"])))
    return found


def decode_captures(folder: Path) -> str:
    """Messages a second over the captures, once through after a warm-up round."""
    stream = captured(folder)
    if not stream:
        return "not measured: no *.truth.json.gz in " + str(folder)
    rates, refused = [], 0
    for _ in range(4):
        refused = 0
        start = time.perf_counter()
        for schema, data in stream:
            try:
                codec.decode(schema, data)
            except codec.DecodeError:
                refused += 1
        rates.append(len(stream) / (time.perf_counter() - start))
    size = statistics.fmean(len(data) for _, data in stream)
    return (
        f"{statistics.median(rates[1:]):,.0f} messages/s decoded "
        f"({len(stream):,} messages, {refused} refused, {size:.0f} bytes on average)"
    )


def print_table(streams: Streams, columns: dict[str, dict[str, Timing]]) -> None:
    """Decode/encode a message and codec, and the geometric means."""
    print(f"{'decode/encode in us':36}{'bytes':>6}" + "".join(f"{name:>20}" for name in columns))
    for name, _, data in streams:
        cells = ""
        for timings in columns.values():
            t = timings[name]
            cells += f"{_us(t.decode_us) + ' / ' + _us(t.encode_us) + ('' if t.same else ' *'):>20}"
        print(f"{name:36}{len(data):6}{cells}")
    means = "".join(f"{_us(geometric_mean(timings)):>20}" for timings in columns.values())
    print(f"{'geometric mean of decode + encode':42}{means}")


def _us(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def criteria(columns: dict[str, dict[str, Timing]]) -> bool:
    """Prints how ours stands to each peer; False when a criterion fails."""
    ours = geometric_mean(columns["ours"])
    met = ours <= OWN_LIMIT_US
    print(f"ours                {ours:8.1f} us, at most {OWN_LIMIT_US:.0f}: {_verdict(met)}")
    if "iso15118" in columns:
        factor = geometric_mean(columns["iso15118"]) / ours
        good = factor >= PACKAGE_FACTOR
        print(f"iso15118 / ours     {factor:8,.0f}, at least {PACKAGE_FACTOR:.0f}: {_verdict(good)}")
        met = met and good
    for way in ("EXIficient XML", "EXIficient DOM"):
        if way in columns:
            factor = geometric_mean(columns[way]) / ours
            print(f"{way + ' / ours':20}{factor:8.2f}, at least 1: {_verdict(factor >= 1)}")
            met = met and factor >= 1
    if "EXIficient SAX" in columns:
        factor = geometric_mean(columns["EXIficient SAX"]) / ours
        said = "ours is not slower" if factor >= 1 else "ours is slower"
        print(f"EXIficient SAX / ours {factor:6.2f}, bare events, not judged: {said}")
    if "libcbv2g" in columns:
        factor = ours / geometric_mean(columns["libcbv2g"])
        aim = "reached" if factor <= C_FACTOR else "not reached"
        print(f"ours / libcbv2g     {factor:8.1f}, the aim is at most {C_FACTOR:.0f}: {aim}")
    return met


def _verdict(good: bool) -> str:
    return "met" if good else "MISSED"


def measure(args: argparse.Namespace, streams: Streams) -> dict[str, dict[str, Timing]]:
    """The figures of every codec that is there, in turns; a line for each that is not."""

    def package() -> Path:
        return exi_peers.find_package(args.iso15118, args.install)

    known: dict[str, Callable[[], dict[str, Timing]]] = {
        "ours": lambda: time_ours(streams),
        "iso15118": lambda: exi_peers.time_package(package(), streams, args.rounds),
        "EXIficient XML": lambda: exi_peers.time_exificient(package(), streams, "xml", args.warm_ms),
        "EXIficient DOM": lambda: exi_peers.time_exificient(package(), streams, "dom", args.warm_ms),
        "EXIficient SAX": lambda: exi_peers.time_exificient(package(), streams, "sax", args.warm_ms),
        "libcbv2g": lambda: exi_peers.time_libcbv2g(args.libcbv2g, streams),
    }
    found: dict[str, dict[str, Timing]] = {}
    for turn in range(args.passes):
        for name in list(known):
            if turn and name == "iso15118":
                continue  # minutes a turn, and orders of magnitude away
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            try:
                timings = known[name]()
            except Missing as missing:
                print(f"{name:16} not measured: {missing}")
                del known[name]
                continue
            best = found.setdefault(name, timings)
            found[name] = {stream: best[stream].better(timings[stream]) for stream in timings}
    return found


def main() -> int:
    """Prints the table and the criteria; 1 when one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iso15118", type=Path, metavar="PYTHON", help=f"Python with {exi_peers.PACKAGE}")
    parser.add_argument("--install", action="store_true", help="install it in the user's cache if need be")
    parser.add_argument("--libcbv2g", type=Path, metavar="DIR", help="checkout of EVerest/libcbv2g")
    parser.add_argument("--captures", type=Path, metavar="DIR", help="folder with *.truth.json.gz")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of the package a message (30)")
    parser.add_argument("--warm-ms", type=int, default=1500, help="warm-up of the JVM a measurement (1500)")
    parser.add_argument("--passes", type=int, default=2, help="turns (2)")
    args = parser.parse_args()
    streams = [(name, schema, codec.encode(m, schema)) for name, (schema, m) in messages().items()]
    columns = measure(args, streams)
    print_table(streams, columns)
    met = criteria(columns)
    shared = Path(os.environ.get("PLUGBENCH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    print(f"captures            {decode_captures(args.captures or shared / 'captures')}")
    cpu_ms, peak_mb = exi_peers.import_cost()
    good = cpu_ms <= IMPORT_LIMIT_MS and peak_mb <= IMPORT_LIMIT_MB
    limits = f"{IMPORT_LIMIT_MS:.0f} ms and {IMPORT_LIMIT_MB:.0f} MB"
    print(f"import              {cpu_ms:8.0f} ms CPU, {peak_mb:.1f} MB, at most {limits}: {_verdict(good)}")
    return 0 if met and good else 1


if __name__ == "__main__":
    sys.exit(main())

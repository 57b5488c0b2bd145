"""SDP request to first PowerDeliveryRes of a DC Plug & Charge session over TLS: Plugbench and Josev.

    python benchmarks/handshake.py                # Plugbench's EV against its simulated charger
    python benchmarks/handshake.py --josev DIR    # and Josev against Josev, in the same run
                                                  # (DIR: folder with josev_secc.sh and josev_evcc.sh)

The Plugbench session is the whole bench at work: instruments are driven and sampled, every message is on the
timeline and in the capture. The charger is one that answers instantly: the simulated discharge after the
insulation test takes 5 ms instead of 50. Josev (the PyPI package `iso15118`) needs root, a JRE and network
namespaces; where those are missing its line says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TARGET_S = 0.150


def plugbench_times(sessions: int) -> list[float]:
    """Handshake times of `sessions` sessions, one after the other, on an embedded bench of their own."""
    from bench.station import Station
    from fixtures import benches_dir
    from fixtures.car import Car

    times: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        bench = Path(scratch) / "bench.toml"
        text = (benches_dir() / "embedded.toml").read_text(encoding="utf-8")
        text = text.replace('name = "embedded"', 'name = "benchmark"', 1)
        bench.write_text(text.replace("[rig]", "[rig]\nbleed_s = 0.005", 1), encoding="utf-8")
        with Station.open(bench, results=Path(scratch) / "results") as station:
            station.csms.contracts.accept(station.pki.contract.emaid)
            for _ in range(sessions):
                car = Car(station)
                session = car.plug_in(energy="dc", auth="pnc")
                session.through("PowerDeliveryReq")
                total_s = session.handshake_s
                assert total_s is not None
                times.append(total_s)
                session.stop()
                car.unplug()
    return times


@contextlib.contextmanager
def josev_charger(folder: Path) -> Iterator[None]:
    """Josev as a charger in its namespace, ready."""
    subprocess.run(["bash", str(folder / "netns_up.sh")], check=True, capture_output=True)
    charger = subprocess.Popen(
        ["bash", str(folder / "josev_secc.sh"), "iso2-dc", "tls", "jvs0"],
        env={**os.environ, "NETNS": "jv-secc"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert charger.stdout is not None
        for line in charger.stdout:
            if "ready" in line:
                break
        yield
    finally:
        charger.terminate()
        charger.wait(timeout=20)
        subprocess.run(["bash", str(folder / "netns_down.sh")], check=False, capture_output=True)


def josev_times(folder: Path, sessions: int) -> list[float]:
    """Handshake times of Josev's EV against Josev's charger, from the EV's own trace."""
    with tempfile.TemporaryDirectory() as scratch, josev_charger(folder):
        trace = Path(scratch) / "trace.jsonl"
        command = ["bash", str(folder / "josev_evcc.sh"), "iso2-dc", "tls", "jve0"]
        command += ["--sessions", str(sessions), "--cycles", "1", "--fast-stop", "--trace", str(trace)]
        subprocess.run(
            command,
            env={**os.environ, "NETNS": "jv-ev"},
            check=True,
            capture_output=True,
            timeout=60 + 20 * sessions,
        )
        return read_josev_trace(trace.read_text(encoding="utf-8").splitlines())


def read_josev_trace(lines: list[str]) -> list[float]:
    """SDP request to first PowerDeliveryRes of each session in the trace, in seconds.

    The clock starts with the last SDP request before the connection: a request that its charger overhears
    while it still ends the former session is not held against it.
    """
    times: list[float] = []
    begin_ns: int | None = None
    for line in lines:
        event = json.loads(line)
        if event["ev"] == "session":
            begin_ns = None
        elif event["ev"] == "sdp_req" and begin_ns != 0:
            begin_ns = event["t"]
        elif event["ev"] == "from_exi" and "PowerDeliveryRes" in event.get("msg", "") and begin_ns:
            times.append((event["t"] - begin_ns) / 1e9)
            begin_ns = 0  # the later PowerDeliveryRes of this session do not count
    return times


def line(name: str, times: list[float]) -> str:
    """One line of the table."""
    return (
        f"{name:<24} {len(times):>3} sessions   median {statistics.median(times) * 1000:7.1f} ms"
        f"   min {min(times) * 1000:7.1f}   max {max(times) * 1000:7.1f}"
    )


def main() -> int:
    """Run both and print the table; exit 1 when the median of Plugbench is over the target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--josev", type=Path, metavar="DIR", help="folder with Josev's start scripts")
    parser.add_argument("--josev-sessions", type=int, default=5)
    args = parser.parse_args()
    ours = plugbench_times(args.sessions)
    print(line("Plugbench", ours), flush=True)
    median_s = statistics.median(ours)
    if args.josev is None:
        print("Josev                    not run: give --josev DIR")
    elif os.geteuid() != 0:
        print("Josev                    not run: network namespaces need root")
    else:
        theirs = josev_times(args.josev.resolve(), args.josev_sessions)
        print(line("Josev against Josev", theirs))
        print(f"ratio of the medians     {statistics.median(theirs) / median_s:.1f}")
    print(f"target                   {TARGET_S * 1000:.0f} ms: {'met' if median_s <= TARGET_S else 'MISSED'}")
    return 0 if median_s <= TARGET_S else 1


if __name__ == "__main__":
    sys.exit(main())

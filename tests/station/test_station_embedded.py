"""The whole embedded bench: rig, simulated charger, real drivers, opened and broken in every way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.station import BenchError, BenchInUse, MissingCapability, Station
from bench.timeline import read
from drivers import CardReader, ControlPilot, DcSink, LimitExceeded, PowerAnalyzer


def wait_for(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def station(bench_file: Callable[..., Path], tmp_path: Path) -> Iterator[Station]:
    with Station.open(bench_file("one"), results=tmp_path / "results") as opened:
        yield opened


def test_open_sample_command_close(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    steps: list[str] = []
    with Station.open(bench_file("one"), results=tmp_path, progress=steps.append) as station:
        assert station.health() is None
        assert station.sdp_port and station.bench.network.sdp_port == station.sdp_port
        assert station.csms.connected
        assert any("SDP" in note for note in station.notes)
        mark = station.timeline.mark()
        pilot, sink = station.instruments.get(ControlPilot), station.instruments.get(DcSink)
        pilot.set_state("B")
        with pytest.raises(LimitExceeded):
            sink.set_voltage(1200)
        with pytest.raises(MissingCapability, match="bench 'one' has no Path"):
            station.instruments.get(Path)
        for kind in ("power", "meter", "pilot"):
            assert station.timeline.wait_for(lambda event, kind=kind: event.kind == kind, 2, since=mark)  # type: ignore[misc]
        assert station.timeline.wait_for(
            lambda event: event.kind == "pilot" and event.data["state"] == "B", 2, since=mark
        )
        commands = [event.name for event in station.timeline.since(mark) if event.kind == "instrument"]
        assert commands == ["STATE B"], "polling is not in the way of commands"
        station.sampler.stop()
        samples = [event for event in station.timeline.since(mark) if event.kind == "power"]
        assert set(samples[0].data) == {"mode", "voltage_v", "current_a", "power_w", "energy_wh"}
        station.sampler.start()
        described = station.describe()
        json.dumps(described)
        assert {each["name"] for each in described["bench"]["instruments"]} == {
            "pilot", "sink", "acload", "analyzer", "meter", "modem",
        }  # fmt: skip
        assert all(
            each["simulated"] and each["verified_on"] is None for each in described["bench"]["instruments"]
        )
        assert described["charger"]["ocpp_boot"]["chargingStation"]["vendorName"] == "Plugbench"
        station.safe_state()
        station.safe_state()
        assert pilot.measure().state == "A"
        assert station.instruments.get(CardReader) is pilot
    station.close()
    assert steps[-1].startswith("waiting for charger")
    manifest = json.loads(station.run.path_of("manifest.json").read_text())
    assert {
        "timeline.jsonl",
        "bench.toml",
        "charger.toml",
        "capture.pcapng",
        "rig.log",
        "charger.log",
    } <= set(manifest["files"])
    assert station.run.path_of("bench.toml").read_text() == station.bench.text
    assert list(read(station.run.path_of("timeline.jsonl")))


def test_two_benches_at_once_but_not_the_same_twice(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    one, two = bench_file("one"), bench_file("two")
    with Station.open(one, results=tmp_path) as first, Station.open(two, results=tmp_path) as second:
        assert first.sdp_port != second.sdp_port
        with pytest.raises(BenchInUse, match=f"process {os.getpid()}"):
            Station.open(one, results=tmp_path)
        assert first.health() is None and second.health() is None


def test_a_lost_instrument_breaks_the_bench_for_good(station: Station) -> None:
    assert station.rig is not None
    analyzer = station.instruments.get(PowerAnalyzer)
    port = int(analyzer.resource.split("::")[2])
    inspect = _rig_window(station)
    inspect("unplug", "analyzer")
    wait_for(station.health)
    cause = station.health()
    assert cause is not None and "analyzer" in cause and str(port) in cause
    inspect("plug", "analyzer")
    station.safe_state()
    assert station.health() == cause, "a bench that broke stays broken"


def test_a_pilot_board_that_falls_silent_breaks_the_bench(station: Station) -> None:
    _rig_window(station)("mute", "pilot")
    wait_for(station.health)
    with pytest.raises(BenchError, match="safe state: pilot"):
        station.safe_state()


@pytest.mark.parametrize("which", ["charger_process", "rig"])
def test_a_process_that_dies_is_the_cause(station: Station, which: str) -> None:
    process = getattr(station, which)
    os.kill(process.pid, signal.SIGKILL)
    wait_for(station.health)
    cause = station.health() or ""
    name = {"charger_process": "the simulated charger", "rig": "the simulated rig"}[which]
    assert cause.startswith(f"{name} died: killed by SIGKILL")


def _rig_window(station: Station) -> Callable[[str, str], None]:
    """The rig's window is not among the instruments: it is found in the rig's own endpoints."""
    address = station.rig_endpoints["inspect"]

    def ask(verb: str, name: str) -> None:
        host, port = address.split(":")
        with (
            socket.create_connection((host, int(port)), timeout=5) as window,
            window.makefile("rwb") as stream,
        ):
            stream.write(json.dumps({verb: name}).encode() + b"\n")
            stream.flush()
            assert json.loads(stream.readline())["problem"] is None

    return ask


def test_what_is_taken_or_absent_is_one_line(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = bench_file(
            "busy", ("[ocsp]", f"[ocsp]\n# taken: {port}"), ("port = 0\nsecurity", f"port = {port}\nsecurity")
        )
        with pytest.raises(BenchError, match=rf"^csms: 127.0.0.1:{port}: Address already in use"):
            Station.open(busy, results=tmp_path)
    silent = bench_file("silent", ('resource = "rig:meter"', 'resource = "127.0.0.1:9"'))
    with pytest.raises(BenchError, match=r"^meter \(SDM630 Modbus at 127.0.0.1:9\): .*refused"):
        Station.open(silent, results=tmp_path)
    nowhere = bench_file("nowhere", ('interface = "lo"', 'interface = "lo0"'))
    with pytest.raises(BenchError, match="this host has no interface 'lo0'; did you mean 'lo'"):
        Station.open(nowhere, results=tmp_path)
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "index.json").write_text("{")
    unreadable = bench_file("unreadable", ("[rig]", '[pki]\nfolder = "pki"\n[rig]'))
    with pytest.raises(BenchError, match=r"^pki: .*index.json: not JSON") as caught:
        Station.open(unreadable, results=tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(BenchError, match="no-such-defect"):
        Station.open(bench_file("defect"), results=tmp_path, defects=["no-such-defect"])
    # nothing of the failed attempts is left: the same names can be opened again
    Station.open(bench_file("silent"), results=tmp_path).close()


def test_a_real_charger_that_does_not_come(bench_file: Callable[..., Path], tmp_path: Path) -> None:
    absent = bench_file(
        "absent",
        ('[charger]\nsimulated = true\nfile = "simulated"', '[charger]\nsimulated = false\nfile = "example"'),
        ("boot_timeout_s = 20", "boot_timeout_s = 1"),
        ("sdp_port = 0", "sdp_port = 15118"),
    )
    with pytest.raises(
        BenchError, match=r"charger 'PLUGBENCH-1' has not connected to ws://127.0.0.1:\d+ within 1 s"
    ):
        Station.open(absent, results=tmp_path)
    with pytest.raises(BenchError, match="has a real charger: defects"):
        Station.open(absent, results=tmp_path, defects=["x"])


CONTROLLER = """
    import json, sys, time
    from bench.station import Station
    from drivers import AcLoad, Contactor, ControlPilot, DcSink
    station = Station.open(sys.argv[1], results=sys.argv[2])
    with station:
        get = station.instruments.get
        get(ControlPilot).set_state("C"); get(Contactor).close_contactor()
        get(DcSink).set_voltage(400); get(DcSink).set_current_limit(30); get(DcSink).output(True)
        get(AcLoad).set_current(16); get(AcLoad).output(True)
        print(json.dumps({"inspect": station.rig_endpoints["inspect"], "run": str(station.run.path),
                          "pids": [station.rig.pid, station.charger_process.pid]}), flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_the_controller_ends_the_bench_is_safe(
    bench_file: Callable[..., Path], tmp_path: Path, number: signal.Signals
) -> None:
    controller = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CONTROLLER), str(bench_file("one")), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert controller.stdout is not None
    with controller.stdout:
        started = json.loads(controller.stdout.readline())
        host, port = started["inspect"].split(":")
        with (
            socket.create_connection((host, int(port)), timeout=5) as window,
            window.makefile("rwb") as stream,
        ):

            def vehicle() -> dict[str, object] | None:
                stream.write(b"{}\n")
                stream.flush()
                line = stream.readline()
                return json.loads(line)["vehicle"] if line else None  # type: ignore[no-any-return]

            before = vehicle()
            assert before is not None and before["pilot_state"] == "C" and before["sink_on"]
            os.kill(controller.pid, number)
            ended = time.monotonic()
            while (now := vehicle()) is not None:
                safe = now["pilot_state"] == "A" and not now["contactor_closed"] and not now["sink_on"]
                if safe and not any(now["load_on"]):  # type: ignore[call-overload]
                    break
                assert time.monotonic() - ended < 2.0, now
                time.sleep(0.01)
        controller.wait(10)
    if number is not signal.SIGKILL:
        manifest = json.loads((Path(started["run"]) / "manifest.json").read_text())
        assert "timeline.jsonl" in manifest["files"]
        names = [
            event.name
            for event in read(Path(started["run"]) / "timeline.jsonl")
            if event.kind == "instrument"
        ]
        last = [name for name in names if name in ("OUTP OFF", "LOAD OFF", "RELAY 0", "STATE A")]
        assert last[-6:] == ["OUTP OFF", "LOAD OFF", "LOAD OFF", "LOAD OFF", "RELAY 0", "STATE A"]
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started["pids"]))

"""Both sides in real time, over the simulated powerline and its modems, by the real driver."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.capture.pcapng import PcapngWriter
from bench.slac import mme
from bench.slac.config import EvConfig
from bench.slac.ev import EvMatcher
from bench.slac.faults import raw
from bench.slac.machine import VehicleState
from bench.slac.port import EthernetPort, PortError, Received, open_port
from bench.slac.run import Car, match, match_cars
from bench.timeline import Timeline
from drivers.qca7000 import Qca7000
from tests.slac.live_bench import Bench

QUICK = EvConfig(attempts=1, sound_interval_s=0.02)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.fixture
def modem(bench: Bench) -> Iterator[Qca7000]:
    driver = Qca7000(bench.endpoints["plc"], name="modem", settle_s=0.0, poll_s=0.01)
    driver.open()
    yield driver
    driver.close()


class PilotOf:
    """The car's resistors, felt by the charger."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def set_state(self, state: VehicleState) -> None:
        self._bench.pilot(state)


def test_twenty_of_twenty_matchings_link(bench: Bench, modem: Qca7000) -> None:
    networks = set()
    for _ in range(20):
        result = match(modem.port, modem, config=QUICK)
        assert result.linked, result.reason
        assert (result.attempts, result.problems) == (1, [])
        assert result.nid == bench.matcher.nid
        networks.add(result.nid)
        bench.pilot("A")
        bench.pilot("B")
    assert len(networks) == 20


def test_the_timeline_has_every_frame_and_tshark_finds_no_fault_in_them(
    bench: Bench, modem: Qca7000, tmp_path: Path
) -> None:
    timeline = Timeline()
    result = match(
        modem.port, modem, PilotOf(bench), EvConfig(attempts=1, validate="always"), timeline=timeline
    )
    assert result.linked, result.reason
    events = [each for each in timeline.since() if each.kind == "slac" and "dir" in each.data]
    names = [each.name for each in events]
    assert names[:2] == ["CM_SLAC_PARM.REQ", "CM_SLAC_PARM.CNF"]
    assert [names.count(each) for each in ("CM_START_ATTEN_CHAR.IND", "CM_MNBC_SOUND.IND")] == [3, 10]
    assert names[-2:] == ["CM_SLAC_MATCH.REQ", "CM_SLAC_MATCH.CNF"]
    assert {each.source for each in events} == {"ev"}
    assert [each.t_ns for each in events] == sorted(each.t_ns for each in events)
    assert events[0].data["fields"]["run_id"] == result.run_id.hex()
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed; all but the decoding was checked")
    capture = tmp_path / "match.pcapng"
    with PcapngWriter(capture) as writer:
        writer.add_interface("slac")
        for each in events:
            writer.packet_monotonic(bytes.fromhex(each.data["raw"]), each.t_ns)
    out = subprocess.run(
        [
            "tshark",
            "-r",
            str(capture),
            "-T",
            "fields",
            "-e",
            "homeplug_av.mmhdr.mmtype",
            "-e",
            "_ws.malformed",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    kinds = {kind.name: kind.mmtype for kind in mme.known_mmes()}
    assert [int(line.split("\t")[0], 16) for line in out] == [kinds[name] for name in names]
    assert [line for line in out if "alformed" in line] == []


def test_two_cars_at_once_on_one_line(bench: Bench, modem: Qca7000) -> None:
    bench.call(bench.line.command({"add": "second", "side": "ev"}))
    resource = bench.line.modems["second"].host.resource
    second = EvConfig(attempts=1, sound_interval_s=0.02, join=False)
    with open_port(resource) as port:
        cars = [
            Car(EvMatcher(modem.port.mac, QUICK), modem.port, modem),
            Car(EvMatcher(port.mac, second), port, name="ev-2"),
        ]
        timeline = Timeline()
        results = match_cars(cars, timeline)
    assert sum(each.matched for each in results) == 1
    assert all(each.sounds == 10 for each in results)
    assert {each.source for each in timeline.since() if each.kind == "slac"} == {"ev", "ev-2"}


def test_raw_bytes_in_place_of_a_message_go_out_and_count_as_missing(bench: Bench, modem: Qca7000) -> None:
    timeline = Timeline()
    result = match(
        modem.port,
        modem,
        config=QUICK,
        faults=[raw("CM_SLAC_PARM.REQ", b"\x01\x64\x60", last=1)],
        timeline=timeline,
    )
    assert result.linked
    assert result.retries == {"CM_SLAC_PARM.REQ": 1}
    sent = [each for each in timeline.since() if each.name == "CM_SLAC_PARM.REQ"]
    assert sent[0].data["deviation"] == "3 raw bytes"
    assert bytes.fromhex(sent[0].data["raw"])[12:17] == b"\x88\xe1\x01\x64\x60"


def test_a_charger_that_is_not_plugged_does_not_answer(bench: Bench, modem: Qca7000) -> None:
    bench.pilot("A")
    result = match(modem.port, modem, config=QUICK)
    assert (result.matched, result.evses) == (False, [])
    assert bench.matcher.state == "unplugged"


def test_the_second_key_is_set_when_there_is_no_link_at_half_time(bench: Bench, modem: Qca7000) -> None:
    class Deaf:
        keys = 0

        def set_key(self, nid: bytes, nmk: bytes) -> None:
            self.keys += 1

        def wait_link(self, timeout_s: float) -> bool:
            assert 0.0 <= timeout_s <= 12.0
            return self.keys == 2

    deaf = Deaf()
    result = match(modem.port, deaf, config=QUICK)
    assert (result.linked, deaf.keys, result.retries) == (True, 2, {"CM_SET_KEY.REQ": 1})


def test_validation_needs_a_pilot(bench: Bench, modem: Qca7000) -> None:
    with pytest.raises(ValueError, match="control pilot"):
        match(modem.port, modem, config=EvConfig(validate="always"))


def test_a_port_that_breaks_ends_the_charger_and_the_matching(bench: Bench, modem: Qca7000) -> None:
    bench.call(bench.line.unplug("ev"))
    with pytest.raises(PortError):
        match(modem.port, modem, config=QUICK)
    bench.call(bench.line.unplug("evse"))
    assert bench.broken.wait(5)


def test_a_cut_message_is_told_and_ignored() -> None:
    port = _Scripted(b"\xff" * 6 + bytes(5) + b"\1" + b"\x88\xe1\x01\x65\x60\x00\x00")
    timeline = Timeline()
    result = match(
        port, None, config=EvConfig(attempts=1, overrides={"TT_match_response": 0.01}), timeline=timeline
    )
    assert not result.matched
    assert any("CM_SLAC_PARM.CNF: m_sound_target" in each for each in result.problems)
    assert any(each.name == "malformed" for each in timeline.since())


class _Scripted(EthernetPort):
    """Says one frame after the first one that was sent."""

    mac, name = b"\2" + bytes(5), "scripted"

    def __init__(self, frame: bytes) -> None:

        self._frame: bytes | None = frame
        self._sent = False
        self._read, self._write = os.pipe()

    def send(self, frame: bytes) -> int:

        self._sent = True
        return time.monotonic_ns()

    def receive(self, timeout_s: float) -> Any:

        if self._sent and self._frame is not None:
            frame, self._frame = self._frame, None
            return Received(frame, time.monotonic_ns())
        select.select([self._read], [], [], timeout_s)
        return None

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:

        os.close(self._read)
        os.close(self._write)

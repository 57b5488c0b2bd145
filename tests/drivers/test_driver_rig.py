"""The real drivers against the real rig process: one world, seen the same from every wire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rig_client import ChargerEnd, RigProcess

from drivers import Driver, InstrumentLost, InstrumentRefused, registry

ENDPOINTS = {
    "yokogawa-wt": "analyzer",
    "eastron-sdm630": "meter",
    "pilot-board": "pilot",
    "ea-psb": "sink",
    "chroma-63800": "acload",
}


@pytest.fixture
def rig() -> Iterator[RigProcess]:
    process = RigProcess()
    yield process
    process.close()


@pytest.fixture
def box(rig: RigProcess) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:

        def make(name: str, **options: Any) -> Driver:
            driver = registry.driver_class(name)(rig.endpoints[ENDPOINTS[name]], name=name, **options)
            driver.open()
            stack.callback(driver.close)
            return driver

        yield make


@pytest.fixture
def charger(rig: RigProcess) -> Iterator[ChargerEnd]:
    end = ChargerEnd(rig.endpoints["cable"])
    yield end
    end.close()


def test_pilot_levels_come_from_resistors(box: Callable[..., Any], charger: ChargerEnd) -> None:
    board = box("pilot-board")
    seen = {}
    charger.put(duty=5.0)
    for state in "ABCD":
        board.set_state(state)
        reading = board.measure()
        assert (reading.state, reading.duty_percent, reading.frequency_hz) == (state, 5.0, 1000.0)
        seen[state] = (reading.high_v, reading.low_v)
    for state, nominal in {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0}.items():
        high, low = seen[state]
        assert abs(high - nominal) < 0.1 and low == -12.0
    assert charger.put(duty=5.0)["pilot"]["state"] == "D"
    charger.put(duty=None)
    assert board.measure().oscillator is False


def test_dc_charge_is_the_same_from_every_side(
    rig: RigProcess, box: Callable[..., Any], charger: ChargerEnd
) -> None:
    board, sink, analyzer, meter = (
        box(name) for name in ("pilot-board", "ea-psb", "yokogawa-wt", "eastron-sdm630")
    )
    sink.max_current_a = 500.0
    sink.set_voltage(400)
    sink.set_current_limit(200)
    sink.output(True)
    # pre-charge: the contactor is open, so the charger's voltage stands alone
    answer = charger.put(enabled=True, voltage_v=395.0, current_a=2.0)
    assert answer["dc"] == {"voltage_v": 395.0, "current_a": 0.0}
    board.set_state("C")
    board.close_contactor()
    analyzer.integrate_reset()
    analyzer.integrate_start()
    before = meter.read()
    started = time.monotonic()
    answer = charger.put(enabled=True, voltage_v=450.0, current_a=100.0)
    assert answer["dc"]["current_a"] == 100.0
    assert answer["dc"]["voltage_v"] == pytest.approx(405.0)
    measured, at_sink = analyzer.measure(), sink.measure()
    assert measured.voltage_v == pytest.approx(405, rel=2e-3)
    assert measured.current_a == pytest.approx(100, rel=2e-3)
    assert at_sink.current_a == pytest.approx(100, abs=0.01)
    time.sleep(0.4)
    answer = charger.put(enabled=False)
    elapsed = time.monotonic() - started
    assert answer["dc"]["current_a"] == 0.0
    energy = analyzer.energy_wh()
    assert energy == pytest.approx(405 * 100 * elapsed / 3600, rel=0.05)
    assert answer["energy_wh"] == pytest.approx(energy, rel=2e-3)
    drawn = meter.read().import_wh - before.import_wh
    assert drawn == pytest.approx(energy / 0.95, rel=0.05)
    # the contactor opens: the bleeder empties the charger's output
    board.open_contactor()
    deadline = time.monotonic() + 2
    while charger.put(enabled=False)["dc"]["voltage_v"] > 60:
        assert time.monotonic() < deadline


def test_ac_charge_and_phases(box: Callable[..., Any], charger: ChargerEnd) -> None:
    load, analyzer = box("chroma-63800"), box("yokogawa-wt")
    analyzer.set_mode("ac")
    load.set_current(16.0)
    load.output(True)
    assert charger.put(ac=False)["ac"]["power_w"] == 0.0
    answer = charger.put(ac=True)
    assert answer["ac"] == {"voltage_v": 230.0, "current_a": 16.0, "power_w": 11040.0, "phases": 3}
    assert analyzer.measure().power_w == pytest.approx(11040, rel=3e-3)
    load.set_current(10.0, phases=1)
    answer = charger.put(ac=True)
    assert (answer["ac"]["power_w"], answer["ac"]["phases"]) == (2300.0, 1)
    assert load.measure().current_a == 10.0


def test_the_rig_answers_each_line_at_once_and_tells_changes(
    box: Callable[..., Any], charger: ChargerEnd
) -> None:
    board = box("pilot-board")
    for _ in range(200):
        charger.put()  # waits for the acknowledgement of this very line
    started = time.monotonic()
    board.set_state("B")
    while charger.read()["pilot"]["state"] != "B":
        assert time.monotonic() - started < 1
    board.set_proximity_ohm(1500)
    assert charger.put()["proximity_ohm"] == 1500.0
    board.present("04A2B3C4D5")
    charger.put()
    assert charger.cards == ["04A2B3C4D5"]


def test_nonsense_on_the_cable_changes_nothing(rig: RigProcess, charger: ChargerEnd) -> None:
    charger.put(enabled=True, voltage_v=400.0, current_a=5.0)
    for line in (b"", b"{}", b"[1,2", b'{"pilot":1}', b"\xff\xfe", b'{"pilot":{"oscillator":true}}'):
        assert charger.raw(line)["dc"]["voltage_v"] == 400.0
    state = rig.look()
    assert state["charger"]["bad_lines"] == 6 and state["charger"]["last_problem"]
    charger._stream.write(b"x" * 100_000)  # beyond the longest line: the rig hangs up, and lives on
    charger._stream.flush()
    deadline = time.monotonic() + 3
    while rig.look()["charger"]["connected"]:
        assert time.monotonic() < deadline
    assert rig.look()["dc"]["voltage_v"] < 400.0, "a charger that is gone has no voltage"


def test_an_unplugged_instrument_is_lost(rig: RigProcess, box: Callable[..., Any]) -> None:
    for name, ask in (
        ("yokogawa-wt", lambda driver: driver.measure()),
        ("eastron-sdm630", lambda driver: driver.read()),
        ("ea-psb", lambda driver: driver.measure()),
        ("pilot-board", lambda driver: driver.measure()),
    ):
        driver = box(name)
        ask(driver)
        rig.look(unplug=ENDPOINTS[name])
        with pytest.raises(InstrumentLost, match=rf"^{name} "):
            ask(driver)


def test_a_mute_analyzer_is_lost_in_bounded_time_and_can_come_back(
    rig: RigProcess, box: Callable[..., Any]
) -> None:
    analyzer = box("yokogawa-wt", timeout_s=0.2)
    rig.look(mute="analyzer")
    started = time.monotonic()
    with pytest.raises(InstrumentLost):
        analyzer.measure()
    assert time.monotonic() - started < 2
    rig.look(unmute="analyzer")
    analyzer.open()
    assert analyzer.measure().mode == "dc"


def test_a_box_refuses_what_it_cannot_do(box: Callable[..., Any]) -> None:
    sink = box("ea-psb", max_voltage_v=2000.0)
    with pytest.raises(InstrumentRefused, match="-222"):
        sink.set_voltage(1500)
    sink.set_voltage(500)  # the error queue is empty again


def test_the_board_trips_when_the_host_is_silent(rig: RigProcess, box: Callable[..., Any]) -> None:
    board = box("pilot-board", watchdog_s=0.3)
    board.set_state("C")
    board.close_contactor()
    assert rig.look()["vehicle"]["contactor_closed"]
    deadline = time.monotonic() + 2
    while (state := rig.look())["watchdog"] != "TRIPPED":
        assert time.monotonic() < deadline
    assert state["vehicle"]["pilot_state"] == "A" and not state["vehicle"]["contactor_closed"]
    with pytest.raises(InstrumentRefused, match="watchdog"):
        board.close_contactor()
    with pytest.raises(InstrumentLost, match="by itself"):
        board.keep_alive()


CONTROLLER = """
    import sys, time
    from drivers import registry
    pilot, sink, load = sys.argv[1:]
    boxes = [registry.driver_class(name)(place, name=name)
             for name, place in (("pilot-board", pilot), ("ea-psb", sink), ("chroma-63800", load))]
    for box in boxes:
        box.open()
    board, battery, ac = boxes
    board.set_state("C"); board.close_contactor()
    battery.set_voltage(400); battery.set_current_limit(30); battery.output(True)
    ac.set_current(16); ac.output(True)
    print("charging", flush=True)
    while True:
        for box in boxes:
            box.keep_alive()
        time.sleep(0.3)
"""


def test_kill_9_in_mid_charge_leaves_a_safe_bench_within_two_seconds(
    rig: RigProcess, charger: ChargerEnd
) -> None:
    charger.put(enabled=True, voltage_v=450.0, current_a=20.0, ac=True)
    controller = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(CONTROLLER),
            *(rig.endpoints[name] for name in ("pilot", "sink", "acload")),
        ],
        stdout=subprocess.PIPE,
    )
    assert controller.stdout is not None
    assert controller.stdout.readline() == b"charging\n"
    assert rig.look()["dc"]["current_a"] == 20.0
    time.sleep(1.7)  # longer than every watchdog: they are being fed
    state = rig.look()
    assert state["dc"]["current_a"] == 20.0 and state["vehicle"]["load_on"] == [True, True, True]
    assert state["watchdog"] == "ARMED"
    os.kill(controller.pid, signal.SIGKILL)
    killed = time.monotonic()
    controller.wait()
    controller.stdout.close()

    def safe(state: dict[str, Any]) -> bool:
        vehicle = state["vehicle"]
        return (
            vehicle["pilot_state"] == "A"
            and not vehicle["contactor_closed"]
            and not vehicle["sink_on"]
            and not any(vehicle["load_on"])
        )

    while not safe(state := rig.look()):
        assert time.monotonic() - killed < 2.0, state["vehicle"]
        time.sleep(0.01)
    assert state["dc"]["current_a"] == 0.0


def test_a_stopped_controller_is_as_good_as_dead(rig: RigProcess, box: Callable[..., Any]) -> None:
    """Silence with an open link (a stopped process, a pulled cable): the sink's own monitoring acts."""
    sink = box("ea-psb")
    sink.set_voltage(400)
    sink.output(True)
    started = time.monotonic()
    while rig.look()["vehicle"]["sink_on"]:
        assert time.monotonic() - started < 2.0
        time.sleep(0.02)
    assert time.monotonic() - started > 1.0


def test_an_idle_rig_costs_nothing(rig: RigProcess) -> None:
    def cpu_s() -> float:
        fields = Path(f"/proc/{rig.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    time.sleep(0.5)
    assert cpu_s() - before < 0.03


def test_the_rig_ends_some_time_after_its_controller() -> None:
    rig = subprocess.Popen(
        [sys.executable, "-m", "drivers.simulated", "--ready-json", "--lifeline", "--afterlife", "0.3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert rig.stdin is not None and rig.stdout is not None and rig.stderr is not None
    rig.stdout.readline()
    rig.stdin.close()
    closed = time.monotonic()
    assert rig.wait(5) == 0
    assert time.monotonic() - closed >= 0.3
    assert b"has been gone for 0.3 s" in rig.stderr.read()
    rig.stdout.close()
    rig.stderr.close()

"""Contract of every driver with a wire: the exact bytes, both ways."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from scripted_wire import PtyWire, TcpWire, lines

from drivers import DcReading, InstrumentRefused, LimitExceeded, MeterReading, PilotReading, PowerReading
from drivers.chroma_63800 import Chroma63800
from drivers.ea_psb import EaPsb
from drivers.eastron_sdm630 import EastronSdm630
from drivers.manual import ManualPilot
from drivers.pilot_board import PilotBoard
from drivers.yokogawa_wt import YokogawaWt

OK = '0,"No error"'
WT_IDN = ("*IDN?", "YOKOGAWA,WT333E,C2AB1,F1.04")
WT_OPEN = lines(
    WT_IDN,
    (":COMM:HEAD OFF", ""),
    (":STAT:ERR?", OK),
    (":NUM:FORM ASCII", ""),
    (":STAT:ERR?", OK),
    (":INP:VOLT:AUTO ON", ""),
    (":STAT:ERR?", OK),
    (":INP:CURR:AUTO ON", ""),
    (":STAT:ERR?", OK),
    (":NUM:NORM:NUM 4;ITEM1 UDC,1;ITEM2 IDC,1;ITEM3 P,1;ITEM4 WH,1", ""),
    (":STAT:ERR?", OK),
)


def test_yokogawa_reads_dc_then_ac_and_integrates() -> None:
    script = [
        *WT_OPEN,
        *lines(
            (":NUM:NORM:VAL?", "400.12E+00,125.03E+00,50.027E+03,NAN"),
            (":NUM:NORM:NUM 4;ITEM1 URMS,1;ITEM2 IRMS,1;ITEM3 P,SIGMA;ITEM4 WH,SIGMA", ""),
            (":STAT:ERR?", OK),
            (":INTEG:STAT?", "RESET"),
            (":INTEG:STAT?", "START"),
            (":INTEG:STOP", ""),
            (":STAT:ERR?", OK),
            (":INTEG:RESET", ""),
            (":STAT:ERR?", OK),
            (":INTEG:START", ""),
            (":STAT:ERR?", OK),
            (":INTEG:STOP", ""),
            (":STAT:ERR?", OK),
            (":NUM:NORM:VAL?", "230.1E+00,16.0E+00,11.04E+03,1.25E+00"),
        ),
    ]
    with TcpWire(script) as wire:
        analyzer = YokogawaWt(wire.resource, name="analyzer")
        analyzer.open()
        assert analyzer.measure() == PowerReading(400.12, 125.03, 50027.0, "dc", 0.0)
        analyzer.set_mode("ac")
        analyzer.integrate_reset()
        analyzer.integrate_start()
        analyzer.integrate_stop()
        assert analyzer.energy_wh() == 1.25
        analyzer.close()


def test_yokogawa_starts_a_running_integration_anew_when_the_mode_changes() -> None:
    script = [
        *WT_OPEN,
        *lines(
            (":NUM:NORM:NUM 4;ITEM1 URMS,1;ITEM2 IRMS,1;ITEM3 P,SIGMA;ITEM4 WH,SIGMA", ""),
            (":STAT:ERR?", OK),
            (":INTEG:STAT?", "START"),
            (":INTEG:STAT?", "START"),
            (":INTEG:STOP", ""),
            (":STAT:ERR?", OK),
            (":INTEG:RESET", ""),
            (":STAT:ERR?", OK),
            (":INTEG:START", ""),
            (":STAT:ERR?", OK),
        ),
    ]
    with TcpWire(script) as wire:
        analyzer = YokogawaWt(wire.resource, name="analyzer")
        analyzer.open()
        analyzer.set_mode("ac")
        with pytest.raises(LimitExceeded, match="neither 'dc' nor 'ac'"):
            analyzer.set_mode("rms")  # type: ignore[arg-type]
        analyzer.close()


def test_ea_psb_plays_a_battery_within_its_ratings() -> None:
    script = lines(
        ("*IDN?", "EA Elektro-Automatik,PSB 11000-80,1234,V3.08"),
        ("SYST:LOCK ON", ""),
        ("SYST:ERR?", OK),
        ("OUTP OFF", ""),
        ("SYST:ERR?", OK),
        ("CURR 0", ""),
        ("SYST:ERR?", OK),
        ("VOLT 399.50", ""),
        ("SYST:ERR?", OK),
        ("SINK:CURR 20.00", ""),
        ("SYST:ERR?", OK),
        ("OUTP ON", ""),
        ("SYST:ERR?", OK),
        ("MEAS:VOLT?", "399.8 V"),
        ("MEAS:CURR?", "-19.9 A"),
        ("VOLT 10.00", ""),
        ("SYST:ERR?", '-221,"Settings conflict"'),
        ("SYST:ERR?", OK),
        ("OUTP OFF", ""),
        ("SYST:ERR?", OK),
        ("SYST:LOCK OFF", ""),
    )
    with TcpWire(script) as wire:
        sink = EaPsb(wire.resource, name="sink")
        sink.open()
        sink.set_voltage(399.5)
        sink.set_current_limit(20)
        sink.output(True)
        assert sink.measure() == DcReading(399.8, 19.9, 399.8 * 19.9)
        with pytest.raises(InstrumentRefused, match="-221 Settings conflict"):
            sink.set_voltage(10)
        for wrong in (1000.1, -1.0, float("nan")):
            with pytest.raises(LimitExceeded):
                sink.set_voltage(wrong)  # nothing is sent: the script would notice
        sink.keep_alive()
        sink.make_safe()
        sink.close()


def test_chroma_drives_one_box_a_phase() -> None:
    def phase(number: int, current: str, reading: str) -> list[tuple[bytes, bytes]]:
        return lines(
            ("*IDN?", f"Chroma,63803,{number},01.20"),
            ("LOAD OFF", ""),
            ("SYST:ERR?", OK),
            ("LOAD:MODE CURR", ""),
            ("SYST:ERR?", OK),
            (f"CURR {current}", ""),
            ("SYST:ERR?", OK),
            ("LOAD ON", ""),
            ("SYST:ERR?", OK),
            ("MEAS:VOLT?;CURR?;POW?", reading),
            ("LOAD OFF", ""),
            ("SYST:ERR?", OK),
        )

    with (
        TcpWire(phase(1, "16.00", "230.0;16.0;3680.0")) as one,
        TcpWire(phase(2, "0.00", "231.0;0.0;0.0")) as two,
    ):
        load = Chroma63800(f"{one.resource}, {two.resource}", name="load")
        load.open()
        load.set_current(16, phases=1)
        with pytest.raises(LimitExceeded, match="2 are wired"):
            load.set_current(16, phases=3)
        load.output(True)
        reading = load.measure()
        assert (reading.voltage_v, reading.current_a, reading.power_w) == (230.0, 16.0, 3680.0)
        load.make_safe()
        load.close()


def test_pilot_board_speaks_its_protocol() -> None:
    script = lines(
        ("*IDN?", "Plugbench,CP-PP board,7,1.0"),
        ("WDOG 1.50", "OK"),
        ("SAFE", "OK"),
        ("STATE C", "OK"),
        ("MEAS?", "MEAS C 5.99 -12.00 5.00 1000.0"),
        ("PP 1500", "OK"),
        ("PP OPEN", "OK"),
        ("RELAY 1", "OK"),
        ("RELAY?", "RELAY 1"),
        ("WDOG?", "WDOG 1.50 ARMED"),
        ("CARD 04A2B3C4", "OK"),
        ("STATE D", "ERR 5 the watchdog has tripped"),
        ("SAFE", "OK"),
    )
    with PtyWire(script) as wire:
        board = PilotBoard(wire.path, name="pilot")
        board.open()
        board.set_state("C")
        assert board.measure() == PilotReading("C", 5.99, -12.0, 5.0, 1000.0)
        board.set_proximity_ohm(1500)
        board.set_proximity_ohm(None)
        board.close_contactor()
        assert board.is_closed() is True
        board.keep_alive()
        board.present("04A2B3C4")
        with pytest.raises(InstrumentRefused, match="the watchdog has tripped"):
            board.set_state("D")
        for token in ("", "a b", "x" * 37, "a\nSTATE C"):
            with pytest.raises(LimitExceeded):
                board.present(token)
        board.make_safe()
        board.close()


def test_pilot_board_with_checksums() -> None:
    script = [
        (
            b"*IDN?*" + b"2B\n",
            b"Plugbench,CP-PP board,7,1.0*" + b"%02X\n" % _xor(b"Plugbench,CP-PP board,7,1.0"),
        ),
        (b"WDOG 0.50*%02X\n" % _xor(b"WDOG 0.50"), b"OK*04\n"),
        (b"SAFE*%02X\n" % _xor(b"SAFE"), b"OK*04\n"),
    ]
    script[0] = (b"*IDN?*%02X\n" % _xor(b"*IDN?"), script[0][1])
    with PtyWire(script) as wire:
        board = PilotBoard(wire.path, name="pilot", watchdog_s=0.5, checksum=True)
        board.open()
        board.close()


def _xor(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value


def _modbus(transaction: int, address: int, values: list[float]) -> tuple[bytes, bytes]:
    count = 2 * len(values)
    request = struct.pack(">HHHBBHH", transaction, 0, 6, 1, 4, address, count)
    payload = struct.pack(f">{len(values)}f", *values)
    return request, struct.pack(">HHHBBB", transaction, 0, 3 + len(payload), 1, 4, len(payload)) + payload


def test_eastron_reads_input_registers_as_floats() -> None:
    script = [
        _modbus(1, 52, [120.0]),
        _modbus(2, 0, [230.0, 231.0, 232.0, 1.0, 2.0, 3.0]),
        _modbus(3, 52, [1386.0]),
        _modbus(4, 72, [12.5]),
        (struct.pack(">HHHBBHH", 5, 0, 6, 1, 4, 52, 2), struct.pack(">HHHBBB", 5, 0, 3, 1, 0x84, 2)),
    ]
    with TcpWire(script) as wire:
        meter = EastronSdm630(f"127.0.0.1:{wire.port}", name="meter")
        meter.open()
        assert meter.read() == MeterReading(1386.0, 12500.0, (230.0, 231.0, 232.0), (1.0, 2.0, 3.0))
        with pytest.raises(InstrumentRefused):
            meter.keep_alive()
        meter.close()


def test_the_operator_is_a_driver_too() -> None:
    asked: list[str] = []
    answers = ["", "", "B 9.0 -12.0 5.0 1000", "", "n", ""]

    def ask(question: str, _timeout_s: float) -> str | None:
        asked.append(question)
        return answers[len(asked) - 1]

    pilot = ManualPilot("the red box", name="pilot", ask=ask)
    pilot.open()
    pilot.set_state("B")
    assert pilot.measure() == PilotReading("B", 9.0, -12.0, 5.0, 1000.0)
    pilot.close_contactor()
    assert pilot.is_closed()
    with pytest.raises(InstrumentRefused, match="cannot be done"):
        pilot.present("CAFE")
    pilot.make_safe()
    assert not pilot.is_closed()
    assert len(asked) == len(answers)
    assert "the red box: set the pilot to state B" in asked[1]


def test_every_exchange_is_traced_unless_it_is_polling() -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    script = lines(
        ("*IDN?", "Plugbench,CP-PP board,7,1.0"),
        ("WDOG 1.50", "OK"),
        ("SAFE", "OK"),
        ("STATE B", "OK"),
        ("MEAS?", "MEAS B 9 -12 5 1000"),
    )
    with PtyWire(script) as wire:
        board = PilotBoard(wire.path, name="pilot", trace=lambda command, data: seen.append((command, data)))
        board.open()
        board.set_state("B")
        with board.quiet():
            board.measure()
        board.close()
    assert [command for command, _ in seen] == ["*IDN?", "WDOG 1.50", "SAFE", "STATE B"]
    assert seen[-1][1] == {"sent": "STATE B", "received": "OK", "error": None}

"""Property tests: no line from a wire makes a parser do anything but return or raise its own error."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.control_pilot import PilotReading
from drivers.eastron_sdm630 import floats
from drivers.pilot_protocol import (
    PilotProtocolError,
    PilotRefusal,
    checksum,
    format_measurement,
    frame,
    parse_measurement,
    parse_ok,
    parse_relay,
    parse_watchdog,
    unframe,
)
from drivers.scpi import ScpiParseError, parse_error, parse_identity, parse_number, parse_numbers
from drivers.simulated.cable import CableError, parse_charger_line
from drivers.simulated.meter import registers_of
from drivers.simulated.scpi_server import ScpiError, split_commands

numbers = st.floats(-1e9, 1e9, allow_nan=False)
ascii_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@given(numbers)
def test_scpi_numbers_survive(value: float) -> None:
    assert parse_number(f"{value:.9E}") == pytest.approx(value, rel=1e-8)
    assert parse_number(f" {value:.3f} V", "V") == pytest.approx(value, abs=5.01e-4)


@given(st.text(max_size=80))
@example("1e999")
@example("9.91E37")
@example("NAN")
@example("INF")
@example("1_000")
@example("١")
def test_a_scpi_number_is_finite_or_refused(text: str) -> None:
    try:
        value = parse_number(text)
    except ScpiParseError:
        return
    assert math.isfinite(value) and text.isascii()


@given(st.text(max_size=200))
def test_scpi_answers_never_crash(text: str) -> None:
    for parse in (parse_identity, parse_error, lambda each: parse_numbers(each, 3)):
        try:
            parse(text)
        except ScpiParseError:
            continue


@given(
    st.sampled_from("ABCDEF"),
    st.floats(-13, 13),
    st.floats(-13, 13),
    st.floats(0, 100),
    st.floats(0, 2000),
)
def test_pilot_measurements_survive(state: str, high: float, low: float, duty: float, hertz: float) -> None:
    again = parse_measurement(format_measurement(PilotReading(state, high, low, duty, hertz)))
    assert again.state == state
    assert again.high_v == pytest.approx(high, abs=0.006)
    assert again.low_v == pytest.approx(low, abs=0.006)
    assert again.duty_percent == pytest.approx(duty, abs=0.006)
    assert again.frequency_hz == pytest.approx(hertz, abs=0.06)


@given(st.binary(max_size=120))
def test_pilot_lines_never_crash(line: bytes) -> None:
    try:
        text, _ = unframe(line)
    except PilotProtocolError:
        return
    for parse in (parse_ok, parse_measurement, parse_relay, parse_watchdog):
        try:
            parse(text)
        except (PilotProtocolError, PilotRefusal):
            continue


@given(ascii_text, st.integers(0, 59), st.integers(1, 127))
def test_a_checksum_finds_a_changed_character(text: str, position: int, flip: int) -> None:
    line = frame(text, with_checksum=True)
    assert unframe(line) == (text, True)
    if position < len(text):
        broken = bytearray(line)
        broken[position] ^= flip
        with pytest.raises(PilotProtocolError):
            unframe(bytes(broken), need_checksum=True)
    assert len(checksum(text)) == 2


@given(st.lists(st.integers(0, 65535), max_size=20))
def test_modbus_registers_are_finite_floats_or_refused(registers: list[int]) -> None:
    try:
        values = floats(registers)
    except ValueError:
        return
    assert all(math.isfinite(value) for value in values)


@given(st.dictionaries(st.sampled_from([0, 2, 4, 52, 72]), st.floats(-1e6, 1e6, width=32)))
def test_meter_registers_survive(values: dict[int, float]) -> None:
    registers = registers_of(values, 80)
    for address, value in values.items():
        assert floats(registers[address : address + 2]) == [value]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
@example(b"[" * 100_000)
@example(b'{"pilot":{"oscillator":1}}')
@example(b"{}")
def test_cable_lines_never_crash(line: bytes) -> None:
    try:
        parse_charger_line(line)
    except CableError:
        return


@given(st.text(max_size=300))
def test_command_lines_never_crash(line: str) -> None:
    try:
        commands = split_commands(line)
    except ScpiError:
        return
    assert all(header for header, _ in commands)


def test_a_path_goes_on_behind_a_semicolon() -> None:
    assert split_commands(":NUM:NORM:NUM 4;ITEM1 UDC,1;:INTEG:STAT?;*IDN?") == [
        ("NUM:NORM:NUM", "4"),
        ("NUM:NORM:ITEM1", "UDC,1"),
        ("INTEG:STAT?", ""),
        ("*IDN?", ""),
    ]
    assert [header for header, _ in split_commands("MEAS:VOLT?;CURR?;POW?")] == [
        "MEAS:VOLT?",
        "MEAS:CURR?",
        "MEAS:POW?",
    ]

"""The line protocol of the open CP/PP board, shared by its driver and its simulated twin.

115200 baud 8N1, ASCII, one line a command, one line an answer, each ended by LF and at most 80 characters
long. `*hh` behind a line is an optional checksum (XOR of all characters before the `*`, two hex digits); a
board answers with a checksum whoever sent one.

    *IDN?            vendor,model,serial,firmware
    STATE A|B|C|D    OK                      resistors on the pilot line
    MEAS?            MEAS <state A..F> <high V> <low V> <duty %> <frequency Hz>
    PP <ohm>|OPEN    OK                      resistor between proximity and earth
    RELAY 0|1        OK                      the vehicle's DC contactor
    RELAY?           RELAY 0|1
    WDOG <s>         OK                      arms the watchdog: 0.2 to 10 s; takes back a trip
    WDOG?            WDOG <s> ARMED|TRIPPED|OFF
    CARD <token>     OK                      moves the card arm: this RFID card is held to the reader once
    SAFE             OK                      state A, relay open, proximity open

Every line feeds the watchdog. When it trips, the board does what SAFE does and refuses `STATE B|C|D` and
`RELAY 1` until `WDOG` is sent again. A refusal is `ERR <number> <text>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.control_pilot import PilotReading

MAX_LINE_CHARACTERS = 80
_FIGURE = re.compile(r"-?\d{1,6}(?:\.\d{1,4})?", re.ASCII)
_CHECKSUM = re.compile(r"\*([0-9A-Fa-f]{2})$")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class PilotProtocolError(ValueError):
    """A line is not what the protocol allows there."""


class PilotRefusal(Exception):  # noqa: N818
    """The board answered `ERR`; the text is number and reason."""


@dataclass(frozen=True, slots=True)
class WatchdogState:
    """The answer to `WDOG?`: the time that is set, and whether it is ARMED, TRIPPED or OFF."""

    timeout_s: float
    state: str


def checksum(text: str) -> str:
    """XOR of all characters, as two hex digits."""
    value = 0
    for character in text.encode("ascii", errors="replace"):
        value ^= character
    return f"{value:02X}"


def frame(text: str, *, with_checksum: bool = False) -> bytes:
    """A line as it goes over the wire."""
    return (f"{text}*{checksum(text)}" if with_checksum else text).encode("ascii", errors="replace") + b"\n"


def unframe(line: bytes, *, need_checksum: bool = False) -> tuple[str, bool]:
    """The text of a line (with or without its LF), and whether it carried a checksum.

    Raises PilotProtocolError for a line too long, not printable ASCII, or with a wrong or missing checksum.
    """
    if len(line) > MAX_LINE_CHARACTERS + 2:
        raise PilotProtocolError(f"a line of {len(line)} characters")
    text = line.decode("latin-1").rstrip("\r\n")
    if not _PRINTABLE.fullmatch(text):
        raise PilotProtocolError(f"{text[:40]!r} is not printable ASCII")
    found = _CHECKSUM.search(text)
    if found is None:
        if need_checksum:
            raise PilotProtocolError(f"{text[:40]!r} has no checksum")
        return text, False
    body = text[: found.start()]
    if found.group(1).upper() != checksum(body):
        raise PilotProtocolError(f"{text[:40]!r} has a wrong checksum")
    return body, True


def _figure(text: str) -> float:
    if not _FIGURE.fullmatch(text):
        raise PilotProtocolError(f"{text[:20]!r} is not a figure")
    return float(text)


def _fields(reply: str, key: str, count: int) -> list[str]:
    fields = reply.split(" ")
    if fields[0] == "ERR":
        raise PilotRefusal(reply[4:] or "without a reason")
    if fields[0] != key or len(fields) != count + 1:
        raise PilotProtocolError(f"{reply[:60]!r} where {key} with {count} values was expected")
    return fields[1:]


def parse_ok(reply: str) -> None:
    """Raises PilotRefusal for `ERR`, PilotProtocolError for anything but `OK`."""
    _fields(reply, "OK", 0)


def parse_measurement(reply: str) -> PilotReading:
    """The answer to `MEAS?`. Raises PilotRefusal, PilotProtocolError; figures beyond physics are refused."""
    state, *figures = _fields(reply, "MEAS", 5)
    high_v, low_v, duty_percent, frequency_hz = (_figure(text) for text in figures)
    if state not in ("A", "B", "C", "D", "E", "F"):
        raise PilotProtocolError(f"{state[:10]!r} is not a pilot state")
    if not (-20 <= low_v <= 20 and -20 <= high_v <= 20):
        raise PilotProtocolError(f"levels {high_v} V and {low_v} V are not those of a pilot")
    if not 0 <= duty_percent <= 100 or not 0 <= frequency_hz <= 10_000:
        raise PilotProtocolError(f"{duty_percent} % at {frequency_hz} Hz is not a pilot signal")
    return PilotReading(state, high_v, low_v, duty_percent, frequency_hz)


def format_measurement(reading: PilotReading) -> str:
    """The answer to `MEAS?` of a board that measured this."""
    return (
        f"MEAS {reading.state} {reading.high_v:.2f} {reading.low_v:.2f} "
        f"{reading.duty_percent:.2f} {reading.frequency_hz:.1f}"
    )


def parse_relay(reply: str) -> bool:
    """The answer to `RELAY?`: whether the contactor is closed. Raises PilotRefusal, PilotProtocolError."""
    (text,) = _fields(reply, "RELAY", 1)
    if text not in ("0", "1"):
        raise PilotProtocolError(f"{text[:10]!r} is neither 0 nor 1")
    return text == "1"


def parse_watchdog(reply: str) -> WatchdogState:
    """The answer to `WDOG?`. Raises PilotRefusal, PilotProtocolError."""
    timeout, state = _fields(reply, "WDOG", 2)
    if state not in ("ARMED", "TRIPPED", "OFF"):
        raise PilotProtocolError(f"{state[:10]!r} is not a state of the watchdog")
    return WatchdogState(_figure(timeout), state)

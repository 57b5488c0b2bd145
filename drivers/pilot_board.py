"""ControlPilot, Contactor, CardReader: the open CP/PP board on a serial line.

The protocol is described in `drivers.pilot_protocol`. The board arms its own watchdog when it is opened: a
controller that dies in mid-charge leaves pilot state A and an open contactor behind, without help of any
other process.
"""

from __future__ import annotations

import errno
import os
import re
import termios
import time
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import serial

from drivers.base import Identity, InstrumentLost, LimitExceeded, Trace
from drivers.card_reader import CardReader
from drivers.contactor import Contactor
from drivers.control_pilot import ControlPilot, PilotReading, PilotState
from drivers.pilot_protocol import (
    MAX_LINE_CHARACTERS,
    PilotProtocolError,
    PilotRefusal,
    frame,
    parse_measurement,
    parse_ok,
    parse_relay,
    parse_watchdog,
    unframe,
)
from drivers.scpi import ScpiParseError, parse_identity

_T = TypeVar("_T")
_TOKEN = re.compile(r"[A-Za-z0-9:._-]{1,36}")


class PilotBoard(ControlPilot, Contactor, CardReader):
    """One board, three capabilities. `resource` is a serial device or a pyserial URL
    (`socket://host:port`).
    """

    vendor: ClassVar[str] = "Plugbench"
    model: ClassVar[str] = "CP/PP board"
    verified_on: ClassVar[str | None] = None

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        baud: int = 115200,
        timeout_s: float = 1.0,
        watchdog_s: float = 1.5,
        checksum: bool = False,
    ) -> None:
        super().__init__(resource, name=name, trace=trace)
        self.watchdog_s = self._within("watchdog_s", watchdog_s, 0.2, 10)
        self._baud = int(self._within("baud", baud, 1200, 4_000_000))
        self._timeout_s = self._within("timeout_s", timeout_s, 0.05, 10)
        self._checksum = checksum
        self._serial: serial.Serial | None = None

    def open(self) -> None:
        with self._lock:
            try:
                self._serial = self._open_port()
            except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
                raise self._not_found(f"the port cannot be opened: {_reason(error)}") from error
            try:
                self.identify()
                self._command(f"WDOG {self.watchdog_s:.2f}")
                self._command("SAFE")
            except InstrumentLost as error:
                self.close()
                raise self._not_found(f"no board answers: {error}") from error

    def _open_port(self) -> serial.Serial:
        options: dict[str, Any] = {"baudrate": self._baud, "timeout": self._timeout_s, "write_timeout": 1.0}
        if "://" not in self.resource:
            options["exclusive"] = True  # a second controller must not talk to the same board
        return serial.serial_for_url(self.resource, **options)

    def close(self) -> None:
        with self._lock:
            port, self._serial = self._serial, None
            if port is not None:
                try:
                    port.close()
                except (OSError, termios.error) as error:
                    self._note("close", error=str(error))

    def identify(self) -> Identity:
        return self._ask("*IDN?", parse_identity)

    def set_state(self, state: PilotState) -> None:
        if state not in ("A", "B", "C", "D"):
            raise LimitExceeded(f"{self.name} ({self.model}): pilot state {state!r} is not one of A, B, C, D")
        self._command(f"STATE {state}")

    def measure(self) -> PilotReading:
        return self._ask("MEAS?", parse_measurement)

    def set_proximity_ohm(self, ohm: float | None) -> None:
        if ohm is None:
            self._command("PP OPEN")
        else:
            self._command(f"PP {self._within('proximity_ohm', ohm, 10, 100_000):g}")

    def close_contactor(self) -> None:
        self._command("RELAY 1")

    def open_contactor(self) -> None:
        self._command("RELAY 0")

    def is_closed(self) -> bool:
        return self._ask("RELAY?", parse_relay)

    def present(self, token: str) -> None:
        if not _TOKEN.fullmatch(token):
            raise LimitExceeded(
                f"{self.name} ({self.model}): {token!r} is not an RFID token of 1 to 36 characters"
            )
        self._command(f"CARD {token}")

    def keep_alive(self) -> None:
        """Feed the watchdog; a board that had fallen into its safe state meanwhile is a lost instrument."""
        watchdog = self._ask("WDOG?", parse_watchdog)
        if watchdog.state != "ARMED":
            raise self._lost(
                "WDOG?", f"the board's watchdog is {watchdog.state}: it went to its safe state by itself"
            )

    def make_safe(self) -> None:
        self._command("SAFE")

    def _command(self, text: str) -> None:
        self._ask(text, parse_ok)

    def _ask(self, text: str, parse: Callable[[str], _T]) -> _T:
        with self._lock:
            reply = self._exchange(text)
            try:
                return parse(reply)
            except (PilotProtocolError, ScpiParseError) as error:
                raise self._lost(text, f"it answered nonsense: {error}") from error
            except PilotRefusal as refusal:
                raise self._refused(text, str(refusal)) from refusal

    def _exchange(self, text: str) -> str:
        port = self._serial
        if port is None:
            raise self._lost(text, "the port is closed")
        try:
            port.reset_input_buffer()  # a late answer to an earlier command must not answer this one
            port.write(frame(text, with_checksum=self._checksum))
            line = self._read_line(port)
            reply, _ = unframe(line, need_checksum=self._checksum)
        except (OSError, TypeError, termios.error) as error:
            # pyserial lets out termios.error for a lost device, TypeError for a port closed under a read
            self.close()
            raise self._lost(text, str(error)) from error
        except PilotProtocolError as error:
            raise self._lost(text, f"it answered nonsense: {error}") from error
        self._note(text, reply)
        return reply

    def _read_line(self, port: serial.Serial) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        line = bytearray()
        while True:
            line += port.read(max(1, min(port.in_waiting, MAX_LINE_CHARACTERS)))
            end = line.find(b"\n")
            if end >= 0:
                return bytes(line[:end])
            if len(line) > 2 * MAX_LINE_CHARACTERS:
                raise OSError("an answer without an end")
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer within {self._timeout_s:g} s")


def _reason(error: Exception) -> str:
    """Why a port cannot be opened; pyserial's own text names the port and the number twice."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EAGAIN, errno.EACCES) and "lock" in str(error):
        return "another process holds it for its exclusive use"
    return os.strerror(number) if number else str(error)

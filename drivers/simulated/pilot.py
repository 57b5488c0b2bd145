"""Simulated twin of the open CP/PP board on a pseudo-terminal, with the board's own watchdog."""

from __future__ import annotations

import asyncio
import os
import re
import tty

from drivers.pilot_protocol import (
    MAX_LINE_CHARACTERS,
    PilotProtocolError,
    format_measurement,
    frame,
    unframe,
)
from drivers.simulated.watchdog import Watchdog
from drivers.simulated.world import Vehicle, World

_IDN = "Plugbench,CP-PP board,SIM-0003,1.0"
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_TOKEN = re.compile(r"[A-Za-z0-9:._-]{1,36}")


class _Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    """`ERR` with a number and a reason."""


def _figure(text: str, low: float, high: float) -> float:
    if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
        raise _Refusal(f"3 {text[:10]} is not within {low:g} to {high:g}")
    return float(text)


class PilotTwin:
    """The board. `resource` is the device to open."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._master = -1
        self._slave = -1
        self._heard = bytearray()
        self.resource = ""
        self.muted = False
        self.watchdog = Watchdog(self._safe)

    def start(self) -> None:
        """Open the pseudo-terminal."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.resource = os.ttyname(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def close(self) -> None:
        """Pull the serial plug."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._heard += data
        while (end := self._heard.find(b"\n")) >= 0:
            line = bytes(self._heard[:end])
            del self._heard[: end + 1]
            self._line(line)
        if len(self._heard) > MAX_LINE_CHARACTERS:
            self._heard.clear()  # noise without a line end must not fill the memory

    def _line(self, line: bytes) -> None:
        self.watchdog.feed()
        checked = False
        try:
            text, checked = unframe(line)
            answer = self.execute(text)
        except PilotProtocolError:
            answer = "ERR 1 not a line"
        except _Refusal as refusal:
            answer = f"ERR {refusal}"
        if not self.muted and self._master >= 0:
            try:
                os.write(self._master, frame(answer, with_checksum=checked))
            except BlockingIOError:
                self._heard.clear()  # the host does not read: its next command will find out

    def execute(self, text: str) -> str:
        """The board's answer to a line; raises a refusal that becomes `ERR`."""
        command, _, value = text.partition(" ")
        if text == "*IDN?":
            return _IDN
        if text == "MEAS?":
            return format_measurement(self._world.pilot())
        if text == "RELAY?":
            return f"RELAY {int(self._world.vehicle.contactor_closed)}"
        if text == "WDOG?":
            return f"WDOG {self.watchdog.timeout_s:.2f} {self.watchdog.state}"
        if text == "SAFE":
            self._safe()
            return "OK"
        if command == "WDOG":
            self.watchdog.arm(_figure(value, 0.2, 10))
            return "OK"
        if self.watchdog.tripped and text in ("STATE B", "STATE C", "STATE D", "RELAY 1"):
            raise _Refusal("5 the watchdog has tripped")
        self._act(command, value)
        return "OK"

    def _act(self, command: str, value: str) -> None:
        if command == "STATE" and value in ("A", "B", "C", "D"):

            def set_state(vehicle: Vehicle) -> None:
                vehicle.pilot_state = value

            self._world.change(set_state)
        elif command == "RELAY" and value in ("0", "1"):

            def set_relay(vehicle: Vehicle) -> None:
                vehicle.contactor_closed = value == "1"

            self._world.change(set_relay)
        elif command == "PP":
            ohm = None if value == "OPEN" else _figure(value, 10, 100_000)

            def set_proximity(vehicle: Vehicle) -> None:
                vehicle.proximity_ohm = ohm

            self._world.change(set_proximity)
        elif command == "CARD" and _TOKEN.fullmatch(value):
            self._world.present_card(value)
        else:
            raise _Refusal("2 unknown command")

    def _safe(self) -> None:
        def act(vehicle: Vehicle) -> None:
            vehicle.contactor_closed = False
            vehicle.pilot_state = "A"
            vehicle.proximity_ohm = None

        self._world.change(act)

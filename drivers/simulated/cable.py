"""The copper between the simulated charger and the rig: JSON lines over TCP, described in
docs/internals.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from typing import Any

from drivers.simulated.electrics import DcSource, PilotSource
from drivers.simulated.world import AcSource, World

MAX_LINE_BYTES = 16 * 1024
MAX_UNSENT_BYTES = 256 * 1024
TICK_S = 0.05
_LIMIT_V, _LIMIT_A = 2000.0, 2000.0


class CableError(ValueError):
    """A line of the charger is not what the protocol allows."""


def _number(raw: dict[str, Any], key: str, low: float, high: float) -> float:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CableError(f"{key} is {value!r:.40}, not a number")
    if not low <= value <= high:
        raise CableError(f"{key} {value} is not within {low:g} .. {high:g}")
    return float(value)


def _flag(raw: dict[str, Any], key: str) -> bool:
    value = raw.get(key)
    if not isinstance(value, bool):
        raise CableError(f"{key} is {value!r:.40}, not true or false")
    return value


def _part(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    if not isinstance(value, dict):
        raise CableError(f"{key} is missing")
    return value


def parse_charger_line(line: bytes) -> tuple[PilotSource, DcSource, AcSource, bool]:
    """Pilot, DC stage, AC side and lock of one line. Raises CableError."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CableError(f"not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise CableError("not an object")
    pilot, dc, ac = _part(raw, "pilot"), _part(raw, "dc"), _part(raw, "ac")
    fault = pilot.get("fault")
    if fault not in (None, "E", "F"):
        raise CableError(f"fault {fault!r:.40} is none of null, E, F")
    return (
        PilotSource(_flag(pilot, "oscillator"), _number(pilot, "duty_percent", 0, 100), fault),
        DcSource(
            _flag(dc, "enabled"),
            _number(dc, "voltage_v", 0, _LIMIT_V),
            _number(dc, "current_a", 0, _LIMIT_A),
            _flag(dc, "bleed"),
        ),
        AcSource(_flag(ac, "contactor"), _number(ac, "voltage_v", 0, 500), int(_number(ac, "phases", 1, 3))),
        _flag(raw, "lock"),
    )


class CableServer:
    """Listens for one charger; a second one is turned away."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.address = ""
        self.lines = 0
        self.bad_lines = 0
        self.last_problem: str | None = None
        self._sent = 0
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        world.on_change.append(self._send)
        world.on_card.append(self._card)

    async def start(self, host: str = "127.0.0.1") -> None:
        """Listen on a free port of `host`."""
        self._server = await asyncio.start_server(self._serve, host, 0, limit=MAX_LINE_BYTES)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"

    def close(self) -> None:
        """Stop listening and cut the cable."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()

    def _card(self, token: str) -> None:
        self._send(rfid=token)

    def _send(self, rfid: str | None = None) -> None:
        writer = self._writer
        if writer is None:
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.last_problem = "the charger does not read what the cable carries"
            writer.transport.abort()
            return
        flow, pilot = self.world.look(), self.world.pilot()
        self._sent += 1
        state: dict[str, Any] = {
            "seq": self._sent,
            "pilot": {
                "high_v": round(pilot.high_v, 3),
                "low_v": round(pilot.low_v, 3),
                "state": pilot.state,
            },
            "proximity_ohm": self.world.vehicle.proximity_ohm,
            "dc": {"voltage_v": round(flow.dc_voltage_v, 4), "current_a": round(flow.dc_current_a, 4)},
            "ac": {
                "voltage_v": flow.ac_voltage_v,
                "current_a": max(flow.ac_current_a),
                "power_w": round(flow.ac_power_w, 4),
                "phases": sum(current > 0 for current in flow.ac_current_a),
            },
            "energy_wh": round(self.world.energy_wh, 6),
            "ack": self.lines,
        }
        if rfid is not None:
            state["rfid"] = rfid
        writer.write(json.dumps(state, separators=(",", ":")).encode() + b"\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self.lines = 0
        ticker = asyncio.ensure_future(self._tick())
        try:
            while line := await reader.readline():
                self.lines += 1
                try:
                    self.world.charger_sets(*parse_charger_line(line))
                except CableError as error:
                    self.bad_lines += 1
                    self.last_problem = str(error)
                self._send()
        except ValueError as error:  # a line beyond MAX_LINE_BYTES
            self.bad_lines += 1
            self.last_problem = str(error)
        except ConnectionError:
            self.last_problem = "the charger's end of the cable broke"
        finally:
            ticker.cancel()
            self._writer = None
            self.world.charger_gone()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)  # the protocol's own clock: a line at least every 50 ms
            self._send()

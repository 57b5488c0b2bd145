"""The rig: the world, the cable, the twins, and a window for tests to look at the true state."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import asdict
from typing import Any

from drivers.simulated.acload import AcLoadTwin
from drivers.simulated.analyzer import AnalyzerTwin
from drivers.simulated.cable import CableServer
from drivers.simulated.electrics import BLEED_S
from drivers.simulated.meter import MeterTwin
from drivers.simulated.pilot import PilotTwin
from drivers.simulated.powerline import Powerline
from drivers.simulated.sink import SinkTwin
from drivers.simulated.world import World

_MAX_LINE_BYTES = 4096
_MODEMS = {"plc": "ev", "plc-evse": "evse"}
"""The modems whose hosts are endpoints of the rig."""


class Rig:
    """Everything behind the connectors of an embedded bench."""

    def __init__(self, seed: int = 1, *, bleed_s: float = BLEED_S) -> None:
        self.world = World(bleed_s=bleed_s)
        self.cable = CableServer(self.world)
        self.analyzer = AnalyzerTwin(self.world, seed)
        self.meter = MeterTwin(self.world)
        self.pilot = PilotTwin(self.world)
        self.sink = SinkTwin(self.world)
        self.loads = [AcLoadTwin(self.world, phase) for phase in range(3)]
        self.powerline = Powerline(seed)
        self._inspect: asyncio.Server | None = None
        self._inspect_address = ""

    async def start(
        self, cable_host: str = "127.0.0.1", *, plc_ev_interface: str = "", plc_evse_interface: str = ""
    ) -> None:
        """Open every endpoint, the cable's on `cable_host`; the modems' hosts come over tunnels, or sit on
        the interfaces named. Raises OSError.
        """
        await self.cable.start(cable_host)
        await self.meter.start()
        self.pilot.start()
        for twin in (self.analyzer, self.sink, *self.loads):
            await twin.start()
        await self.powerline.start(ev_interface=plc_ev_interface, evse_interface=plc_evse_interface)
        self._inspect = await asyncio.start_server(self._window, "127.0.0.1", 0, limit=_MAX_LINE_BYTES)
        host, port = self._inspect.sockets[0].getsockname()[:2]
        self._inspect_address = f"{host}:{port}"

    def endpoints(self) -> dict[str, str]:
        """Where each instrument is, as its driver wants it."""
        return {
            "cable": self.cable.address,
            "analyzer": self.analyzer.resource,
            "meter": self.meter.address,
            "pilot": self.pilot.resource,
            "sink": self.sink.resource,
            "acload": ",".join(load.resource for load in self.loads),
            **self.powerline.endpoints(),
            "inspect": self._inspect_address,
        }

    async def close(self) -> None:
        """Pull every plug."""
        self.cable.close()
        for twin in (self.analyzer, self.sink, *self.loads):
            twin.close()
        self.pilot.close()
        self.powerline.close()
        await self.meter.close()
        if self._inspect is not None:
            self._inspect.close()

    def state(self) -> dict[str, Any]:
        """The true state of the world, for tests."""
        flow = self.world.look()
        return {
            "vehicle": asdict(self.world.vehicle),
            "pilot": asdict(self.world.pilot()),
            "watchdog": self.pilot.watchdog.state,
            "dc": {"voltage_v": flow.dc_voltage_v, "current_a": flow.dc_current_a},
            "ac": {"voltage_v": flow.ac_voltage_v, "current_a": flow.ac_current_a},
            "energy_wh": self.world.energy_wh,
            "grid_power_w": self.world.grid_power_w(),
            "grid_import_wh": self.world.grid_import_wh,
            "charger": {
                "connected": self.world.charger_connected,
                "locked": self.world.locked,
                "lines": self.cable.lines,
                "bad_lines": self.cable.bad_lines,
                "last_problem": self.cable.last_problem,
            },
            "plc": self.powerline.state(),
        }

    async def unplug(self, name: str) -> None:
        """Pull an instrument's plug: its port closes, its link breaks."""
        if name == "meter":
            await self.meter.close()
        elif name == "pilot":
            self.pilot.close()
        elif name == "cable":
            self.cable.close()
        elif name in _MODEMS:
            await self.powerline.unplug(_MODEMS[name])
        else:
            for twin in self._scpi(name):
                twin.close()

    async def plug(self, name: str) -> None:
        """Put a SCPI instrument, the meter or a modem back on its port."""
        if name == "meter":
            await self.meter.start()
        elif name in _MODEMS:
            await self.powerline.plug(_MODEMS[name])
        else:
            for twin in self._scpi(name):
                await twin.start()

    async def mute(self, name: str, silent: bool) -> None:
        """Let an instrument hear everything and answer nothing (the meter answers `busy`)."""
        if name == "meter":
            self.meter.muted = silent
        elif name == "pilot":
            self.pilot.muted = silent
        elif name in _MODEMS:
            await self.powerline.command({"set": _MODEMS[name], "mute": silent})
        else:
            for twin in self._scpi(name):
                twin.muted = silent

    def _scpi(self, name: str) -> list[AnalyzerTwin | SinkTwin | AcLoadTwin]:
        found: dict[str, list[AnalyzerTwin | SinkTwin | AcLoadTwin]] = {
            "analyzer": [self.analyzer],
            "sink": [self.sink],
            "acload": list(self.loads),
        }
        return found[name]

    async def _command(self, line: bytes) -> None:
        request = json.loads(line)
        for verb, name in request.items():
            if verb == "unplug":
                await self.unplug(name)
            elif verb == "plug":
                await self.plug(name)
            elif verb in ("mute", "unmute"):
                await self.mute(name, verb == "mute")
            elif verb == "plc":
                await self.powerline.command(name)
            else:
                raise KeyError(verb)

    async def _window(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line of state for each line asked: `{}`, `{"unplug"|"plug"|"mute"|"unmute": instrument}`, or
        `{"plc": order}` (see `Powerline.command`).
        """
        try:
            while line := await reader.readline():
                problem = None
                try:
                    await self._command(line)
                except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
                    problem = f"{type(error).__name__}: {error}"
                answer = {**self.state(), "problem": problem}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            return  # a line without an end, or the test has gone
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

"""Simulated twin of an Eastron SDM630 in the charger's grid supply, on Modbus TCP."""

from __future__ import annotations

import socket
import struct
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.simulated.world import World

UNIT = 1
LAST_REGISTER = 79
GRID_V = 230.0
_READ_INPUT = 4


def registers_of(values: dict[int, float], count: int) -> list[int]:
    """Registers 0 .. count-1 with the floats at their addresses, high word first, zeros elsewhere."""
    registers = [0] * count
    for address, value in values.items():
        registers[address : address + 2] = struct.unpack(">2H", struct.pack(">f", value))
    return registers


class MeterTwin:
    """What the charger draws from the grid, evenly over three phases."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._server: Any = None
        self.port = 0
        self.muted = False

    @property
    def address(self) -> str:
        """host:port of the Modbus server."""
        return f"127.0.0.1:{self.port}"

    def _values(self) -> dict[int, float]:
        power_w = self._world.grid_power_w()
        values = {52: power_w, 70: 50.0, 72: self._world.grid_import_wh / 1000.0}
        for phase in range(3):
            values[2 * phase] = GRID_V
            values[6 + 2 * phase] = power_w / 3 / GRID_V
            values[12 + 2 * phase] = power_w / 3
        return values

    async def _read(
        self, function: int, start: int, _address: int, _count: int, registers: list[int], _written: Any
    ) -> ExcCodes | None:
        if function != _READ_INPUT:
            return ExcCodes.ILLEGAL_FUNCTION
        if self.muted:
            return ExcCodes.DEVICE_BUSY
        registers[: LAST_REGISTER + 1] = registers_of(self._values(), LAST_REGISTER + 1)
        return None

    async def start(self) -> None:
        """Listen on a free port of the loopback (the same again when it was unplugged)."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = int(probe.getsockname()[1])
        data = SimData(0, count=LAST_REGISTER + 1, values=0, datatype=DataType.REGISTERS)
        device = SimDevice(UNIT, [data], action=self._read)
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)

    async def close(self) -> None:
        """Pull the network plug."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()

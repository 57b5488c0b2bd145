"""EnergyMeter: Eastron SDM630 Modbus, over Modbus TCP or a serial gateway.

Input registers (function 4), 32-bit IEEE floats, high word first: 0/2/4 voltage L1..L3, 6/8/10 current,
12/14/16 power of each phase, 52 total power, 72 imported energy in kWh. The meter itself speaks RTU on
RS-485; `gateway` says what is between: "modbus-tcp" (a converting gateway) or "rtu-over-tcp" (a
transparent serial server).
"""

from __future__ import annotations

import math
import struct
from typing import Any, ClassVar

from pymodbus import FramerType, ModbusException
from pymodbus.client import ModbusTcpClient

from drivers.base import Identity, InstrumentLost, InstrumentRefused, LimitExceeded, Trace
from drivers.energy_meter import EnergyMeter, MeterReading

_PHASES_AT, _PHASES_COUNT = 0, 12
_TOTAL_POWER_AT = 52
_IMPORT_KWH_AT = 72
_FRAMERS = {"modbus-tcp": FramerType.SOCKET, "rtu-over-tcp": FramerType.RTU}
_BELIEVABLE = 1e9


def floats(registers: list[int]) -> list[float]:
    """32-bit floats, high word first. Raises ValueError for an odd count, a value beyond 16 bit, NaN or
    infinity.
    """
    if len(registers) % 2:
        raise ValueError(f"{len(registers)} registers are no whole floats")
    try:
        values = struct.unpack(f">{len(registers) // 2}f", struct.pack(f">{len(registers)}H", *registers))
    except struct.error as error:
        raise ValueError(str(error)) from error
    if not all(math.isfinite(value) and abs(value) < _BELIEVABLE for value in values):
        raise ValueError(f"{values} are not measurements")
    return list(values)


def _address(resource: str) -> tuple[str, int]:
    host, _, port = resource.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"resource {resource!r} is not host:port")
    return host.strip("[]"), int(port)


class EastronSdm630(EnergyMeter):
    """An SDM630 in the charger's supply; `unit` is its Modbus address."""

    vendor: ClassVar[str] = "Eastron"
    model: ClassVar[str] = "SDM630 Modbus"
    verified_on: ClassVar[str | None] = None

    def __init__(
        self,
        resource: str,
        *,
        name: str,
        trace: Trace | None = None,
        unit: int = 1,
        gateway: str = "modbus-tcp",
        timeout_s: float = 1.0,
    ) -> None:
        super().__init__(resource, name=name, trace=trace)
        self._unit = int(self._within("unit", unit, 1, 247))
        if gateway not in _FRAMERS:
            raise LimitExceeded(
                f"{name} ({self.model}): gateway {gateway!r} is not one of {', '.join(_FRAMERS)}"
            )
        try:
            host, port = _address(resource)
        except ValueError as error:
            raise LimitExceeded(f"{name} ({self.model}): {error}") from error
        self._client: Any = ModbusTcpClient(
            host,
            port=port,
            framer=_FRAMERS[gateway],
            timeout=self._within("timeout_s", timeout_s, 0.05, 60),
            retries=0,
        )

    def open(self) -> None:
        with self._lock:
            try:
                if not self._client.connect():
                    raise self._not_found("the connection was refused")
                self._registers(_TOTAL_POWER_AT, 2)
            except (InstrumentLost, InstrumentRefused) as error:
                self._client.close()
                raise self._not_found(f"no meter answers: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._client.close()

    def identify(self) -> Identity:
        """The meter has no register with its name on record; that it answers where the total power lies is
        all.
        """
        self._registers(_TOTAL_POWER_AT, 2)
        return Identity(self.vendor, self.model)

    def read(self) -> MeterReading:
        with self._lock:
            volts_amps = self._registers(_PHASES_AT, _PHASES_COUNT)
            (power_w,) = self._registers(_TOTAL_POWER_AT, 2)
            (import_kwh,) = self._registers(_IMPORT_KWH_AT, 2)
        v1, v2, v3, a1, a2, a3 = volts_amps
        return MeterReading(power_w, import_kwh * 1000.0, (v1, v2, v3), (a1, a2, a3))

    def keep_alive(self) -> None:
        self._registers(_TOTAL_POWER_AT, 2)

    def make_safe(self) -> None:
        """It only listens: there is nothing to switch off."""

    def _registers(self, address: int, count: int) -> list[float]:
        command = f"FC4 {address} x{count}"
        with self._lock:
            try:
                answer = self._client.read_input_registers(address, count=count, device_id=self._unit)
            except (ModbusException, OSError) as error:
                self._client.close()  # a late answer must not be taken for the next one
                raise self._lost(command, str(error)) from error
            if answer.isError():
                raise self._refused(command, str(answer)[:200])
            registers = list(answer.registers)
            try:
                if len(registers) != count:
                    raise ValueError(f"{len(registers)} registers where {count} were asked for")
                values = floats(registers)
            except ValueError as error:
                raise self._lost(command, f"it answered nonsense: {error}") from error
            self._note(command, " ".join(f"{value:g}" for value in values))
            return values

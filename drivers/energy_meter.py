"""Capability: an energy meter in the charger's grid supply."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from drivers.base import Driver


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Total power, the import register, and voltage (to neutral) and current of each phase L1, L2, L3."""

    power_w: float
    import_wh: float
    voltage_v: tuple[float, float, float]
    current_a: tuple[float, float, float]


class EnergyMeter(Driver):
    """Reads a meter. It only listens: its safe state is any state."""

    @abstractmethod
    def read(self) -> MeterReading:
        """Its registers now. Raises InstrumentLost."""

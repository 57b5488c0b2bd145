"""Capability: a power analyzer at the connector, the bench's reference for power and energy."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from drivers.base import Driver

PowerMode = Literal["dc", "ac"]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How wrong a reading may be: a share of the reading plus a share of the range."""

    reading_percent: float
    range_percent: float

    def __str__(self) -> str:
        return f"{self.reading_percent:g} % of reading + {self.range_percent:g} % of range"


@dataclass(frozen=True, slots=True)
class PowerReading:
    """DC: mean values. AC: RMS of the first phase and the power of all phases. `energy_wh` since the last
    reset.
    """

    voltage_v: float
    current_a: float
    power_w: float
    mode: PowerMode
    energy_wh: float | None = None


class PowerAnalyzer(Driver):
    """Measures voltage, current, power, and integrates energy. It only listens: its safe state is any
    state.
    """

    accuracy: Accuracy

    @abstractmethod
    def set_mode(self, mode: PowerMode) -> None:
        """What to measure from now on. Raises LimitExceeded for an unknown mode, DriverError."""

    @abstractmethod
    def measure(self) -> PowerReading:
        """What flows now. Raises InstrumentLost."""

    @abstractmethod
    def integrate_reset(self) -> None:
        """Set the energy to zero; stops a running integration. Raises DriverError."""

    @abstractmethod
    def integrate_start(self) -> None:
        """Start to integrate. Raises DriverError."""

    @abstractmethod
    def integrate_stop(self) -> None:
        """Stop to integrate; the energy stays readable. Raises DriverError."""

    @abstractmethod
    def energy_wh(self) -> float:
        """Energy since the last reset, in watt-hours. Raises InstrumentLost."""

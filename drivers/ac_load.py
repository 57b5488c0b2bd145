"""Capability: an AC load that plays the on-board charger."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from drivers.base import Driver


@dataclass(frozen=True, slots=True)
class AcReading:
    """What the load measures: phase voltage and current (RMS, mean of the loaded phases), power of all
    phases.
    """

    voltage_v: float
    current_a: float
    power_w: float


class AcLoad(Driver):
    """Draws a current from one to three phases. Safe state: output off."""

    @abstractmethod
    def set_current(self, current_a: float, phases: int = 3) -> None:
        """The current of each of the first `phases` phases, the others draw none. Raises LimitExceeded,
        DriverError.
        """

    @abstractmethod
    def output(self, on: bool) -> None:
        """Switch the load on or off. Raises DriverError."""

    @abstractmethod
    def measure(self) -> AcReading:
        """What flows now. Raises InstrumentLost."""

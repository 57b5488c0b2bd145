"""Capability: a DC sink that plays the battery."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from drivers.base import Driver


@dataclass(frozen=True, slots=True)
class DcReading:
    """What the sink measures at its terminals; current and power are positive into the sink."""

    voltage_v: float
    current_a: float
    power_w: float


class DcSink(Driver):
    """A battery: a voltage, and a current that it will not exceed. Safe state: output off."""

    @abstractmethod
    def set_voltage(self, voltage_v: float) -> None:
        """The battery's voltage. Raises LimitExceeded, DriverError."""

    @abstractmethod
    def set_current_limit(self, current_a: float) -> None:
        """The highest current that the battery takes. Raises LimitExceeded, DriverError."""

    @abstractmethod
    def output(self, on: bool) -> None:
        """Switch the terminals on or off. Raises DriverError."""

    @abstractmethod
    def measure(self) -> DcReading:
        """What flows now. Raises InstrumentLost."""

"""Capability: the vehicle's side of the control pilot (IEC 61851-1, table A.2)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from drivers.base import Driver

PilotState = Literal["A", "B", "C", "D"]
"""A: no vehicle, B: vehicle not ready, C: ready, D: ready with ventilation."""


@dataclass(frozen=True, slots=True)
class PilotReading:
    """What is on the pilot line, measured at the vehicle.

    `state` A..F after the positive level; `high_v`/`low_v` the two levels of the square wave (equal when
    there is none); `duty_percent` 100 for a steady level; `frequency_hz` 0 for a steady level.
    """

    state: str
    high_v: float
    low_v: float
    duty_percent: float
    frequency_hz: float

    @property
    def oscillator(self) -> bool:
        """Whether the charger sends the square wave."""
        return self.frequency_hz > 0


class ControlPilot(Driver):
    """Puts the vehicle's resistors on the pilot line and measures it. Safe state: A, proximity open."""

    @abstractmethod
    def set_state(self, state: PilotState) -> None:
        """Put the resistors of the state on the line. Raises DriverError, LimitExceeded for an unknown
        state.
        """

    @abstractmethod
    def measure(self) -> PilotReading:
        """What is on the line now. Raises InstrumentLost."""

    @abstractmethod
    def set_proximity_ohm(self, ohm: float | None) -> None:
        """Put a resistor between proximity and earth (IEC 61851-1, table B.2), None for open. Raises
        DriverError.
        """

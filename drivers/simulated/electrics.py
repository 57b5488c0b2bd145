"""The physics of the simulated rig, as pure functions: the pilot circuit and the DC connector."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.control_pilot import PilotReading

SOURCE_OHM = 1000.0
DIODE_V = 0.7
SOURCE_V = 12.0
PILOT_FREQUENCY_HZ = 1000.0
_R_B, _R_C, _R_D = 2740.0, 1300.0, 270.0
_PARALLEL_C = _R_B * _R_C / (_R_B + _R_C)
_PARALLEL_D = _R_B * _R_D / (_R_B + _R_D)
VEHICLE_OHM: dict[str, float | None] = {"A": None, "B": _R_B, "C": _PARALLEL_C, "D": _PARALLEL_D}
"""The vehicle's resistance between pilot and earth by state (IEC 61851-1, table A.3); None: not connected."""

BATTERY_OHM = 0.05
BLEED_S = 0.05
"""Time constant of the connector's capacitance over the charger's bleeder."""
LEAK_S = 5.0
"""The same without a bleeder."""

# IEC 61851-1, table A.4: the charger's limits of each state, the middle of the gaps between them
_LEVELS = ((10.5, "A"), (7.5, "B"), (4.5, "C"), (1.5, "D"), (-1.5, "E"))


@dataclass(frozen=True, slots=True)
class PilotSource:
    """What the charger puts on the pilot: square wave or steady level, or a fault (E: 0 V, F: -12 V)."""

    oscillator: bool = False
    duty_percent: float = 100.0
    fault: str | None = "E"


def _state(level_v: float) -> str:
    for floor_v, state in _LEVELS:
        if level_v >= floor_v:
            return state
    return "F"


def pilot(source: PilotSource, vehicle_state: str) -> PilotReading:
    """The levels on the line, as the divider of the charger's 1 kOhm and the vehicle's resistors gives
    them.
    """
    if source.fault == "E":
        return PilotReading("E", 0.0, 0.0, 100.0, 0.0)
    if source.fault == "F":
        return PilotReading("F", -SOURCE_V, -SOURCE_V, 100.0, 0.0)
    ohm = VEHICLE_OHM[vehicle_state]
    high_v = SOURCE_V
    if ohm is not None:
        high_v = DIODE_V + (SOURCE_V - DIODE_V) * ohm / (ohm + SOURCE_OHM)
    if not source.oscillator:
        return PilotReading(_state(high_v), high_v, high_v, 100.0, 0.0)
    return PilotReading(_state(high_v), high_v, -SOURCE_V, source.duty_percent, PILOT_FREQUENCY_HZ)


@dataclass(frozen=True, slots=True)
class DcSource:
    """The charger's DC stage: set point, current limit, and whether its bleeder hangs on the output."""

    enabled: bool = False
    voltage_v: float = 0.0
    current_a: float = 0.0
    bleed: bool = True


@dataclass(frozen=True, slots=True)
class Battery:
    """What hangs behind the closed contactor: an EMF, and the highest current it takes."""

    emf_v: float
    limit_a: float


def connector(
    source: DcSource, battery: Battery | None, before_v: float, elapsed_s: float, bleed_s: float = BLEED_S
) -> tuple[float, float]:
    """Voltage and current at the DC connector; `before_v` is what was there `elapsed_s` ago.

    The lower of three currents flows: what the charger gives, what the battery takes, what the resistance
    between the two voltages lets through.
    """
    if battery is None:
        if source.enabled:
            return source.voltage_v, 0.0
        decay_s = bleed_s if source.bleed else LEAK_S
        left_v = before_v * math.exp(-elapsed_s / decay_s)
        return (left_v if left_v > 0.01 else 0.0), 0.0
    if not source.enabled or source.voltage_v <= battery.emf_v:
        return battery.emf_v, 0.0
    through_a = (source.voltage_v - battery.emf_v) / BATTERY_OHM
    current_a = min(through_a, source.current_a, battery.limit_a)
    if battery.limit_a < min(through_a, source.current_a):
        return source.voltage_v, current_a  # the battery limits: the charger holds its voltage
    return battery.emf_v + current_a * BATTERY_OHM, current_a

"""The traction battery: open-circuit voltage over SoC, internal resistance, constant current then constant
voltage.

Enough of a battery for a charger to see a car: voltage rises with SoC and with current, the current it asks
for is limited by the car, by power and, near full, by the voltage limit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

Curve = tuple[tuple[float, float], ...]
"""(SoC in percent, open-circuit voltage in V), SoC strictly rising from 0 to 100, voltage never falling."""

RESERVE_CURRENT_A = 1.0
"""Below this current in the constant-voltage phase the battery counts as full."""


@dataclass(frozen=True, slots=True)
class BatteryLimits:
    """What the battery is made of and what it tolerates."""

    capacity_kwh: float
    ocv_v: Curve
    resistance_ohm: float
    max_voltage_v: float
    max_current_a: float
    max_power_w: float
    full_soc_percent: float = 100.0
    bulk_soc_percent: float = 80.0
    min_temperature_c: float = 0.0
    """Below this temperature the battery takes a quarter of its current."""


def interpolate(curve: Sequence[tuple[float, float]], x: float) -> float:
    """Linear interpolation on `curve`, held constant beyond its ends."""
    position = bisect_right([point[0] for point in curve], x)
    if position == 0:
        return curve[0][1]
    if position == len(curve):
        return curve[-1][1]
    (x0, y0), (x1, y1) = curve[position - 1], curve[position]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


class Battery:
    """A battery that is charged (current > 0) or discharged (current < 0)."""

    def __init__(self, limits: BatteryLimits, soc_percent: float, temperature_c: float = 25.0) -> None:
        self.limits = limits
        self.soc_percent = min(100.0, max(0.0, soc_percent))
        self.temperature_c = temperature_c
        self.current_a = 0.0
        self.energy_in_wh = 0.0
        """Energy taken at the terminals since this object was made, in Wh."""

    @property
    def ocv_v(self) -> float:
        """Open-circuit voltage at the present SoC."""
        return interpolate(self.limits.ocv_v, self.soc_percent)

    @property
    def voltage_v(self) -> float:
        """Terminal voltage at the present SoC and current."""
        return self.ocv_v + self.current_a * self.limits.resistance_ohm

    @property
    def full(self) -> bool:
        """True at the SoC where charging ends, or when the voltage limit leaves next to no current."""
        return (
            self.soc_percent >= self.limits.full_soc_percent - 1e-9
            or self.wanted_current_a() < RESERVE_CURRENT_A
        )

    @property
    def bulk_complete(self) -> bool:
        """True from the bulk SoC on."""
        return self.soc_percent >= self.limits.bulk_soc_percent

    @property
    def energy_to_full_wh(self) -> float:
        """Energy that still goes in until the full SoC."""
        missing = max(0.0, self.limits.full_soc_percent - self.soc_percent)
        return missing / 100 * self.limits.capacity_kwh * 1000

    def wanted_current_a(self) -> float:
        """Current that the battery asks for now: constant current, then power, then constant voltage."""
        if self.soc_percent >= self.limits.full_soc_percent - 1e-9:
            return 0.0
        limits = self.limits
        current_a = min(limits.max_current_a, limits.max_power_w / max(self.voltage_v, 1.0))
        if limits.resistance_ohm > 0:
            current_a = min(current_a, (limits.max_voltage_v - self.ocv_v) / limits.resistance_ohm)
        if self.temperature_c < limits.min_temperature_c:
            current_a *= 0.25
        return max(0.0, current_a)

    def seconds_to(self, soc_percent: float) -> float | None:
        """Time to reach `soc_percent` at the present current, or None while no current flows."""
        power_w = self.voltage_v * self.current_a
        if power_w <= 0:
            return None
        missing_wh = max(0.0, soc_percent - self.soc_percent) / 100 * self.limits.capacity_kwh * 1000
        return missing_wh / power_w * 3600

    def step(self, dt_s: float, current_a: float) -> None:
        """Let `current_a` flow for `dt_s` seconds: SoC and voltage move, the resistance heats."""
        self.current_a = current_a
        hours = max(0.0, dt_s) / 3600
        stored_wh = self.ocv_v * current_a * hours
        self.energy_in_wh += self.voltage_v * current_a * hours
        percent = stored_wh / (self.limits.capacity_kwh * 1000) * 100
        self.soc_percent = min(100.0, max(0.0, self.soc_percent + percent))
        # A battery pack heats slowly; 3 kJ/K a kWh is about right for a cooled one that is not being cooled.
        heat_j = current_a**2 * self.limits.resistance_ohm * dt_s
        self.temperature_c += heat_j / (3000 * self.limits.capacity_kwh)

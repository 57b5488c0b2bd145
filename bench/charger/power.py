"""Power stages: the DC converter and the AC contactor, both acting through the cable.

Voltages and currents are what the vehicle asks for, clamped to the charger's nameplate ([V2G2-...] the SECC
never
exceeds its own limits). `off` is synchronous: it is called on unplug and must act before anything else
happens.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bench.charger.cable import Cable

SAFE_VOLTAGE_V = 60.0
INSULATION_TEST_V = 500.0
INSULATION_CURRENT_A = 1.0
PRECHARGE_CURRENT_A = 2.0
RAMP_TIMEOUT_S = 2.0
SETTLE_S = 0.015


@dataclass(frozen=True)
class DcLimits:
    """Nameplate of the DC stage."""

    max_voltage_v: float = 920.0
    min_voltage_v: float = 150.0
    max_current_a: float = 200.0
    min_current_a: float = 0.0
    max_power_w: float = 150_000.0


class DcStage:
    """DC converter: set point and current limit on the cable, bleeder when off."""

    def __init__(self, cable: Cable, limits: DcLimits, *, insulation_hold_s: float = 0.02) -> None:
        self.cable = cable
        self.limits = limits
        self.insulation_hold_s = insulation_hold_s
        self.precharge_share = 1.0
        """Share of the requested pre-charge voltage that the converter reaches."""
        self.claimed_voltage_v: float | None = None
        """What is reported instead of the measured voltage; None on an honest charger."""

    @property
    def voltage_v(self) -> float:
        """Voltage at the connector, as reported to the vehicle."""
        return self.cable.seen.dc_voltage_v if self.claimed_voltage_v is None else self.claimed_voltage_v

    @property
    def current_a(self) -> float:
        """Current at the connector."""
        return self.cable.seen.dc_current_a

    async def insulation_test(self) -> bool:
        """Apply the test voltage, hold it, take it away; True when the voltage came and went (IEC 61851-23
        CC.4)."""
        test_v = min(INSULATION_TEST_V, self.limits.max_voltage_v)
        self.cable.set(dc_enabled=True, dc_voltage_v=test_v, dc_current_a=INSULATION_CURRENT_A, bleed=False)
        try:
            came = await self.cable.until(lambda seen: seen.dc_voltage_v >= 0.9 * test_v, RAMP_TIMEOUT_S)
            if came and self.insulation_hold_s:
                await asyncio.sleep(self.insulation_hold_s)
        finally:
            self.off()
        went = await self.cable.until(lambda seen: seen.dc_voltage_v < SAFE_VOLTAGE_V, RAMP_TIMEOUT_S)
        return came and went

    async def precharge(self, target_v: float) -> None:
        """Bring the connector to the vehicle's voltage with a small current limit."""
        wanted = min(max(target_v, 0.0), self.limits.max_voltage_v) * self.precharge_share
        self.cable.set(dc_enabled=True, dc_voltage_v=wanted, dc_current_a=PRECHARGE_CURRENT_A, bleed=False)
        await self.cable.settled(SETTLE_S)

    def current_for(self, target_a: float, target_v: float) -> float:
        """The current limit for a request: target, nameplate current and nameplate power, whichever is
        least."""
        by_power = self.limits.max_power_w / target_v if target_v > 1.0 else self.limits.max_current_a
        return max(0.0, min(target_a, self.limits.max_current_a, by_power))

    def before_demand(self) -> None:
        """PowerDelivery Start was answered: hold the voltage, let no current flow before it is asked for."""
        self.cable.set(dc_enabled=True, dc_current_a=0.0, bleed=False)

    async def deliver(self, target_v: float, target_a: float) -> None:
        """Follow the vehicle's demand; returns when the connector shows it (or after 15 ms)."""
        voltage = min(max(target_v, 0.0), self.limits.max_voltage_v)
        self.cable.set(
            dc_enabled=True,
            dc_voltage_v=voltage,
            dc_current_a=self.current_for(target_a, voltage),
            bleed=False,
        )
        await self.cable.settled(SETTLE_S)

    def off(self) -> None:
        """Converter off, bleeder on; at once."""
        self.claimed_voltage_v = None
        self.cable.set(dc_enabled=False, dc_voltage_v=0.0, dc_current_a=0.0, bleed=True)


class AcStage:
    """AC contactor."""

    def __init__(self, cable: Cable, *, phases: int = 3, max_current_a: float = 32.0) -> None:
        self.cable = cable
        self.phases = phases
        self.max_current_a = max_current_a

    async def close(self) -> bool:
        """Close the contactor; True when it closed."""
        self.cable.set(contactor=True, phases=self.phases)
        await self.cable.settled(SETTLE_S)
        return True

    def off(self) -> None:
        """Open the contactor; at once."""
        self.cable.set(contactor=False)


class Power:
    """Both stages with one switch."""

    def __init__(self, dc: DcStage, ac: AcStage) -> None:
        self.dc = dc
        self.ac = ac

    def off(self) -> None:
        """No power on the connector; at once."""
        self.dc.off()
        self.ac.off()

    def unplugged(self) -> None:
        """The vehicle left states C and D, or is gone."""
        self.off()

    def plugged(self) -> None:
        """A vehicle was connected: nothing is switched on before the protocol allows it."""

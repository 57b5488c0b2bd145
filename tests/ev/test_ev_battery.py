"""The battery behaves as one: voltage with SoC and current; constant current, power, voltage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ev.battery import Battery, BatteryLimits, interpolate

LIMITS = BatteryLimits(
    capacity_kwh=10.0,
    ocv_v=((0.0, 300.0), (50.0, 350.0), (100.0, 400.0)),
    resistance_ohm=0.1,
    max_voltage_v=405.0,
    max_current_a=100.0,
    max_power_w=36_000.0,
)


def test_interpolation_holds_beyond_the_ends() -> None:
    curve = ((0.0, 1.0), (10.0, 2.0))
    assert [interpolate(curve, x) for x in (-5, 0, 5, 10, 50)] == [1, 1, 1.5, 2, 2]


def test_voltage_rises_with_soc_and_current() -> None:
    battery = Battery(LIMITS, 50.0)
    assert battery.voltage_v == 350.0
    battery.step(0.0, 100.0)
    assert battery.voltage_v == 360.0


def test_energy_and_soc_follow_the_current() -> None:
    battery = Battery(LIMITS, 50.0)
    for _ in range(3600):
        battery.step(1.0, 10.0)
    assert battery.energy_in_wh == pytest.approx(3700, rel=0.02)
    # 10 A for an hour at about 370 V of 10 kWh, less what the resistance took
    assert battery.soc_percent == pytest.approx(50 + 36.8, abs=0.5)


def test_constant_current_then_power_then_voltage() -> None:
    low, middle, high = Battery(LIMITS, 0.0), Battery(LIMITS, 95.0), Battery(LIMITS, 99.0)
    assert low.wanted_current_a() == 100.0
    assert middle.wanted_current_a() == pytest.approx(36_000 / 395, rel=0.01)
    assert high.wanted_current_a() == pytest.approx((405 - 399) / 0.1)
    assert Battery(LIMITS, 100.0).wanted_current_a() == 0.0


def test_charging_ends_full_and_never_beyond_the_voltage_limit() -> None:
    battery = Battery(LIMITS, 90.0)
    for _ in range(20_000):
        current_a = battery.wanted_current_a()
        if battery.full:
            break
        battery.step(1.0, current_a)
        assert battery.voltage_v <= LIMITS.max_voltage_v + 0.1  # one step of rising OCV
    assert battery.full and battery.soc_percent > 99.5


def test_a_cold_battery_takes_less() -> None:
    assert Battery(LIMITS, 10.0, -5.0).wanted_current_a() == 25.0


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_soc_stays_within_bounds(current_a: float, dt_s: float) -> None:
    battery = Battery(LIMITS, 50.0)
    battery.step(dt_s, current_a)
    assert 0.0 <= battery.soc_percent <= 100.0

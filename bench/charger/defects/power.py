"""Defects of the power stage, the pilot line and the meter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.charger.defects import defect
from bench.charger.pilot import CONNECTED
from bench.charger.secc.session import Session

if TYPE_CHECKING:
    from bench.charger.model import Charger

PRECHARGE_SHARE = 0.8
OVERSHOOT = 1.2
UNASKED_CURRENT_A = 20.0
EARLY_VOLTAGE_V = 100.0
KEEPS_POWER_S = 5.0


@defect(
    "no-current-delivered", protocol="power", wrong="the DC stage holds the voltage and delivers no current"
)
def no_current_delivered(charger: Charger) -> None:
    """DC: current limit zero, always."""
    charger.power.dc.current_for = lambda target_a, target_v: 0.0  # type: ignore[method-assign]


@defect(
    "ac-contactor-stays-open", protocol="power", wrong="the AC contactor never closes, PowerDelivery says OK"
)
def ac_contactor_stays_open(charger: Charger) -> None:
    """AC."""

    async def close() -> bool:
        return True

    charger.power.ac.close = close  # type: ignore[method-assign]


@defect(
    "precharge-undershoot",
    protocol="power",
    wrong="pre-charge ends at 80 % of the voltage and reports the whole of it",
)
def precharge_undershoot(charger: Charger) -> None:
    """DC: EVSEPresentVoltage claims the target until the charge begins."""
    stage = charger.power.dc
    stage.precharge_share = PRECHARGE_SHARE
    good_precharge, good_deliver = stage.precharge, stage.deliver

    async def precharge(target_v: float) -> None:
        await good_precharge(target_v)
        stage.claimed_voltage_v = target_v

    async def deliver(target_v: float, target_a: float) -> None:
        stage.claimed_voltage_v = None
        await good_deliver(target_v, target_a)

    stage.precharge = precharge  # type: ignore[method-assign]
    stage.deliver = deliver  # type: ignore[method-assign]


@defect("current-overshoot", protocol="power", wrong="the DC stage delivers 20 % more than the EV asks for")
def current_overshoot(charger: Charger) -> None:
    """DC: within the nameplate, so that only the target is missed."""
    good = charger.power.dc.current_for
    charger.power.dc.current_for = (  # type: ignore[method-assign]
        lambda target_a, target_v: good(target_a * OVERSHOOT, target_v)
    )


@defect("current-before-request", protocol="power", wrong="20 A flow while the EV asks for none")
def current_before_request(charger: Charger) -> None:
    """DC (FB-16): from PowerDelivery Start on, and at a target of 0 A."""
    stage = charger.power.dc
    good = stage.current_for

    def before_demand() -> None:
        stage.cable.set(dc_enabled=True, dc_current_a=UNASKED_CURRENT_A, bleed=False)

    stage.before_demand = before_demand  # type: ignore[method-assign]
    stage.current_for = (  # type: ignore[method-assign]
        lambda target_a, target_v: good(target_a if target_a > 0 else UNASKED_CURRENT_A, target_v)
    )


@defect(
    "voltage-stays-after-stop", protocol="power", wrong="the DC voltage stays on after PowerDelivery Stop"
)
def voltage_stays_after_stop(charger: Charger) -> None:
    """DC (FB-14): converter on, no current, bleeder off, until the vehicle is unplugged."""
    good_halted, good_off, good_unplugged = (
        charger.charging_halted,
        charger.power.off,
        charger.power.unplugged,
    )
    held_v = [0.0]

    def hold() -> None:
        charger.power.ac.off()
        charger.cable.set(dc_enabled=True, dc_voltage_v=held_v[0], dc_current_a=0.0, bleed=False)

    def off() -> None:
        if held_v[0] > 0:
            hold()
        else:
            good_off()

    def halted(session: Session) -> None:
        if session.charging and session.dc:
            held_v[0] = charger.cable.output.dc_voltage_v
        good_halted(session)

    def unplugged() -> None:
        if held_v[0] > 0 and charger.pilot.state in CONNECTED:
            hold()
            return
        held_v[0] = 0.0
        good_off()
        good_unplugged()

    charger.charging_halted = halted  # type: ignore[method-assign]
    charger.power.off = off  # type: ignore[method-assign]
    charger.power.unplugged = unplugged  # type: ignore[method-assign]


@defect(
    "cable-check-without-insulation-test",
    protocol="power",
    wrong="CableCheck says Valid without testing with voltage",
)
def cable_check_without_insulation_test(charger: Charger) -> None:
    """CableCheck."""

    async def untested(charger: Charger) -> bool:
        return True

    charger.policy.insulation_test = untested  # type: ignore[method-assign]


@defect(
    "keeps-power-after-unplug",
    protocol="power",
    wrong="power stays on for five seconds after the vehicle is unplugged",
)
def keeps_power_after_unplug(charger: Charger) -> None:
    """Unplug in mid-charge; a new plug-in finds the power off."""
    good_off = charger.power.off
    late: list[asyncio.TimerHandle] = []

    def off() -> None:
        if charger.pilot.state in CONNECTED or not (charger.charging or late):
            good_off()
            return
        if not late:
            late.append(asyncio.get_running_loop().call_later(KEEPS_POWER_S, really_off))

    def really_off() -> None:
        for handle in late:
            handle.cancel()
        late.clear()
        good_off()

    charger.power.off = off  # type: ignore[method-assign]
    charger.power.unplugged = off  # type: ignore[method-assign]
    charger.power.plugged = really_off  # type: ignore[method-assign]


@defect("voltage-before-allowed", protocol="power", wrong="100 V are on the connector from plug-in on")
def voltage_before_allowed(charger: Charger) -> None:
    """DC."""

    def plugged() -> None:
        charger.cable.set(dc_enabled=True, dc_voltage_v=EARLY_VOLTAGE_V, dc_current_a=0.0, bleed=False)

    charger.power.plugged = plugged  # type: ignore[method-assign]


@defect("pilot-duty-10-percent", protocol="pilot", wrong="the pilot shows 10 % duty instead of 5 %")
def pilot_duty_10_percent(charger: Charger) -> None:
    """Pilot."""
    charger.pilot.hlc_duty_percent = 10.0


@defect("pilot-oscillator-off", protocol="pilot", wrong="the pilot oscillator stops when charging begins")
def pilot_oscillator_off(charger: Charger) -> None:
    """Pilot: constant level from PowerDelivery Start on."""

    def started() -> None:
        charger.cable.set(oscillator=False, duty_percent=100.0)

    charger.pilot.charge_started = started  # type: ignore[method-assign]


@defect(
    "needs-replug-after-failure",
    protocol="pilot",
    wrong="after a FAILED answer no session is possible until replug",
)
def needs_replug_after_failure(charger: Charger) -> None:
    """SDP stays silent until the next plug-in."""

    def failed() -> None:
        charger.pilot.accepting = False

    charger.pilot.session_failed = failed  # type: ignore[method-assign]


@defect("meter-reads-10-percent-high", protocol="meter", wrong="the energy meter counts 10 % too much")
def meter_reads_10_percent_high(charger: Charger) -> None:
    """Meter."""
    charger.meter.factor = 1.10

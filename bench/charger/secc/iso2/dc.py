"""CableCheck, PreCharge, CurrentDemand, WeldingDetection (ISO 15118-2 clause 8.4.5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import (
    ENERGY_STATES,
    OK,
    Refusal,
    amperes,
    dc_status,
    volts,
    watts,
)
from bench.charger.secc.iso2.metering import report
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

CP_STATE_TIMEOUT_S = 1.4
"""The EV shows state C or D for CableCheck within 1.5 s ([V2G2-916] ... [V2G2-918])."""


def _note(status: iso2.DC_EVStatus, charger: Charger) -> None:
    charger.meter.soc_percent = status.EVRESSSOC


async def cable_check(request: iso2.CableCheckReq, session: Session, charger: Charger) -> iso2.CableCheckRes:
    """Start the insulation test at the first request, answer Ongoing while it runs, then its outcome."""
    _note(request.DC_EVStatus, charger)
    if session.insulation is None:
        if not await charger.pilot.vehicle_in(ENERGY_STATES, CP_STATE_TIMEOUT_S):
            raise Refusal(iso2.responseCode.FAILED, "the vehicle does not show state C or D")
        charger.claim_power(session)
        session.insulation_ok = False
        session.insulation = asyncio.create_task(charger.policy.insulation_test(charger))
        # Let an answer of no effort (an ideal cable) be there at once; a real test goes on behind Ongoing.
        await asyncio.wait({session.insulation}, timeout=0.001)
    if not session.insulation.done():
        status = dc_status(charger, session, "EVSE_IsolationMonitoringActive")
        return iso2.CableCheckRes(
            ResponseCode=OK, DC_EVSEStatus=status, EVSEProcessing=iso2.EVSEProcessing.Ongoing
        )
    session.insulation_ok = session.insulation.result()
    session.insulation = None
    if not session.insulation_ok:
        raise Refusal(iso2.responseCode.FAILED, "the insulation test failed")
    return iso2.CableCheckRes(
        ResponseCode=OK,
        DC_EVSEStatus=dc_status(charger, session),
        EVSEProcessing=iso2.EVSEProcessing.Finished,
    )


async def pre_charge(request: iso2.PreChargeReq, session: Session, charger: Charger) -> iso2.PreChargeRes:
    """Bring the connector to the EV's voltage; the EV decides when it is near enough."""
    _note(request.DC_EVStatus, charger)
    charger.claim_power(session)
    if charger.pilot.state not in ENERGY_STATES:
        raise Refusal(iso2.responseCode.FAILED, "the vehicle does not show state C or D")
    await charger.power.dc.precharge(request.EVTargetVoltage.value)
    return iso2.PreChargeRes(
        ResponseCode=OK,
        DC_EVSEStatus=dc_status(charger, session),
        EVSEPresentVoltage=volts(charger.power.dc.voltage_v),
    )


async def current_demand(
    request: iso2.CurrentDemandReq, session: Session, charger: Charger
) -> iso2.CurrentDemandRes:
    """Follow the EV's target within the nameplate; due in 25 ms (table 109)."""
    _note(request.DC_EVStatus, charger)
    if charger.pilot.state not in ENERGY_STATES:
        raise Refusal(iso2.responseCode.FAILED, "the vehicle left states C and D")
    stage, limits = charger.power.dc, charger.profile.dc
    target_v, target_a = request.EVTargetVoltage.value, request.EVTargetCurrent.value
    if charger.delivery_allowed(session):
        await stage.deliver(target_v, target_a)
    meter, receipt = report(session, charger)
    return iso2.CurrentDemandRes(
        ResponseCode=OK,
        DC_EVSEStatus=dc_status(charger, session),
        EVSEPresentVoltage=volts(stage.voltage_v),
        EVSEPresentCurrent=amperes(stage.current_a),
        EVSECurrentLimitAchieved=target_a >= limits.max_current_a,
        EVSEVoltageLimitAchieved=target_v >= limits.max_voltage_v,
        EVSEPowerLimitAchieved=target_v * target_a >= limits.max_power_w,
        EVSEMaximumVoltageLimit=volts(limits.max_voltage_v),
        EVSEMaximumCurrentLimit=amperes(limits.max_current_a),
        EVSEMaximumPowerLimit=watts(limits.max_power_w),
        EVSEID=charger.profile.evse_id,
        SAScheduleTupleID=session.schedule_id,
        MeterInfo=meter,
        ReceiptRequired=receipt,
    )


async def welding_detection(
    request: iso2.WeldingDetectionReq, session: Session, charger: Charger
) -> iso2.WeldingDetectionRes:
    """Report the voltage at the connector while the EV opens its contactor."""
    _note(request.DC_EVStatus, charger)
    await charger.power.dc.cable.settled()
    return iso2.WeldingDetectionRes(
        ResponseCode=OK,
        DC_EVSEStatus=dc_status(charger, session, "EVSE_NotReady"),
        EVSEPresentVoltage=volts(charger.power.dc.voltage_v),
    )

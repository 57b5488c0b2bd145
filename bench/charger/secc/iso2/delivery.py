"""PowerDelivery: Start, Stop, Renegotiate (ISO 15118-2 clause 8.4.3.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import ENERGY_STATES, OK, Refusal, ac_status, dc_status
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

CONTACTOR_TIMEOUT_S = 3.0
"""State C or D, then the contactor, within 3 s ([V2G2-860])."""


async def power_delivery(
    request: iso2.PowerDeliveryReq, session: Session, charger: Charger
) -> iso2.PowerDeliveryRes:
    """Start energy transfer, stop it, or go back to ChargeParameterDiscovery for a new schedule."""
    if request.SAScheduleTupleID not in session.schedule_ids:
        raise Refusal(iso2.responseCode.FAILED_TariffSelectionInvalid)
    session.schedule_id = request.SAScheduleTupleID
    if request.ChargeProgress == iso2.chargeProgress.Start:
        _check_profile(request.ChargingProfile, session, charger)
        await start(session, charger)
    elif request.ChargeProgress == iso2.chargeProgress.Stop:
        await halt(session, charger)
    else:
        charger.policy.renegotiate(session, charger)
    return iso2.PowerDeliveryRes(
        ResponseCode=OK, EVSEStatus=dc_status(charger, session) if session.dc else ac_status(charger)
    )


def _check_profile(profile: iso2.ChargingProfile | None, session: Session, charger: Charger) -> None:
    if profile is None:
        return
    limit_w = charger.max_power_w(session)
    starts = [each.ChargingProfileEntryStart for each in profile.ProfileEntry]
    too_much = any(each.ChargingProfileEntryMaxPower.value > limit_w for each in profile.ProfileEntry)
    if too_much or starts != sorted(starts):
        raise Refusal(iso2.responseCode.FAILED_ChargingProfileInvalid)


async def start(session: Session, charger: Charger) -> None:
    """Energy transfer begins: state C or D seen, contactor closed. Raises Refusal."""
    if not session.authorized:
        raise Refusal(iso2.responseCode.FAILED, "not authorized")
    charger.claim_power(session)
    if not await charger.pilot.vehicle_in(ENERGY_STATES, CONTACTOR_TIMEOUT_S):
        raise Refusal(
            iso2.responseCode.FAILED_PowerDeliveryNotApplied, "the vehicle does not show state C or D"
        )
    if session.dc:
        charger.power.dc.before_demand()
    elif not await charger.power.ac.close():
        raise Refusal(iso2.responseCode.FAILED_ContactorError)
    session.renegotiating = False
    charger.charging_started(session)


async def halt(session: Session, charger: Charger) -> None:
    """Energy transfer ends; returns when the connector shows it."""
    charger.charging_halted(session)
    await charger.power.dc.cable.settled()


def renegotiate(session: Session, charger: Charger) -> None:
    """No current while the schedule is agreed anew; the session stays authorised, the cable stays checked."""
    session.renegotiating = True
    if session.dc:
        charger.power.dc.before_demand()

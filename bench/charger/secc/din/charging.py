"""ChargeParameterDiscovery to SessionStop (DIN SPEC 70121 clauses 9.4 and 9.5, from memory)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.charger.secc.iso2 import delivery
from bench.charger.secc.iso2.common import Refusal, Reply, dc_status
from bench.charger.secc.iso2.parameters import SCHEDULE_ID, SCHEDULE_S, check_dc_request
from bench.charger.secc.session import Session
from bench.v2g.din_words import as_din
from bench.v2g.messages import din, iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

OK = din.responseCode.OK
MAX_PMAX_W = 32_767
"""PMax is a plain 16-bit figure in W: a larger charger says as much as fits."""


async def _ask(name: str, request: Any, session: Session, charger: Charger) -> Any:
    """The ISO 15118-2 handler's answer to a request whose fields mean the same there, in DIN's words."""
    answer = await charger.handlers[name](request, session, charger)
    return as_din(answer.body if isinstance(answer, Reply) else answer)


async def charge_parameter_discovery(
    request: din.ChargeParameterDiscoveryReq, session: Session, charger: Charger
) -> din.ChargeParameterDiscoveryRes:
    """Answer with the nameplate and one schedule."""
    mode = request.EVRequestedEnergyTransferType.value
    offered = {each.value: each for each in charger.profile.energy_modes if each.value.startswith("DC")}
    if mode not in offered:
        raise Refusal(iso2.responseCode.FAILED_WrongEnergyTransferMode)
    if not isinstance(request.EVChargeParameter, din.DC_EVChargeParameter):
        raise Refusal(iso2.responseCode.FAILED_WrongChargeParameter)
    check_dc_request(request.EVChargeParameter, charger)
    session.energy_mode = offered[mode]
    schedules = _schedules(charger.policy.schedules(session, charger, None))
    session.schedule_ids = frozenset(each.SAScheduleTupleID for each in schedules.SAScheduleTuple)
    return din.ChargeParameterDiscoveryRes(
        ResponseCode=OK,
        EVSEProcessing=din.EVSEProcessing.Finished,
        SASchedules=schedules,
        EVSEChargeParameter=as_din(charger.policy.dc_parameters(session, charger)),
    )


def no_schedule() -> din.SAScheduleList:
    """A schedule of 0 W: DIN SPEC 70121 has no ChargeParameterDiscoveryRes without one."""
    return din.SAScheduleList(SAScheduleTuple=[_tuple(SCHEDULE_ID, 0.0)])


def _schedules(offered: iso2.SAScheduleList | None) -> din.SAScheduleList:
    """The charger's schedules; of each its first step, from now on."""
    if offered is None:
        return no_schedule()
    return din.SAScheduleList(
        SAScheduleTuple=[
            _tuple(each.SAScheduleTupleID, each.PMaxSchedule.PMaxScheduleEntry[0].PMax.value)
            for each in offered.SAScheduleTuple
        ]
    )


def _tuple(number: int, power_w: float) -> din.SAScheduleTuple:
    entry = din.PMaxScheduleEntry(
        TimeInterval=din.RelativeTimeInterval(start=0, duration=SCHEDULE_S),
        PMax=round(min(power_w, MAX_PMAX_W)),
    )
    return din.SAScheduleTuple(
        SAScheduleTupleID=number,
        PMaxSchedule=din.PMaxSchedule(PMaxScheduleID=number, PMaxScheduleEntry=[entry]),
    )


async def cable_check(request: din.CableCheckReq, session: Session, charger: Charger) -> din.CableCheckRes:
    """The insulation test, Ongoing while it runs."""
    answer: din.CableCheckRes = await _ask("CableCheckReq", request, session, charger)
    return answer


async def pre_charge(request: din.PreChargeReq, session: Session, charger: Charger) -> din.PreChargeRes:
    """Bring the connector to the EV's voltage."""
    answer: din.PreChargeRes = await _ask("PreChargeReq", request, session, charger)
    return answer


async def power_delivery(
    request: din.PowerDeliveryReq, session: Session, charger: Charger
) -> din.PowerDeliveryRes:
    """ReadyToChargeState true starts the energy transfer, false stops it."""
    profile = request.ChargingProfile
    if profile is not None and profile.SAScheduleTupleID not in session.schedule_ids:
        raise Refusal(iso2.responseCode.FAILED_TariffSelectionInvalid)
    if request.ReadyToChargeState:
        await delivery.start(session, charger)
    else:
        await delivery.halt(session, charger)
    return din.PowerDeliveryRes(ResponseCode=OK, EVSEStatus=as_din(dc_status(charger, session)))


async def current_demand(
    request: din.CurrentDemandReq, session: Session, charger: Charger
) -> din.CurrentDemandRes:
    """Follow the EV's target within the nameplate."""
    answer: din.CurrentDemandRes = await _ask("CurrentDemandReq", request, session, charger)
    return answer


async def welding_detection(
    request: din.WeldingDetectionReq, session: Session, charger: Charger
) -> din.WeldingDetectionRes:
    """Report the voltage at the connector while the EV opens its contactor."""
    answer: din.WeldingDetectionRes = await _ask("WeldingDetectionReq", request, session, charger)
    return answer


async def session_stop(request: din.SessionStopReq, session: Session, charger: Charger) -> din.SessionStopRes:
    """Power off; DIN SPEC 70121 knows no pause."""
    charger.session_ended(session, "StoppedByEV")
    return din.SessionStopRes(ResponseCode=OK)

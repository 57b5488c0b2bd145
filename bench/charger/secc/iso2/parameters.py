"""ChargeParameterDiscovery: limits, schedules, and a signed tariff (ISO 15118-2 clause 8.4.3.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import OK, Refusal, Reply, ac_status, amperes, dc_status, volts, watts
from bench.charger.secc.session import Session
from bench.v2g.messages import din, iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

SCHEDULE_ID = 1
SCHEDULE_S = 86_400
TARIFF_ID = "id1"
PRICE_LEVELS = ((0, 1), (3600, 2))
"""(start in s, price level) of the tariff entries."""


async def charge_parameter_discovery(
    request: iso2.ChargeParameterDiscoveryReq, session: Session, charger: Charger
) -> Reply:
    """Answer with the nameplate and one schedule as high as EV and charger allow."""
    mode = request.RequestedEnergyTransferMode
    if mode not in charger.profile.energy_modes:
        raise Refusal(iso2.responseCode.FAILED_WrongEnergyTransferMode)
    dc = mode.value.startswith("DC")
    wanted = iso2.DC_EVChargeParameter if dc else iso2.AC_EVChargeParameter
    if not isinstance(request.EVChargeParameter, wanted):
        raise Refusal(iso2.responseCode.FAILED_WrongChargeParameter)
    if isinstance(request.EVChargeParameter, iso2.DC_EVChargeParameter):
        check_dc_request(request.EVChargeParameter, charger)
    session.energy_mode = mode
    tariff = charger.policy.sales_tariff(session, charger)
    schedules = charger.policy.schedules(session, charger, tariff)
    session.schedule_ids = frozenset({SCHEDULE_ID})
    return Reply(
        iso2.ChargeParameterDiscoveryRes(
            ResponseCode=OK,
            EVSEProcessing=iso2.EVSEProcessing.Finished,
            SASchedules=schedules,
            EVSEChargeParameter=charger.policy.dc_parameters(session, charger)
            if dc
            else ac_parameters(charger),
        ),
        signature=charger.policy.sign_tariff(tariff, charger) if tariff is not None else None,
    )


def check_dc_request(
    parameter: iso2.DC_EVChargeParameter | din.DC_EVChargeParameter, charger: Charger
) -> None:
    """Note the EV's state of charge. Raises Refusal for a battery below the charger's voltage."""
    if parameter.EVMaximumVoltageLimit.value < charger.profile.dc.min_voltage_v:
        raise Refusal(
            iso2.responseCode.FAILED_WrongChargeParameter, "the EV's voltage is below the charger's"
        )
    charger.meter.soc_percent = parameter.DC_EVStatus.EVRESSSOC


def dc_parameters(session: Session, charger: Charger) -> iso2.DC_EVSEChargeParameter:
    """The DC nameplate."""
    limits = charger.profile.dc
    return iso2.DC_EVSEChargeParameter(
        DC_EVSEStatus=dc_status(charger, session),
        EVSEMaximumCurrentLimit=amperes(limits.max_current_a),
        EVSEMaximumPowerLimit=watts(limits.max_power_w),
        EVSEMaximumVoltageLimit=volts(limits.max_voltage_v),
        EVSEMinimumCurrentLimit=amperes(limits.min_current_a),
        EVSEMinimumVoltageLimit=volts(limits.min_voltage_v),
        EVSECurrentRegulationTolerance=amperes(1.0),
        EVSEPeakCurrentRipple=amperes(1.0),
    )


def ac_parameters(charger: Charger) -> iso2.AC_EVSEChargeParameter:
    """The AC nameplate."""
    return iso2.AC_EVSEChargeParameter(
        AC_EVSEStatus=ac_status(charger),
        EVSENominalVoltage=volts(charger.profile.ac_voltage_v),
        EVSEMaxCurrent=amperes(charger.profile.ac_max_current_a),
    )


def schedules(
    session: Session, charger: Charger, tariff: iso2.SalesTariff | None
) -> iso2.SAScheduleList | None:
    """One schedule of 24 h at the power that the mode allows ([V2G2-905] needs one when Finished)."""
    profile = charger.profile
    mode = session.energy_mode
    if session.dc:
        power_w = profile.dc.max_power_w
    else:
        phases = 1 if mode == iso2.EnergyTransferMode.AC_single_phase_core else 3
        power_w = profile.ac_voltage_v * profile.ac_max_current_a * phases
    entry = iso2.PMaxScheduleEntry(
        TimeInterval=iso2.RelativeTimeInterval(start=0, duration=SCHEDULE_S), PMax=watts(power_w)
    )
    return iso2.SAScheduleList(
        SAScheduleTuple=[
            iso2.SAScheduleTuple(
                SAScheduleTupleID=SCHEDULE_ID,
                PMaxSchedule=iso2.PMaxSchedule(PMaxScheduleEntry=[entry]),
                SalesTariff=tariff,
            )
        ]
    )


def sales_tariff(session: Session, charger: Charger) -> iso2.SalesTariff | None:
    """The tariff of the mobility operator, for contract sessions when the store has its signing key."""
    if charger.store.tariff is None or session.payment != iso2.paymentOption.Contract:
        return None
    return iso2.SalesTariff(
        Id=TARIFF_ID,
        SalesTariffID=1,
        SalesTariffDescription="Plugbench tariff",
        NumEPriceLevels=len(PRICE_LEVELS),
        SalesTariffEntry=[
            iso2.SalesTariffEntry(TimeInterval=iso2.RelativeTimeInterval(start=start), EPriceLevel=level)
            for start, level in PRICE_LEVELS
        ],
    )

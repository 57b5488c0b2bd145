"""Whole sessions, DC and AC, by contract and by card: energy flows, and only as it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.plan import Expect, Measure, testcase
from bench.v2g import timers

if TYPE_CHECKING:
    from bench.ev.session import Session
    from fixtures.car import Car
    from fixtures.card import Rfid

MIN_ENERGY_WH = 1.0
AC_CHARGE_S, DC_CHARGE_S = 2.0, 1.5
AUTHORIZATION_LIMIT_S = 10.0
"""From the card to EVSEProcessing Finished, a limit of this plan: a driver at the charger waits no longer."""
STEADY_S = 0.8
"""How long a current target stands before it is measured."""
IDLE_CURRENT_A = 2.5
CURRENT_TOLERANCE = 0.05


@testcase(
    "PNC-010",
    requires=["V2G2-592", "V2G2-570", "E06"],
    defects=["no-current-delivered", "transaction-never-ended"],
    source="ISO 15118-4, CurrentDemand_001 and SessionStop_001; OCPP 2.0.1 E01-E06",
    confidence="source",
    areas=["charger", "backend"],
)
def test_dc_contract_session(ev: Car, expect: Expect) -> None:
    """A DC session by contract delivers energy, stops in order and ends its transaction.

    Precondition: valid contract, charger online, MO root installed.
    Stimulus: plug in, charge, stop, unplug.
    Expected: energy at the connector, SessionStopRes OK, a transaction that is started and ended.
    """
    session = ev.plug_in(energy="dc", auth="pnc").charge(for_s=DC_CHARGE_S)
    expect.energy_delivered(MIN_ENERGY_WH)
    session.stop()
    expect.accepted(session.responses["SessionStopRes"])
    ev.unplug()
    expect.transaction(ended=True)


@testcase(
    "PNC-011",
    requires=["V2G2-860", "V2G2-862"],
    defects=["ac-contactor-stays-open"],
    source="bench/v2g/timers.toml control_pilot.contactor_close_AC; FB-28",
    confidence="source2",
    areas=["charger", "backend"],
)
def test_ac_contract_session(ev: Car, expect: Expect) -> None:
    """An AC session by contract delivers energy and stops in order.

    Precondition: valid contract, charger online.
    Stimulus: plug in (AC), charge, stop, unplug.
    Expected: energy at the connector, SessionStopRes OK.
    """
    session = ev.plug_in(energy="ac", auth="pnc").charge(for_s=AC_CHARGE_S)
    expect.energy_delivered(MIN_ENERGY_WH)
    session.stop()
    expect.accepted(session.responses["SessionStopRes"])


@testcase(
    "PNC-012",
    requires=["V2G2-562", "V2G2-854"],
    defects=["eim-authorization-stays-ongoing", "no-current-delivered"],
    source="ISO 15118-4, TC_SECC_CMN_VTB_Authorization_001",
    confidence="source",
    areas=["charger", "fallback"],
)
def test_dc_card_session(ev: Car, rfid: Rfid, expect: Expect, until_finished: Callable[..., Any]) -> None:
    """A DC session with external payment is authorised by a card.

    Precondition: session with ExternalPayment up to Authorization; the backend accepts the card.
    Stimulus: the card is held to the reader.
    Expected: Authorization Finished within 10 s, then energy.
    """
    session = ev.plug_in(energy="dc", auth="eim").until("AuthorizationReq")
    rfid.present()
    until_finished(session, within_s=AUTHORIZATION_LIMIT_S)
    session.charge(for_s=DC_CHARGE_S)
    expect.energy_delivered(MIN_ENERGY_WH)
    session.stop()


@testcase(
    "PNC-013",
    requires=["V2G2-902", "V2G2-691", "IEC 61851-1 A.3"],
    defects=["ac-meterinfo-missing", "pilot-duty-10-percent", "pilot-oscillator-off"],
    source="ISO 15118-4, ChargingStatus_001; timers.toml iec61851 duty",
    confidence="source",
    areas=["charger", "reconciliation", "fallback"],
)
def test_ac_card_session_without_tls(ev: Car, rfid: Rfid, expect: Expect, measure: Measure) -> None:
    """An AC session over plain TCP by card reports its meter, on a duty cycle of 5 %.

    Precondition: session without TLS and with ExternalPayment; the backend accepts the card.
    Stimulus: the card is held to the reader, then AC charging.
    Expected: ChargingStatusRes with MeterInfo, pilot duty cycle 3 to 7 %.
    """
    session = ev.plug_in(energy="ac", auth="eim", tls=False).until("AuthorizationReq")
    rfid.present()
    session.charge(for_s=AC_CHARGE_S)
    reading = ev.vehicle.measure_pilot()
    measure(
        "duty cycle while charging",
        reading.duty_percent,
        unit="%",
        low=3.0,
        high=7.0,
        limit="timers: iec61851 duty for digital communication",
        confidence="source2",
    )
    expect(session.responses["ChargingStatusRes"].MeterInfo, "MeterInfo of ChargingStatusRes").to_be_present()
    session.stop()


@testcase(
    "PNC-014",
    requires=["V2G2-586", "V2G2-704"],
    defects=["precharge-undershoot"],
    source="ISO 15118-4, TC_SECC_DC_VTB_PreCharge_001 (5 %); FB-15",
    confidence="source",
    areas=["charger"],
)
def test_precharge_reaches_the_battery(ev: Car, expect: Expect, measure: Measure) -> None:
    """Pre-charge brings the connector to the car's voltage before the car closes its contactor.

    Precondition: DC session by contract, CableCheck done.
    Stimulus: PreChargeReq until the charger claims the voltage.
    Expected: claimed within 7 s, and measured at the connector within 5 % (at least 20 V) of the target.
    """
    session = ev.plug_in(energy="dc").until("PreChargeReq")
    target_v = session.pending.EVTargetVoltage.value
    window_v = max(20.0, 0.05 * target_v)
    limit = timers.get("iso2.V2G_EVCC_PreCharge_Timeout")
    begin = time.monotonic()
    claimed_v = 0.0
    while session.pending_name == "PreChargeReq" and time.monotonic() - begin < limit.value:
        claimed_v = expect.answered(session).EVSEPresentVoltage.value
        if abs(claimed_v - target_v) <= window_v:
            break
    measure("pre-charge", time.monotonic() - begin, high=limit)
    expect(claimed_v, "EVSEPresentVoltage").to_be_between(target_v - window_v, target_v + window_v)
    measure(
        "voltage at the connector after pre-charge",
        expect.next_sample().voltage_v,
        unit="V",
        low=target_v - window_v,
        high=target_v + window_v,
        limit="public harness: 5 %, at least 20 V",
    )


@testcase(
    "PNC-015",
    requires=["V2G2-592"],
    defects=["current-overshoot", "current-before-request", "no-current-delivered"],
    source="FB-16; bench/v2g/timers.toml iec61851_23_dc.steady_output",
    confidence="source",
    areas=["charger"],
)
def test_current_follows_its_target(ev: Car, expect: Expect, measure: Measure) -> None:
    """The current follows its target, and a target of 0 A means no current.

    Precondition: DC session in the charge loop.
    Stimulus: CurrentDemandReq with target 0 A, then with 40 A.
    Expected: at most 2.5 A, then 40 A within 5 % (at least 2.5 A), measured at the connector.
    """
    session = ev.plug_in(energy="dc").until("CurrentDemandReq")
    _hold_current(session, 0)
    idle_a = expect.next_sample().current_a
    measure("current at target 0 A", abs(idle_a), unit="A", high=IDLE_CURRENT_A, limit="plan: 2.5 A")
    _hold_current(session, 40)
    window_a = max(IDLE_CURRENT_A, CURRENT_TOLERANCE * 40)
    measure(
        "current at target 40 A",
        abs(expect.next_sample().current_a),
        unit="A",
        low=40 - window_a,
        high=40 + window_a,
        limit="plan: 5 %, at least 2.5 A",
    )


@testcase(
    "PNC-016",
    requires=["V2G2-596"],
    defects=["voltage-stays-after-stop"],
    source="FB-14; bench/v2g/timers.toml iec61851_23_dc.cablecheck_safe_voltage_V",
    confidence="source",
    areas=["charger"],
)
def test_voltage_falls_after_stop(ev: Car, expect: Expect) -> None:
    """The connector is free of dangerous voltage after the stop, as welding detection needs it.

    Precondition: DC session that has charged; PowerDelivery Stop accepted, the car's contactor open.
    Stimulus: WeldingDetectionReq.
    Expected: WeldingDetectionRes OK, less than 60 V at the connector within 5 s.
    """
    session = ev.plug_in(energy="dc").charge(for_s=0.6).until("WeldingDetectionReq")
    expect.accepted(expect.answered(session))
    expect.voltage_below(timers.get("dc.cablecheck_safe_voltage").value, within_s=5.0)


@testcase(
    "PNC-017",
    requires=["V2G2-583", "V2G2-700"],
    defects=["cable-check-without-insulation-test"],
    source="ISO 15118-4, TC_SECC_DC_VTB_CableCheck_001",
    confidence="source",
    areas=["charger"],
)
def test_cable_check_applies_voltage(
    ev: Car, expect: Expect, until_finished: Callable[..., Any], highest_voltage: Callable[[int], float]
) -> None:
    """CableCheck tests the insulation with voltage and reports it valid.

    Precondition: DC session by contract up to CableCheck.
    Stimulus: CableCheckReq until Finished.
    Expected: Finished within 40 s, isolation status Valid, and test voltage (more than 60 V) seen at the
    connector.
    """
    session = ev.plug_in(energy="dc").until("CableCheckReq")
    begin = expect.timeline.mark()
    answer = until_finished(session, within_s=timers.get("iso2.V2G_EVCC_CableCheck_Timeout").value)
    expect(answer.DC_EVSEStatus.EVSEIsolationStatus, "EVSEIsolationStatus").to_be("Valid")
    seen_v = highest_voltage(begin)
    expect.that(seen_v > 60.0, "test voltage at the connector", f"{seen_v:.0f} V", "more than 60 V")


def _hold_current(session: Session, current_a: int) -> None:
    """Go round the charge loop with this target for a while."""
    begin = time.monotonic()
    while time.monotonic() - begin < STEADY_S:
        target = session.until("CurrentDemandReq").pending.EVTargetCurrent
        target.Multiplier, target.Value = 0, current_a
        session.send_next()

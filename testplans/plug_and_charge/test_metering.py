"""What is counted and billed: metering receipts, signed tariffs, and the same energy on every meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.ev import faults
from bench.plan import Expect, Inconclusive, Measure, testcase
from drivers import EnergyMeter, PowerAnalyzer
from testplans.plug_and_charge.journeys import ends, transaction_begun

if TYPE_CHECKING:
    from bench.csms import Csms
    from bench.ev.session import Session
    from bench.station import Station
    from fixtures.car import Car
    from fixtures.charger_state import ChargerState

RECEIPT = "MeteringReceiptReq"
RECEIPT_LIMIT_S = 20.0
"""A charger that has not asked for a receipt by then asks for none; waited for, not judged."""
CHARGE_WH, CHARGE_LIMIT_S = 50.0, 20.0
"""Enough energy that 1 Wh of resolution and the accuracy of the meters stay well below 10 % of it."""
RESOLUTION_WH = 1.0
"""MeterReading counts whole Wh, as many OCPP registers do: a difference of two readings is within 1 Wh."""
METER_ACCURACY = 0.02
"""Class A of the European measuring instruments directive, the widest that a meter for billing may have."""


@testcase(
    "PNC-080",
    requires=["V2G2-691", "V2G2-796", "V2G2-903", "V2G2-904"],
    source="ISO 15118-4, TC_SECC_DC_VTB_MeteringReceipt_001",
    confidence="source",
    areas=["charger", "reconciliation"],
    defects=["receipt-refused"],
)
def test_signed_receipt_is_accepted(ev: Car, charger_state: ChargerState, expect: Expect) -> None:
    """A signed metering receipt is accepted.

    Precondition: RequestMeteringReceipt on; DC session by contract, the charger asks for a receipt.
    Stimulus: MeteringReceiptReq with the charger's own reading, signed with the contract key.
    Expected: MeteringReceiptRes OK.
    """
    session = _until_receipt(ev, charger_state)
    expect.accepted(expect.answered(session))


@testcase(
    "PNC-081",
    requires=["V2G2-481"],
    source="ISO 15118-4, TC_SECC_DC_VTB_MeteringReceipt_006 and _007",
    confidence="source",
    areas=["charger", "reconciliation"],
    defects=["receipt-signature-ignored"],
)
def test_receipt_with_bad_signature_is_refused(ev: Car, charger_state: ChargerState, expect: Expect) -> None:
    """A metering receipt with a bad signature is refused.

    Precondition: RequestMeteringReceipt on; DC session by contract, the charger asks for a receipt.
    Stimulus: MeteringReceiptReq whose signature does not verify.
    Expected: FAILED_MeteringSignatureNotValid.
    """
    session = _until_receipt(ev, charger_state).deviate(RECEIPT, faults.bad_signature())
    expect.refused(expect.answered(session), "FAILED_MeteringSignatureNotValid")


@testcase(
    "PNC-082",
    requires=["V2G2-905", "V2G2-641"],
    source="ISO 15118-2 clause 7.9.2.4: a tariff is signed by the sub-CA that issued the contract",
    confidence="memory",
    areas=["charger", "trust"],
    defects=["tariff-signature-broken"],
)
def test_tariff_signature_is_valid(ev: Car, expect: Expect) -> None:
    """The signature of the SalesTariff is valid.

    Precondition: DC session by contract; the charger offers a schedule with a signed SalesTariff.
    Stimulus: ChargeParameterDiscoveryReq until the schedule is there.
    Expected: the signature verifies with the certificate of the sub-CA that issued the contract.
    """
    session = ev.plug_in(energy="dc").until("CableCheckReq")
    found = session.tariff_signature
    if found is None or not found.startswith(("valid", "invalid")):
        raise Inconclusive(f"no signature of a SalesTariff to verify: {found or 'no schedule'}")
    expect(found, "signature of the SalesTariff").to_be("valid")


@testcase(
    "PNC-083",
    requires=["J02", "V2G2-691"],
    source="plan: MID class A, resolution of MeterReading (ISO 15118-2: whole Wh), accuracy of the analyzer",
    confidence="source",
    areas=["reconciliation"],
    defects=["meter-reads-10-percent-high", "ocpp-energy-in-kwh"],
)
def test_energy_reconciles(ev: Car, csms: Csms, station: Station, expect: Expect, measure: Measure) -> None:
    """Charger, backend and bench tell the same energy.

    Precondition: DC session by contract in which 50 Wh flow, begun and ended at 0 A; its transaction ended.
    Stimulus: the energy by MeterInfo (ISO 15118), by the OCPP register and by the power analyzer.
    Expected: the three agree pair by pair, within resolution of the registers and accuracy of the meters.
    """
    analyzer, grid = station.instruments.get(PowerAnalyzer), station.instruments.find(EnergyMeter)
    session = ev.plug_in(energy="dc").until("CurrentDemandReq")
    grid_begin_wh = grid.read().import_wh if grid is not None else 0.0
    meter_begin_wh = _reading_at_rest(session)
    session.charge(CHARGE_LIMIT_S, energy_wh=CHARGE_WH).stop()
    if session.energy_wh < CHARGE_WH:
        raise Inconclusive(f"only {session.energy_wh:.1f} Wh flowed in {CHARGE_LIMIT_S:g} s")
    reference_wh = expect.energy_wh()
    meter_wh = _reading(session) - meter_begin_wh
    ocpp_wh = _register_wh(ev, csms, expect)

    error = (analyzer.accuracy.reading_percent + 2 * analyzer.accuracy.range_percent) / 100
    limit_wh = RESOLUTION_WH + (METER_ACCURACY + error) * reference_wh
    why = (
        f"resolution {RESOLUTION_WH:g} Wh, meter class A {METER_ACCURACY:.0%}, analyzer {analyzer.accuracy} "
        "(range taken as twice the reading)"
    )
    same_meter_wh, same = 2 * RESOLUTION_WH, "the same meter twice, each to 1 Wh"
    measure("energy by the analyzer", reference_wh, unit="Wh")
    if grid is not None:
        grid_wh = grid.read().import_wh - grid_begin_wh
        measure("efficiency, grid to connector", 100 * reference_wh / grid_wh if grid_wh else None, unit="%")
    measure(
        "MeterInfo less analyzer", meter_wh - reference_wh, unit="Wh", low=-limit_wh, high=limit_wh, limit=why
    )
    measure("OCPP less analyzer", ocpp_wh - reference_wh, unit="Wh", low=-limit_wh, high=limit_wh, limit=why)
    measure(
        "OCPP less MeterInfo",
        ocpp_wh - meter_wh,
        unit="Wh",
        low=-same_meter_wh,
        high=same_meter_wh,
        limit=same,
    )


def _until_receipt(ev: Car, charger_state: ChargerState) -> Session:
    """A DC session up to its first MeteringReceiptReq; precondition."""
    charger_state.set_variable("ISO15118Ctrlr", "RequestMeteringReceipt", True, optional=True)
    return ev.plug_in(energy="dc", step_limit_s=RECEIPT_LIMIT_S).until(RECEIPT)


def _reading_at_rest(session: Session) -> float:
    """MeterReading in Wh of a CurrentDemandRes to a target of 0 A, before anything has flowed."""
    session.pending.EVTargetCurrent.Value = 0
    session.through("CurrentDemandReq")
    return _reading(session)


def _reading(session: Session) -> float:
    """MeterReading of the last CurrentDemandRes, in Wh."""
    info = session.responses["CurrentDemandRes"].MeterInfo
    if info is None or info.MeterReading is None:
        raise Inconclusive("CurrentDemandRes carries no MeterReading")
    return float(info.MeterReading)


def _register_wh(ev: Car, csms: Csms, expect: Expect) -> float:
    """Unplug and wait for the end of the transaction; what its register counted, in Wh."""
    transaction_id = transaction_begun(csms, expect)
    ev.unplug()
    csms.wait_for("TransactionEvent", where=ends(transaction_id), since=expect.since)
    energy_wh = expect.transaction(ended=False).energy_wh
    if energy_wh is None:
        raise Inconclusive("the transaction carries fewer than two readings of Energy.Active.Import.Register")
    return energy_wh

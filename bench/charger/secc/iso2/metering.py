"""Metering: what the charge loop reports, and the EV's signed receipt for it (ISO 15118-2 clause
8.4.3.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import OK, Refusal, ac_status, dc_status, meter_info
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

RECEIPT_EVERY = 10
"""A receipt is asked for at the first loop and at each tenth after it."""


def report(session: Session, charger: Charger) -> tuple[iso2.MeterInfo | None, bool]:
    """MeterInfo for a charge loop response, and whether the EV must sign it ([V2G2-691])."""
    meter = charger.policy.meter_info(charger)
    wanted = session.payment == iso2.paymentOption.Contract and charger.receipts_required
    receipt = wanted and meter is not None and session.loops % RECEIPT_EVERY == 0
    session.loops += 1
    session.meter_info = meter
    session.receipt_due = receipt
    return meter, receipt


def default_meter_info(charger: Charger) -> iso2.MeterInfo | None:
    """The charger's meter as it is."""
    return meter_info(charger)


async def metering_receipt(
    request: iso2.MeteringReceiptReq, session: Session, charger: Charger
) -> iso2.MeteringReceiptRes:
    """Check that the receipt repeats what was reported, for this session, signed with the contract's key."""
    said = session.meter_info
    if (
        request.SessionID != session.id
        or said is None
        or request.MeterInfo.MeterID != said.MeterID
        or request.MeterInfo.MeterReading != said.MeterReading
    ):
        raise Refusal(iso2.responseCode.FAILED_MeteringSignatureNotValid, "the receipt is for something else")
    charger.policy.check_receipt_signature(request, session)
    session.receipt_due = False
    return iso2.MeteringReceiptRes(
        ResponseCode=OK, EVSEStatus=dc_status(charger, session) if session.dc else ac_status(charger)
    )

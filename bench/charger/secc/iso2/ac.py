"""ChargingStatus (ISO 15118-2 clause 8.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import OK, ac_status, amperes
from bench.charger.secc.iso2.metering import report
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger


async def charging_status(
    request: iso2.ChargingStatusReq, session: Session, charger: Charger
) -> iso2.ChargingStatusRes:
    """Report the meter; the contactor stays as it is."""
    meter, receipt = report(session, charger)
    return iso2.ChargingStatusRes(
        ResponseCode=OK,
        EVSEID=charger.profile.evse_id,
        SAScheduleTupleID=session.schedule_id,
        EVSEMaxCurrent=amperes(charger.profile.ac_max_current_a),
        MeterInfo=meter,
        ReceiptRequired=receipt,
        AC_EVSEStatus=ac_status(charger),
    )

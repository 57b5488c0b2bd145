"""SessionStop: Terminate or Pause (ISO 15118-2 clause 8.4.3.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import OK
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger


async def session_stop(
    request: iso2.SessionStopReq, session: Session, charger: Charger
) -> iso2.SessionStopRes:
    """Power off; forget the session, or keep it for a resume ([V2G2-740])."""
    if request.ChargingSession == iso2.chargingSession.Pause and session.authorized and not session.failed:
        charger.session_paused(session)
    else:
        charger.session_ended(session, "StoppedByEV")
    return iso2.SessionStopRes(ResponseCode=OK)

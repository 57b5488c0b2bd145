"""FAILED responses of DIN SPEC 70121: those of ISO 15118-2 in DIN's words, and the few that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc import failed as iso_failed
from bench.charger.secc.din import setup
from bench.charger.secc.din.charging import no_schedule
from bench.charger.secc.iso2.common import dc_status
from bench.charger.secc.iso2.parameters import dc_parameters
from bench.charger.secc.session import Session
from bench.v2g.din_words import as_din, code
from bench.v2g.messages import din, iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger


def failed(name: str, why: iso2.responseCode, session: Session, charger: Charger) -> din.BodyElement:
    """The FAILED response to request `name`; raises KeyError for what is no request."""
    said = code(why)
    if name == "SessionSetupReq":
        return din.SessionSetupRes(ResponseCode=said, EVSEID=setup.evse_id(charger))
    if name == "ServiceDiscoveryReq":
        return setup.offer(charger, said)
    if name == "ServicePaymentSelectionReq":
        return din.ServicePaymentSelectionRes(ResponseCode=said)
    if name == "ContractAuthenticationReq":
        return din.ContractAuthenticationRes(ResponseCode=said, EVSEProcessing=din.EVSEProcessing.Finished)
    if name == "ChargeParameterDiscoveryReq":
        return din.ChargeParameterDiscoveryRes(
            ResponseCode=said,
            EVSEProcessing=din.EVSEProcessing.Finished,
            SASchedules=no_schedule(),
            EVSEChargeParameter=as_din(dc_parameters(session, charger)),
        )
    if name == "PowerDeliveryReq":
        status = as_din(dc_status(charger, session, "EVSE_NotReady"))
        return din.PowerDeliveryRes(ResponseCode=said, EVSEStatus=status)
    answer: din.BodyElement = as_din(iso_failed.failed(name, why, session, charger))
    return answer

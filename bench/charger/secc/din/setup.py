"""SessionSetup, ServiceDiscovery, ServicePaymentSelection, ContractAuthentication (DIN SPEC 70121 clause
9.4, from memory)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.charger.secc.iso2.common import Refusal
from bench.charger.secc.iso2.setup import CHARGE_SERVICE_ID, open_session
from bench.charger.secc.session import Session
from bench.v2g.din_words import as_din
from bench.v2g.messages import din, iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

OK = din.responseCode.OK
MAX_EVSE_ID_BYTES = 32


def evse_id(charger: Charger) -> bytes:
    """EVSEID: the characters of the id, as chargers in the field send it; at most 32 bytes."""
    return charger.profile.evse_id.encode("ascii", "replace")[:MAX_EVSE_ID_BYTES]


async def session_setup(
    request: din.SessionSetupReq, session: Session, charger: Charger
) -> din.SessionSetupRes:
    """Open a session; DIN SPEC 70121 knows no pause, so that a known id is no more than a wish."""
    code = await open_session(request.EVCCID, session, charger)
    return din.SessionSetupRes(
        ResponseCode=din.responseCode(code.value),
        EVSEID=evse_id(charger),
        DateTimeNow=charger.policy.timestamp_s(),
    )


def energy_transfer(charger: Charger) -> din.EVSESupportedEnergyTransfer:
    """The one DC type that ServiceDiscoveryRes has room for: extended before core."""
    offered = {each.value for each in charger.profile.energy_modes}
    kinds = din.EVSESupportedEnergyTransfer
    return next(
        (kind for kind in (kinds.DC_extended, kinds.DC_combo_core, kinds.DC_core) if kind.value in offered),
        kinds.DC_extended,
    )


def offer(charger: Charger, code: din.responseCode) -> din.ServiceDiscoveryRes:
    """DC charging for external payment, and nothing else."""
    return din.ServiceDiscoveryRes(
        ResponseCode=code,
        PaymentOptions=din.PaymentOptions(PaymentOption=[din.paymentOption.ExternalPayment]),
        ChargeService=din.ServiceCharge(
            ServiceTag=din.ServiceTag(
                ServiceID=CHARGE_SERVICE_ID, ServiceCategory=din.serviceCategory.EVCharging
            ),
            FreeService=False,
            EnergyTransferType=energy_transfer(charger),
        ),
    )


async def service_discovery(
    request: din.ServiceDiscoveryReq, session: Session, charger: Charger
) -> din.ServiceDiscoveryRes:
    """Say what is offered, whatever category is asked for: there is one service."""
    return offer(charger, OK)


async def service_payment_selection(
    request: din.ServicePaymentSelectionReq, session: Session, charger: Charger
) -> din.ServicePaymentSelectionRes:
    """Accept external payment for the charge service."""
    if request.SelectedPaymentOption != din.paymentOption.ExternalPayment:
        raise Refusal(iso2.responseCode.FAILED_PaymentSelectionInvalid)
    if {each.ServiceID for each in request.SelectedServiceList.SelectedService} != {CHARGE_SERVICE_ID}:
        raise Refusal(iso2.responseCode.FAILED_ServiceSelectionInvalid)
    session.payment = iso2.paymentOption.ExternalPayment
    return din.ServicePaymentSelectionRes(ResponseCode=OK)


async def contract_authentication(
    request: din.ContractAuthenticationReq, session: Session, charger: Charger
) -> din.ContractAuthenticationRes:
    """Wait for a card or a remote start, as AuthorizationReq does in ISO 15118-2."""
    answer = await charger.policy.external_authorization(session, charger)
    return din.ContractAuthenticationRes(
        ResponseCode=as_din(answer.ResponseCode), EVSEProcessing=as_din(answer.EVSEProcessing)
    )

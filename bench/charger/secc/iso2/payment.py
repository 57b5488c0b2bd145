"""PaymentServiceSelection, PaymentDetails, Authorization (ISO 15118-2 clauses 8.4.3.5 to 8.4.3.7).

The backend is asked when the contract arrives; a decision that takes longer than PaymentDetailsRes may wait
is
awaited under AuthorizationRes Ongoing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.charger.backend import IdToken
from bench.charger.secc.iso2.common import OK, Refusal
from bench.charger.secc.iso2.setup import CERTIFICATE_SERVICE_ID, CHARGE_SERVICE_ID
from bench.charger.secc.session import Session
from bench.pki.emaid import normalise
from bench.v2g.messages import iso2

if TYPE_CHECKING:
    from bench.charger.model import Charger

PAYMENT_DETAILS_PATIENCE_S = 4.0
"""PaymentDetailsRes is due in 4.5 s (V2G_SECC_Msg_Performance_Time, table 109)."""
ONGOING_PATIENCE_S = 0.25
ONGOING_LIMIT_S = 55.0
"""V2G_SECC_Ongoing_Performance_Time, [V2G2-712]."""


async def payment_service_selection(
    request: iso2.PaymentServiceSelectionReq, session: Session, charger: Charger
) -> iso2.PaymentServiceSelectionRes:
    """Accept one of the offered ways to pay and the offered services ([V2G2-465] ...)."""
    if request.SelectedPaymentOption not in charger.policy.payment_options(session, charger):
        raise Refusal(iso2.responseCode.FAILED_PaymentSelectionInvalid)
    chosen = {each.ServiceID for each in request.SelectedServiceList.SelectedService}
    offered = {CHARGE_SERVICE_ID}
    if charger.policy.certificates_offered(session, charger):
        offered.add(CERTIFICATE_SERVICE_ID)
    if not chosen <= offered:
        raise Refusal(iso2.responseCode.FAILED_ServiceSelectionInvalid)
    if CHARGE_SERVICE_ID not in chosen:
        raise Refusal(iso2.responseCode.FAILED_NoChargeServiceSelected)
    session.payment = request.SelectedPaymentOption
    return iso2.PaymentServiceSelectionRes(ResponseCode=OK)


async def payment_details(
    request: iso2.PaymentDetailsReq, session: Session, charger: Charger
) -> iso2.PaymentDetailsRes:
    """Judge the contract locally, ask the backend, and answer with a fresh challenge ([V2G2-825], OCPP
    C07)."""
    chain = charger.contracts.read(request.ContractSignatureCertChain)
    session.contract_chain = chain
    session.emaid = normalise(request.eMAID)
    decision = asyncio.create_task(charger.contracts.decide(request.eMAID, chain))
    session.decision = decision
    done, _ = await asyncio.wait({decision}, timeout=PAYMENT_DETAILS_PATIENCE_S)
    code = decision.result() if done else OK
    if code != OK:
        raise Refusal(code, f"contract {session.emaid} refused")
    session.challenge = charger.policy.new_challenge()
    return iso2.PaymentDetailsRes(
        ResponseCode=OK, GenChallenge=session.challenge, EVSETimeStamp=charger.policy.timestamp_s()
    )


async def authorization(
    request: iso2.AuthorizationReq, session: Session, charger: Charger
) -> iso2.AuthorizationRes:
    """Contract: challenge, signature, backend's decision. ExternalPayment: wait for a card or a remote
    start."""
    if session.payment == iso2.paymentOption.Contract:
        charger.policy.check_challenge(request, session)
        charger.policy.check_authorization_signature(request, session)
        return await _contract(session, charger)
    return await charger.policy.external_authorization(session, charger)


async def _contract(session: Session, charger: Charger) -> iso2.AuthorizationRes:
    decision = session.decision
    if decision is not None and not decision.done():
        await asyncio.wait({decision}, timeout=ONGOING_PATIENCE_S)
        if not decision.done():
            return ongoing(session, iso2.EVSEProcessing.Ongoing)
    code = decision.result() if decision is not None else OK
    if code != OK:
        raise Refusal(code, f"contract {session.emaid} refused")
    charger.authorize(session, IdToken(session.emaid, "eMAID"))
    return finished(session)


async def external(session: Session, charger: Charger) -> iso2.AuthorizationRes:
    """EIM: Finished once a card or a remote start is accepted, FAILED after one that was refused."""
    if charger.granted is None and not charger.card_refused:
        await charger.wait_for_card(ONGOING_PATIENCE_S)
    if charger.card_refused:
        raise Refusal(iso2.responseCode.FAILED, "the card was refused")
    if charger.granted is None or charger.granted.kind == "eMAID":
        return ongoing(session, iso2.EVSEProcessing.Ongoing_WaitingForCustomerInteraction)
    charger.authorize(session, charger.granted)
    return finished(session)


def finished(session: Session) -> iso2.AuthorizationRes:
    """AuthorizationRes OK, Finished."""
    session.ongoing_since_s = None
    return iso2.AuthorizationRes(ResponseCode=OK, EVSEProcessing=iso2.EVSEProcessing.Finished)


def ongoing(session: Session, processing: iso2.EVSEProcessing) -> iso2.AuthorizationRes:
    """AuthorizationRes Ongoing; FAILED when that has gone on for 55 s ([V2G2-712])."""
    now = asyncio.get_running_loop().time()
    if session.ongoing_since_s is None:
        session.ongoing_since_s = now
    if now - session.ongoing_since_s > ONGOING_LIMIT_S:
        raise Refusal(iso2.responseCode.FAILED, "no authorization in time")
    return iso2.AuthorizationRes(ResponseCode=OK, EVSEProcessing=processing)

"""Defects of the ISO 15118-2 session: answers, order, session ids, timing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bench.charger.defects import defect
from bench.charger.secc.iso2 import payment
from bench.charger.secc.iso2.common import OK, Handler, Refusal, Reply
from bench.charger.secc.session import Session
from bench.v2g.messages import iso2, xmldsig

if TYPE_CHECKING:
    from bench.charger.model import Charger

_Code = iso2.responseCode
HANDSHAKE_DELAY_S = 1.2
"""Under each performance time (1.5 s), over the budget of the whole."""
SLOW_LOOP_S = 0.35
"""Over V2G_EVCC_Msg_Timeout of CurrentDemand (0.25 s)."""
CLOCK_ERROR_S = 365 * 86_400
HANDSHAKE = frozenset(
    {
        "SessionSetupReq",
        "ServiceDiscoveryReq",
        "ServiceDetailReq",
        "PaymentServiceSelectionReq",
        "PaymentDetailsReq",
        "AuthorizationReq",
        "ChargeParameterDiscoveryReq",
    }
)


def _refuse(charger: Charger, name: str, code: _Code, *, when: Any = None) -> None:
    """Answer request `name` with a FAILED code (where `when(request)` holds)."""
    good: Handler = charger.handlers[name]

    async def handle(request: Any, session: Session, charger: Charger) -> iso2.BodyElement | Reply:
        if when is None or when(request):
            raise Refusal(code, "a defect")
        return await good(request, session, charger)

    charger.handlers[name] = handle


def _last_word(charger: Charger, change: Any) -> None:
    """Let `change(name, reply, session)` (a coroutine function) have the last word on each response."""
    good = charger.policy.before_answer

    async def before(name: str, reply: Reply, session: Session, charger: Charger) -> Reply | None:
        right = await good(name, reply, session, charger)
        changed: Reply | None = await change(name, right, session) if right is not None else None
        return changed

    charger.policy.before_answer = before  # type: ignore[method-assign]


@defect("contract-selection-refused", protocol="v2g", wrong="Contract is offered, and refused when selected")
def contract_selection_refused(charger: Charger) -> None:
    """PaymentServiceSelection."""
    _refuse(
        charger,
        "PaymentServiceSelectionReq",
        _Code.FAILED_PaymentSelectionInvalid,
        when=lambda request: request.SelectedPaymentOption == iso2.paymentOption.Contract,
    )


@defect(
    "genchallenge-constant", protocol="v2g", wrong="GenChallenge is the same sixteen bytes in every session"
)
def genchallenge_constant(charger: Charger) -> None:
    """PaymentDetailsRes."""
    charger.policy.new_challenge = lambda: bytes(range(16))  # type: ignore[method-assign]


@defect("evse-timestamp-wrong", protocol="v2g", wrong="EVSETimeStamp of PaymentDetailsRes is a year behind")
def evse_timestamp_wrong(charger: Charger) -> None:
    """PaymentDetailsRes; the other timestamps stay right."""

    async def change(name: str, reply: Reply, session: Session) -> Reply:
        if isinstance(reply.body, iso2.PaymentDetailsRes):
            reply.body.EVSETimeStamp -= CLOCK_ERROR_S
        return reply

    _last_word(charger, change)


@defect(
    "schedule-missing", protocol="v2g", wrong="ChargeParameterDiscoveryRes Finished without SAScheduleList"
)
def schedule_missing(charger: Charger) -> None:
    """ChargeParameterDiscovery."""
    charger.policy.schedules = lambda session, charger, tariff: None  # type: ignore[method-assign]
    charger.policy.sales_tariff = lambda session, charger: None  # type: ignore[method-assign]


@defect("limits-swapped", protocol="v2g", wrong="maximum and minimum voltage are exchanged in the DC limits")
def limits_swapped(charger: Charger) -> None:
    """ChargeParameterDiscovery (FB-13)."""
    good = charger.policy.dc_parameters

    def swapped(session: Session, charger: Charger) -> iso2.DC_EVSEChargeParameter:
        limits = good(session, charger)
        limits.EVSEMaximumVoltageLimit, limits.EVSEMinimumVoltageLimit = (
            limits.EVSEMinimumVoltageLimit,
            limits.EVSEMaximumVoltageLimit,
        )
        return limits

    charger.policy.dc_parameters = swapped  # type: ignore[method-assign]


@defect("powerdelivery-start-refused", protocol="v2g", wrong="PowerDelivery Start is answered FAILED")
def powerdelivery_start_refused(charger: Charger) -> None:
    """PowerDelivery."""
    _refuse(
        charger,
        "PowerDeliveryReq",
        _Code.FAILED_PowerDeliveryNotApplied,
        when=lambda request: request.ChargeProgress == iso2.chargeProgress.Start,
    )


@defect("slow-handshake", protocol="v2g", wrong="each answer of the handshake takes 1.2 s")
def slow_handshake(charger: Charger) -> None:
    """Every single answer is in time, the whole is not."""

    async def change(name: str, reply: Reply, session: Session) -> Reply:
        if name in HANDSHAKE:
            await asyncio.sleep(HANDSHAKE_DELAY_S)
        return reply

    _last_word(charger, change)


@defect(
    "eim-authorization-stays-ongoing",
    protocol="v2g",
    wrong="with ExternalPayment Authorization never finishes",
)
def eim_authorization_stays_ongoing(charger: Charger) -> None:
    """Authorization: the accepted card does not reach the V2G side."""

    async def never(session: Session, charger: Charger) -> iso2.AuthorizationRes:
        await asyncio.sleep(payment.ONGOING_PATIENCE_S)
        return payment.ongoing(session, iso2.EVSEProcessing.Ongoing_WaitingForCustomerInteraction)

    charger.policy.external_authorization = never  # type: ignore[method-assign]


@defect("ac-meterinfo-missing", protocol="v2g", wrong="ChargingStatusRes carries no MeterInfo")
def ac_meterinfo_missing(charger: Charger) -> None:
    """ChargingStatus."""

    async def change(name: str, reply: Reply, session: Session) -> Reply:
        if isinstance(reply.body, iso2.ChargingStatusRes):
            reply.body.MeterInfo = None
        return reply

    _last_word(charger, change)


@defect("ignores-challenge", protocol="v2g", wrong="a wrong GenChallenge in AuthorizationReq is accepted")
def ignores_challenge(charger: Charger) -> None:
    """Authorization."""
    charger.policy.check_challenge = lambda request, session: None  # type: ignore[method-assign]


@defect(
    "ignores-authorization-signature",
    protocol="v2g",
    wrong="AuthorizationReq with a bad signature is accepted",
)
def ignores_authorization_signature(charger: Charger) -> None:
    """Authorization: a signature must be there, whose it is does not matter."""

    def check(request: iso2.AuthorizationReq, session: Session) -> None:
        if session.signature is None:
            raise Refusal(_Code.FAILED_SignatureError)

    charger.policy.check_authorization_signature = check  # type: ignore[method-assign]


@defect(
    "accepts-unsigned-authorization", protocol="v2g", wrong="AuthorizationReq without a signature is accepted"
)
def accepts_unsigned_authorization(charger: Charger) -> None:
    """Authorization: a signature that is there is checked, one that is not there is not missed."""
    good = charger.policy.check_authorization_signature

    def check(request: iso2.AuthorizationReq, session: Session) -> None:
        if session.signature is not None:
            good(request, session)

    charger.policy.check_authorization_signature = check  # type: ignore[method-assign]


@defect("no-external-payment-with-tls", protocol="v2g", wrong="with TLS only Contract is offered")
def no_external_payment_with_tls(charger: Charger) -> None:
    """ServiceDiscovery."""
    good = charger.policy.payment_options

    def options(session: Session, charger: Charger) -> list[iso2.paymentOption]:
        offered = good(session, charger)
        return [iso2.paymentOption.Contract] if iso2.paymentOption.Contract in offered else offered

    charger.policy.payment_options = options  # type: ignore[method-assign]


@defect(
    "contract-offered-without-tls", protocol="v2g", wrong="Contract is offered on a connection without TLS"
)
def contract_offered_without_tls(charger: Charger) -> None:
    """ServiceDiscovery."""
    good = charger.policy.payment_options

    def options(session: Session, charger: Charger) -> list[iso2.paymentOption]:
        offered = good(session, charger)
        missing = iso2.paymentOption.Contract not in offered
        return [iso2.paymentOption.Contract, *offered] if missing else offered

    charger.policy.payment_options = options  # type: ignore[method-assign]


@defect("receipt-refused", protocol="v2g", wrong="a correctly signed metering receipt is refused")
def receipt_refused(charger: Charger) -> None:
    """MeteringReceipt."""
    _refuse(charger, "MeteringReceiptReq", _Code.FAILED_MeteringSignatureNotValid)


@defect(
    "receipt-signature-ignored", protocol="v2g", wrong="a metering receipt with a bad signature is accepted"
)
def receipt_signature_ignored(charger: Charger) -> None:
    """MeteringReceipt."""
    charger.policy.check_receipt_signature = lambda request, session: None  # type: ignore[method-assign]


@defect("tariff-signature-broken", protocol="v2g", wrong="the signature of the SalesTariff does not verify")
def tariff_signature_broken(charger: Charger) -> None:
    """ChargeParameterDiscovery: one bit of the signature value is flipped."""
    good = charger.policy.sign_tariff

    def sign(tariff: iso2.SalesTariff, charger: Charger) -> xmldsig.Signature:
        signature = good(tariff, charger)
        value = signature.SignatureValue.value
        signature.SignatureValue.value = value[:-1] + bytes([value[-1] ^ 1])
        return signature

    charger.policy.sign_tariff = sign  # type: ignore[method-assign]


@defect("resume-refuses-old-session", protocol="v2g", wrong="a paused session cannot be joined again")
def resume_refuses_old_session(charger: Charger) -> None:
    """SessionSetup: always a new session."""
    charger.policy.resume = lambda asked, session, charger: False  # type: ignore[method-assign]


@defect("renegotiation-refused", protocol="v2g", wrong="PowerDelivery Renegotiate is answered FAILED")
def renegotiation_refused(charger: Charger) -> None:
    """PowerDelivery."""
    _refuse(
        charger,
        "PowerDeliveryReq",
        _Code.FAILED,
        when=lambda request: request.ChargeProgress == iso2.chargeProgress.Renegotiate,
    )


@defect(
    "early-stop-sequence-error",
    protocol="v2g",
    wrong="SessionStop before PowerDelivery is a sequence error to it",
)
def early_stop_sequence_error(charger: Charger) -> None:
    """SessionStop (FB-06): only taken after PowerDelivery Stop, or after a FAILED answer."""
    good = charger.policy.check_order

    def check(name: str, request: Any, session: Session) -> _Code | None:
        early = name == "SessionStopReq" and not session.failed and "delivered" not in session.memory
        if name == "PowerDeliveryReq":
            session.memory["delivered"] = True
        return _Code.FAILED_SequenceError if early else good(name, request, session)

    charger.policy.check_order = check  # type: ignore[method-assign]


@defect("no-sequence-check", protocol="v2g", wrong="messages out of order are answered OK")
def no_sequence_check(charger: Charger) -> None:
    """Any request at any time of an open session; what the request itself needs is still needed."""
    charger.policy.check_order = lambda name, request, session: None  # type: ignore[method-assign]
    good = dict(charger.handlers)

    def lenient(name: str) -> Handler:
        async def handle(request: Any, session: Session, charger: Charger) -> iso2.BodyElement | Reply:
            out_of_order = name not in session.expected
            try:
                return await good[name](request, session, charger)
            except Refusal as refusal:
                if not out_of_order:
                    raise
                return _as_ok(charger.policy.failed(name, refusal.code, session, charger))

        return handle

    for name in good:
        charger.handlers[name] = lenient(name)


def _as_ok(body: Any) -> iso2.BodyElement:
    body.ResponseCode = OK
    answer: iso2.BodyElement = body
    return answer


@defect("no-session-id-check", protocol="v2g", wrong="requests with a foreign SessionID are served")
def no_session_id_check(charger: Charger) -> None:
    """Every header is good."""
    charger.policy.check_session_id = lambda name, header_id, session: None  # type: ignore[method-assign]


@defect("never-times-out", protocol="v2g", wrong="a silent EV keeps its session for ever")
def never_times_out(charger: Charger) -> None:
    """No V2G_SECC_Sequence_Timeout."""
    charger.policy.sequence_timeout_s = None


@defect(
    "wrong-response-type", protocol="v2g", wrong="the third CurrentDemandReq is answered with a PreChargeRes"
)
def wrong_response_type(charger: Charger) -> None:
    """CurrentDemand: once a session."""

    async def change(name: str, reply: Reply, session: Session) -> Reply:
        if name != "CurrentDemandReq" or not isinstance(reply.body, iso2.CurrentDemandRes):
            return reply
        count = int(str(session.memory.get("demands", 0))) + 1
        session.memory["demands"] = count
        if count != 3:
            return reply
        return Reply(
            iso2.PreChargeRes(
                ResponseCode=OK,
                DC_EVSEStatus=reply.body.DC_EVSEStatus,
                EVSEPresentVoltage=reply.body.EVSEPresentVoltage,
            )
        )

    _last_word(charger, change)


@defect("slow-current-demand", protocol="v2g", wrong="one CurrentDemandRes of each session takes 0.35 s")
def slow_current_demand(charger: Charger) -> None:
    """CurrentDemand: the second of a session."""

    async def change(name: str, reply: Reply, session: Session) -> Reply:
        if name == "CurrentDemandReq":
            count = int(str(session.memory.get("slow", 0))) + 1
            session.memory["slow"] = count
            if count == 2:
                await asyncio.sleep(SLOW_LOOP_S)
        return reply

    _last_word(charger, change)


@defect("session-id-changes", protocol="v2g", wrong="the SessionID of responses changes in mid-session")
def session_id_changes(charger: Charger) -> None:
    """Header of ChargeParameterDiscoveryRes and what follows: last byte plus one; requests are judged by
    the old id."""
    good_order = charger.policy.check_order
    good_id = charger.policy.check_session_id

    def shifted(session: Session) -> bytes:
        return session.id[:-1] + bytes([(session.id[-1] + 1) % 256])

    def order(name: str, request: Any, session: Session) -> _Code | None:
        if name == "ChargeParameterDiscoveryReq":
            session.memory["shift"] = True
        return good_order(name, request, session)

    def check(name: str, header_id: bytes, session: Session) -> _Code | None:
        # An EV that follows the change is served as well as one that does not.
        if session.memory.get("shift") and header_id == shifted(session):
            return None
        return good_id(name, header_id, session)

    charger.policy.check_order = order  # type: ignore[method-assign]
    charger.policy.check_session_id = check  # type: ignore[method-assign]
    charger.policy.header_id = (  # type: ignore[method-assign]
        lambda session: shifted(session) if session.memory.get("shift") else session.id
    )

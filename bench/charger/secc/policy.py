"""The charger's decisions in the V2G protocol, each one small and replaceable.

Handlers and the dispatcher ask here; a defect replaces one attribute of the charger's `Policy`. What an
attribute
does is said beside its default.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from bench.charger.backend import ProvisioningAnswer
from bench.charger.secc import protocols
from bench.charger.secc.iso2 import delivery, metering, parameters, payment, provisioning
from bench.charger.secc.iso2.common import Refusal, Reply
from bench.charger.secc.session import NO_SESSION, ProtocolName, Session
from bench.charger.secc.signing import is_signed_by, sign
from bench.v2g import codec, timers, v2gtp
from bench.v2g.messages import din, iso2, sap, xmldsig

if TYPE_CHECKING:
    from bench.charger.model import Charger

_Code = iso2.responseCode
SEQUENCE_TIMEOUT_S = 60.0
"""V2G_SECC_Sequence_Timeout, [V2G2-443]."""


def codec_says_valid(findings: list[str]) -> bool:
    """False when the codec found content that the schema does not allow (trailing bytes are no such
    thing)."""
    return not any("schema does not allow" in each for each in findings)


class Policy:
    """Defaults: a conforming charger."""

    sequence_timeout_s: float | None = SEQUENCE_TIMEOUT_S
    provisioning_patience_s: float = provisioning.PATIENCE_S
    protocols: tuple[ProtocolName, ...] = ("iso2", "din")
    """What the charger speaks; the EV's priorities decide between them."""

    # --- transport and codec -------------------------------------------------------------------------------
    def parser(self) -> v2gtp.Parser:
        """A V2GTP parser for one connection: bytes in, whole messages out."""
        return v2gtp.Parser()

    def decode(self, payload: bytes, schema: ProtocolName = "iso2") -> tuple[Any, bool]:
        """The V2G_Message in a payload, and whether the schema allows its content. Raises
        codec.CodecError."""
        findings: list[str] = []
        message = codec.decode(schema, payload, findings=findings)
        if not isinstance(message, protocols.PROTOCOLS[schema].messages.V2G_Message):
            raise codec.CodecError(f"a {type(message).__name__} instead of a V2G_Message")
        return message, codec_says_valid(findings)

    def undecodable(self, session: Session, charger: Charger, error: Exception) -> bytes | None:
        """What to answer to bytes that are no message; None closes the connection."""
        return None

    def encode(self, message: iso2.V2G_Message | din.V2G_Message) -> bytes:
        """The payload of a response."""
        return codec.encode(message)

    def choose_protocol(
        self, request: sap.supportedAppProtocolReq, *, tls: bool = False
    ) -> sap.supportedAppProtocolRes:
        """The answer to the EV's offers; a protocol without TLS is no choice on a TLS connection."""
        return protocols.choose(request, self.protocols, tls=tls)

    # --- every message -------------------------------------------------------------------------------------
    def check_session_id(self, name: str, header_id: bytes, session: Session) -> _Code | None:
        """The code to refuse a request with for its SessionID, or None ([V2G2-463])."""
        if name == "SessionSetupReq" or header_id == session.id:
            return None
        return _Code.FAILED_UnknownSession

    def check_order(self, name: str, request: Any, session: Session) -> _Code | None:
        """The code to refuse a request with that must not come now, or None ([V2G2-459])."""
        return None if protocols.of(session).in_order(name, request, session) else _Code.FAILED_SequenceError

    def header_id(self, session: Session) -> bytes:
        """SessionID of a response."""
        return session.id

    async def before_answer(
        self, name: str, reply: Reply, session: Session, charger: Charger
    ) -> Reply | None:
        """Last word on a response before it leaves; None sends nothing."""
        return reply

    def time_limit_s(self, name: str, schema: ProtocolName = "iso2") -> float:
        """How long the handler of a request may take: the SECC's performance time, at least 0.5 s.

        A net under the handlers, which bound their own waits; 25 ms for CurrentDemand would not be a net.
        """
        return max(0.5, timers.performance(schema, name).value)

    def failed(self, name: str, code: _Code, session: Session, charger: Charger) -> Any:
        """The FAILED response to request `name`, in the protocol of the session."""
        return protocols.of(session).failed(name, code, session, charger)

    # --- session -------------------------------------------------------------------------------------------
    def timestamp_s(self) -> int:
        """EVSETimeStamp and TMeter: Unix time, s."""
        return int(time.time())

    def new_session_id(self) -> bytes:
        """A fresh random id, never all zero ([V2G2-750])."""
        while (fresh := secrets.token_bytes(8)) == NO_SESSION:
            continue
        return fresh

    def resume(self, asked: bytes, session: Session, charger: Charger) -> bool:
        """Join the paused session `asked`; False when there is none ([V2G2-740])."""
        before = charger.paused.take(asked)
        if before is None:
            return False
        session.id, session.resumed, session.token = before.id, True, before.token
        return True

    def payment_options(self, session: Session, charger: Charger) -> list[iso2.paymentOption]:
        """ExternalPayment always; Contract only with TLS ([V2G2-633]) and while PnC is enabled."""
        options = [iso2.paymentOption.ExternalPayment]
        if session.tls and charger.variables.flag("ISO15118Ctrlr", "PnCEnabled"):
            options.insert(0, iso2.paymentOption.Contract)
        return options

    def certificates_offered(self, session: Session, charger: Charger) -> bool:
        """The certificate service needs TLS, and contract certificate installation enabled."""
        return session.tls and charger.variables.flag(
            "ISO15118Ctrlr", "ContractCertificateInstallationEnabled"
        )

    # --- authorization -------------------------------------------------------------------------------------
    def new_challenge(self) -> bytes:
        """GenChallenge: 16 fresh random bytes ([V2G2-697], [V2G2-698])."""
        return secrets.token_bytes(16)

    def check_challenge(self, request: iso2.AuthorizationReq, session: Session) -> None:
        """Refuse a challenge that is not the one sent ([V2G2-475])."""
        if session.challenge is None or request.GenChallenge != session.challenge:
            raise Refusal(_Code.FAILED_ChallengeInvalid)

    def check_authorization_signature(self, request: iso2.AuthorizationReq, session: Session) -> None:
        """Refuse an AuthorizationReq that the contract's key did not sign."""
        leaf = session.contract_chain[0] if session.contract_chain else None
        if not self.verified(request, session.signature, leaf):
            raise Refusal(_Code.FAILED_SignatureError)

    def verified(self, body: iso2.BodyElement, signature: xmldsig.Signature | None, leaf: Any) -> bool:
        """True when `signature` covers `body` and is the leaf's."""
        return is_signed_by(body, signature, leaf)

    async def external_authorization(self, session: Session, charger: Charger) -> iso2.AuthorizationRes:
        """EIM: see `payment.external`."""
        return await payment.external(session, charger)

    def provisioning_reply(self, answer: ProvisioningAnswer, wanted: type[iso2.BodyElement]) -> Reply:
        """The backend's CertificateInstallationRes or CertificateUpdateRes for the EV."""
        return provisioning.provisioning_reply(answer, wanted)

    # --- parameters and charging ---------------------------------------------------------------------------
    def dc_parameters(self, session: Session, charger: Charger) -> iso2.DC_EVSEChargeParameter:
        """The DC nameplate."""
        return parameters.dc_parameters(session, charger)

    def schedules(
        self, session: Session, charger: Charger, tariff: iso2.SalesTariff | None
    ) -> iso2.SAScheduleList | None:
        """The schedules of ChargeParameterDiscoveryRes."""
        return parameters.schedules(session, charger, tariff)

    def sales_tariff(self, session: Session, charger: Charger) -> iso2.SalesTariff | None:
        """The tariff, or None."""
        return parameters.sales_tariff(session, charger)

    def sign_tariff(self, tariff: iso2.SalesTariff, charger: Charger) -> xmldsig.Signature:
        """Signature over the tariff with the store's tariff key."""
        assert charger.store.tariff is not None
        return sign(tariff, charger.store.tariff.key)

    async def insulation_test(self, charger: Charger) -> bool:
        """CableCheck: True when the cable is sound."""
        return await charger.power.dc.insulation_test()

    def renegotiate(self, session: Session, charger: Charger) -> None:
        """PowerDelivery Renegotiate."""
        delivery.renegotiate(session, charger)

    def meter_info(self, charger: Charger) -> iso2.MeterInfo | None:
        """MeterInfo of a charge loop response."""
        return metering.default_meter_info(charger)

    def check_receipt_signature(self, request: iso2.MeteringReceiptReq, session: Session) -> None:
        """Refuse a receipt that the contract's key did not sign."""
        leaf = session.contract_chain[0] if session.contract_chain else None
        if not self.verified(request, session.signature, leaf):
            raise Refusal(_Code.FAILED_MeteringSignatureNotValid)

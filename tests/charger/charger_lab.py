"""A charger without sockets, and a small car that talks to its dispatcher in whole EXI messages."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench.charger import defects
from bench.charger.backend import (
    Authorization,
    BackendUnavailable,
    HashData,
    IdToken,
    ProvisioningAnswer,
)
from bench.charger.cable import IdealCable, Seen
from bench.charger.model import Charger
from bench.charger.profile import ChargerProfile
from bench.charger.secc import dispatch
from bench.charger.secc.session import Session
from bench.charger.standalone import PlainVariables, StandaloneBackend
from bench.charger.store import CertificateStore, write_store
from bench.pki import Credential, Pki
from bench.v2g import codec, signature
from bench.v2g.messages import iso2

T = TypeVar("T")
CARD = IdToken("CARD-1", "ISO14443")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine, at most 20 s."""
    return asyncio.run(asyncio.wait_for(work, 20.0))


class ScriptedBackend(StandaloneBackend):
    """Answers what a test sets; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Authorization("Accepted", "Accepted")
        self.card_answer = Authorization("Accepted")
        self.silent_s: float | None = None
        self.known: set[str] = set()
        self.provisioning: ProvisioningAnswer | None = None
        self.asked: list[tuple[str, str | None, Sequence[HashData] | None]] = []

    async def authorize_contract(
        self, emaid: str, *, chain_pem: str | None, hash_data: Sequence[HashData] | None
    ) -> Authorization:
        self.asked.append((emaid, chain_pem, hash_data))
        if self.silent_s is not None:
            await asyncio.sleep(self.silent_s)
            raise BackendUnavailable("silent")
        return self.answer

    async def authorize_token(self, token: IdToken) -> Authorization:
        return self.card_answer

    def known_offline(self, token: IdToken) -> bool:
        return token.id_token in self.known

    async def get_15118_ev_certificate(
        self, schema_version: str, action: Literal["Install", "Update"], exi_request: bytes
    ) -> ProvisioningAnswer:
        if self.silent_s is not None:
            await asyncio.sleep(self.silent_s)
        if self.provisioning is None:
            raise BackendUnavailable("no service")
        return self.provisioning


@dataclass
class Lab:
    """The charger, its backend and cable, and the car's session with it."""

    charger: Charger
    backend: ScriptedBackend
    cable: IdealCable
    pki: Pki
    session: Session = field(default_factory=lambda: Session(tls=True))
    id: bytes = bytes(8)
    contract: Credential | None = None
    emaid: str | None = None
    challenge: bytes = bytes(16)
    meter: iso2.MeterInfo | None = None

    @classmethod
    def make(
        cls,
        folder: Path,
        pki: Pki,
        *defect_names: str,
        tls: bool = True,
        variables: dict[tuple[str, str], bool] | None = None,
        profile: ChargerProfile | None = None,
        mo_roots: Sequence[x509.Certificate] | None = None,
    ) -> Lab:
        """A charger with these defects; must run inside an event loop for some of them."""
        credentials = pki.credentials
        write_store(
            folder,
            secc=credentials["cpo/secc_leaf"],
            tariff=credentials["mo/sub_ca2"],
            v2g_roots=[credentials["v2g/root"].certificate],
            mo_roots=[credentials["mo/root"].certificate] if mo_roots is None else mo_roots,
        )
        cable, backend = IdealCable(), ScriptedBackend()
        charger = Charger(
            profile or ChargerProfile(insulation_hold_s=0.0),
            CertificateStore(folder),
            PlainVariables(variables),
            cable,
        )
        charger.backend = backend
        defects.apply(charger, defect_names)
        return cls(
            charger,
            backend,
            cable,
            pki,
            session=Session(tls=tls),
            contract=pki.credentials["mo/contract_leaf"],
        )

    def new_session(self, *, tls: bool = True, session_id: bytes = bytes(8)) -> None:
        """The car opens another connection."""
        self.session, self.id = Session(tls=tls), session_id

    async def ask(self, body: iso2.BodyElement, *, key: Any = None, flip: bool = False) -> Any:
        """Send a request through the dispatcher; the response body, or None when there is none."""
        signed = None
        if key is not None:
            signed = signature.sign([body], key)
            if flip:
                value = signed.SignatureValue.value
                signed.SignatureValue.value = value[:-1] + bytes([value[-1] ^ 1])
        header = iso2.MessageHeader(SessionID=self.id, Signature=signed)
        payload = codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)))
        answer = await dispatch.answer(payload, self.session, self.charger)
        if answer is None:
            return None
        message = codec.decode("iso2", answer)
        if isinstance(body, iso2.SessionSetupReq):
            self.id = message.Header.SessionID
        self.last_header = message.Header
        return message.Body.BodyElement

    # --- the steps of a session -----------------------------------------------------------------------------
    async def setup(self) -> Any:
        return await self.ask(iso2.SessionSetupReq(EVCCID=b"\x02\x00\x00\x00\x00\x01"))

    async def discover(self) -> Any:
        return await self.ask(iso2.ServiceDiscoveryReq())

    async def select(self, option: str, *, certificate_service: bool = False) -> Any:
        chosen = [iso2.SelectedService(ServiceID=1)]
        if certificate_service:
            chosen.append(iso2.SelectedService(ServiceID=2, ParameterSetID=1))
        return await self.ask(
            iso2.PaymentServiceSelectionReq(
                SelectedPaymentOption=iso2.paymentOption(option),
                SelectedServiceList=iso2.SelectedServiceList(SelectedService=chosen),
            )
        )

    async def details(self, chain: Sequence[bytes] | None = None) -> Any:
        assert self.contract is not None
        ders = list(chain) if chain is not None else self.contract.der_chain()
        response = await self.ask(
            iso2.PaymentDetailsReq(
                eMAID=self.emaid or self.contract.emaid,
                ContractSignatureCertChain=iso2.CertificateChain(
                    Certificate=ders[0],
                    SubCertificates=iso2.SubCertificates(Certificate=ders[1:]) if ders[1:] else None,
                ),
            )
        )
        self.challenge = response.GenChallenge
        return response

    async def authorize(
        self, *, challenge: bytes | None = None, unsigned: bool = False, flip: bool = False
    ) -> Any:
        assert self.contract is not None
        request = iso2.AuthorizationReq(Id="id1", GenChallenge=challenge or self.challenge)
        return await self.ask(request, key=None if unsigned else self.contract.private_key, flip=flip)

    async def parameters(self, mode: str = "DC_extended") -> Any:
        value = iso2.PhysicalValue.of
        if mode.startswith("DC"):
            parameter: iso2.EVChargeParameter = iso2.DC_EVChargeParameter(
                DC_EVStatus=status(),
                EVMaximumCurrentLimit=value(200.0, "A"),
                EVMaximumVoltageLimit=value(450.0, "V"),
            )
        else:
            parameter = iso2.AC_EVChargeParameter(
                EAmount=value(10.0, "Wh"),
                EVMaxVoltage=value(400.0, "V"),
                EVMaxCurrent=value(32.0, "A"),
                EVMinCurrent=value(6.0, "A"),
            )
        return await self.ask(
            iso2.ChargeParameterDiscoveryReq(
                RequestedEnergyTransferMode=iso2.EnergyTransferMode(mode), EVChargeParameter=parameter
            )
        )

    async def cable_check(self) -> Any:
        while True:
            response = await self.ask(iso2.CableCheckReq(DC_EVStatus=status()))
            if response.EVSEProcessing != iso2.EVSEProcessing.Ongoing:
                return response
            await asyncio.sleep(0)

    async def precharge(self, voltage_v: float = 400.0) -> Any:
        return await self.ask(
            iso2.PreChargeReq(
                DC_EVStatus=status(),
                EVTargetVoltage=iso2.PhysicalValue.of(voltage_v, "V"),
                EVTargetCurrent=iso2.PhysicalValue.of(1.0, "A"),
            )
        )

    async def power(self, progress: str) -> Any:
        return await self.ask(
            iso2.PowerDeliveryReq(ChargeProgress=iso2.chargeProgress(progress), SAScheduleTupleID=1)
        )

    async def demand(self, current_a: float, voltage_v: float = 400.0) -> Any:
        response = await self.ask(
            iso2.CurrentDemandReq(
                DC_EVStatus=status(),
                EVTargetCurrent=iso2.PhysicalValue.of(current_a, "A"),
                ChargingComplete=False,
                EVTargetVoltage=iso2.PhysicalValue.of(voltage_v, "V"),
            )
        )
        self.meter = getattr(response, "MeterInfo", None)
        return response

    async def receipt(self, *, flip: bool = False) -> Any:
        assert self.meter is not None and self.contract is not None
        request = iso2.MeteringReceiptReq(Id="id1", SessionID=self.id, MeterInfo=self.meter)
        return await self.ask(request, key=self.contract.private_key, flip=flip)

    async def stop(self, how: str = "Terminate") -> Any:
        return await self.ask(iso2.SessionStopReq(ChargingSession=iso2.chargingSession(how)))

    # --- runs of steps ----
    async def to_payment(self, option: str = "Contract") -> None:
        await self.setup()
        await self.discover()
        await self.select(option)

    async def to_authorized(self, option: str = "Contract") -> None:
        if option == "ExternalPayment":
            await self.charger.present_card(CARD)
        await self.to_payment(option)
        if option == "Contract":
            await self.details()
            await self.authorize()
        else:
            await self.ask(iso2.AuthorizationReq())

    async def to_charging(self, option: str = "Contract", mode: str = "DC_extended") -> None:
        await self.to_authorized(option)
        await self.parameters(mode)
        if mode.startswith("DC"):
            await self.cable_check()
            await self.precharge()
        assert code(await self.power("Start")) == "OK"


def status() -> iso2.DC_EVStatus:
    """A car that is ready, half full."""
    return iso2.DC_EVStatus(EVReady=True, EVErrorCode=iso2.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)


def code(response: Any) -> str:
    """ResponseCode as text."""
    return str(response.ResponseCode.value)


def unplug(lab: Lab) -> None:
    """The vehicle is pulled off."""
    lab.cable._take(Seen())


def der(certificate: x509.Certificate) -> bytes:
    """DER of a certificate."""
    return certificate.public_bytes(Encoding.DER)

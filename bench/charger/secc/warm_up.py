"""One session's worth of messages through the codec before the charger listens.

The codec compiles a message type at its first use (some 10 ms each); a charger's first session should be as
fast
as its second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from bench.charger.secc.iso2 import parameters
from bench.charger.secc.iso2.common import OK, meter_info, volts
from bench.charger.secc.session import NO_SESSION, Session
from bench.v2g import codec, signature
from bench.v2g.din_words import as_din
from bench.v2g.messages import din, iso2, sap

if TYPE_CHECKING:
    from bench.charger.model import Charger

_EMAID = "XX000000000000"
_SAME_IN_DIN = (
    "SessionSetupReq",
    "ServiceDiscoveryReq",
    "CableCheckReq",
    "PreChargeReq",
    "CurrentDemandReq",
    "WeldingDetectionReq",
)


def requests() -> list[iso2.BodyElement]:
    """One small valid request of each kind that a charging session sends, in the order of a session."""
    status = iso2.DC_EVStatus(EVReady=True, EVErrorCode=iso2.DC_EVErrorCode.NO_ERROR, EVRESSSOC=50)
    volt, ampere = iso2.PhysicalValue.of(400.0, "V"), iso2.PhysicalValue.of(10.0, "A")
    service = iso2.SelectedServiceList(SelectedService=[iso2.SelectedService(ServiceID=1)])
    chain = iso2.CertificateChain(
        Certificate=b"\x30", SubCertificates=iso2.SubCertificates(Certificate=[b"\x30"])
    )
    dc = iso2.DC_EVChargeParameter(
        DC_EVStatus=status, EVMaximumCurrentLimit=ampere, EVMaximumVoltageLimit=volt
    )
    ac = iso2.AC_EVChargeParameter(
        EAmount=iso2.PhysicalValue.of(1.0, "Wh"), EVMaxVoltage=volt, EVMaxCurrent=ampere, EVMinCurrent=ampere
    )
    mode = iso2.EnergyTransferMode
    return [
        iso2.SessionSetupReq(EVCCID=bytes(6)),
        iso2.ServiceDiscoveryReq(),
        iso2.ServiceDetailReq(ServiceID=2),
        iso2.PaymentServiceSelectionReq(
            SelectedPaymentOption=iso2.paymentOption.Contract, SelectedServiceList=service
        ),
        iso2.PaymentDetailsReq(eMAID=_EMAID, ContractSignatureCertChain=chain),
        iso2.AuthorizationReq(Id="id1", GenChallenge=bytes(16)),
        iso2.ChargeParameterDiscoveryReq(RequestedEnergyTransferMode=mode.DC_extended, EVChargeParameter=dc),
        iso2.ChargeParameterDiscoveryReq(
            RequestedEnergyTransferMode=mode.AC_three_phase_core, EVChargeParameter=ac
        ),
        iso2.CableCheckReq(DC_EVStatus=status),
        iso2.PreChargeReq(DC_EVStatus=status, EVTargetVoltage=volt, EVTargetCurrent=ampere),
        iso2.PowerDeliveryReq(
            ChargeProgress=iso2.chargeProgress.Start,
            SAScheduleTupleID=1,
            EVPowerDeliveryParameter=iso2.DC_EVPowerDeliveryParameter(
                DC_EVStatus=status, ChargingComplete=False
            ),
        ),
        iso2.CurrentDemandReq(
            DC_EVStatus=status, EVTargetCurrent=ampere, ChargingComplete=False, EVTargetVoltage=volt
        ),
        iso2.ChargingStatusReq(),
        iso2.MeteringReceiptReq(
            Id="id1", SessionID=NO_SESSION, MeterInfo=iso2.MeterInfo(MeterID="M", MeterReading=1)
        ),
        iso2.WeldingDetectionReq(DC_EVStatus=status),
        iso2.SessionStopReq(ChargingSession=iso2.chargingSession.Terminate),
    ]


def responses(charger: Charger) -> list[iso2.BodyElement]:
    """The FAILED response of each kind, and OK ones where those hold more."""
    session = Session(energy_mode=iso2.EnergyTransferMode.DC_extended)
    made = [charger.policy.failed(name, OK, session, charger) for name in charger.handlers]
    for each in made:
        if isinstance(each, iso2.ChargeParameterDiscoveryRes):
            each.SASchedules = parameters.schedules(session, charger, None)
        if isinstance(each, iso2.CurrentDemandRes):
            each.MeterInfo, each.ReceiptRequired = meter_info(charger), False
            each.EVSEMaximumVoltageLimit = volts(1.0)
    return made


def din_messages(charger: Charger) -> list[din.BodyElement]:
    """Every request and response of DIN SPEC 70121; those of ISO 15118-2 in DIN's words where it has them."""
    session = Session(protocol="din", energy_mode=iso2.EnergyTransferMode.DC_extended)
    answers = [charger.policy.failed(name, OK, session, charger) for name in charger.din_handlers]
    same = [each for each in requests() if type(each).__name__ in _SAME_IN_DIN]
    status = as_din(next(each for each in same if isinstance(each, iso2.CableCheckReq)).DC_EVStatus)
    volt, ampere = din.PhysicalValue.of(400.0, "V"), din.PhysicalValue.of(10.0, "A")
    return [
        *answers,
        *[as_din(each) for each in same],
        din.ServicePaymentSelectionReq(
            SelectedPaymentOption=din.paymentOption.ExternalPayment,
            SelectedServiceList=din.SelectedServiceList(SelectedService=[din.SelectedService(ServiceID=1)]),
        ),
        din.ContractAuthenticationReq(),
        din.ChargeParameterDiscoveryReq(
            EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer.DC_extended,
            EVChargeParameter=din.DC_EVChargeParameter(
                DC_EVStatus=status, EVMaximumCurrentLimit=ampere, EVMaximumVoltageLimit=volt
            ),
        ),
        din.PowerDeliveryReq(ReadyToChargeState=True),
        din.SessionStopReq(),
    ]


def warm_up(charger: Charger) -> None:
    """Encode and decode all of it once; a signature too."""
    if "din" in charger.policy.protocols:
        head = din.MessageHeader(SessionID=NO_SESSION)
        for each in din_messages(charger):
            message = din.V2G_Message(Header=head, Body=din.Body(BodyElement=each))
            codec.decode("din", codec.encode(message))
    offer = sap.AppProtocol(
        ProtocolNamespace="urn:warm:up",
        VersionNumberMajor=2,
        VersionNumberMinor=0,
        SchemaID=1,
        Priority=1,
    )
    codec.decode("sap", codec.encode(sap.supportedAppProtocolReq(AppProtocol=[offer])))
    codec.encode(sap.supportedAppProtocolRes(ResponseCode=sap.responseCode.Failed_NoNegotiation))
    key = ec.generate_private_key(ec.SECP256R1())
    for body in [*requests(), *responses(charger)]:
        signed = None
        if isinstance(body, iso2.AuthorizationReq | iso2.MeteringReceiptReq):
            signed = signature.sign([body], key)
            signature.verify(signed, [body], key.public_key())
        header = iso2.MessageHeader(SessionID=NO_SESSION, Signature=signed)
        payload = codec.encode(iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body)))
        codec.decode("iso2", payload)

"""Messages of ISO 15118-2:2014, annex C (MsgBody): requests and responses."""

# The module imports itself because a field may have the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso2.body as m  # noqa: PLW0406
from bench.exi.declare import Record, attribute, element
from bench.exi.values import BOOLEAN, ID, LONG, SHORT, UNSIGNED_SHORT
from bench.v2g.messages.iso2 import datatypes as t
from bench.v2g.messages.iso2 import enums as e

BODY = "urn:iso:15118:2:2013:MsgBody"


class BodyElement(
    Record, ns=BODY, element=True, abstract=True, type_name="BodyBaseType", attributes_qualified=True
):
    """Abstract head of every message of the Body."""


class SessionSetupReq(BodyElement, element=True):
    """Message ``SessionSetupReq``.

    ``EVCCID``: MAC address of the EVCC, at most 6 bytes.
    """

    EVCCID: bytes = element(t.evccIDType)


class SessionSetupRes(BodyElement, element=True):
    """Message ``SessionSetupRes``.

    ``EVSEID``: EVSE id, DIN or ISO form, 7 to 37 characters.
    ``EVSETimeStamp``: s since 1970-01-01 UTC.
    """

    ResponseCode: e.responseCode = element()
    EVSEID: str = element(t.evseIDType)
    EVSETimeStamp: int | None = element(LONG, default=None)


class ServiceDiscoveryReq(BodyElement, element=True):
    """Message ``ServiceDiscoveryReq``.

    ``ServiceScope``: at most 64 characters.
    """

    ServiceScope: str | None = element(t.serviceScopeType, default=None)
    ServiceCategory: e.serviceCategory | None = element(default=None)


class ServiceDiscoveryRes(BodyElement, element=True):
    """Message ``ServiceDiscoveryRes``."""

    ResponseCode: e.responseCode = element()
    PaymentOptionList: t.PaymentOptionList = element()
    ChargeService: t.ChargeService = element()
    ServiceList: t.ServiceList | None = element(default=None)


class ServiceDetailReq(BodyElement, element=True):
    """Message ``ServiceDetailReq``.

    ``ServiceID``: 0 to 65535.
    """

    ServiceID: int = element(t.serviceIDType)


class ServiceDetailRes(BodyElement, element=True):
    """Message ``ServiceDetailRes``.

    ``ServiceID``: 0 to 65535.
    """

    ResponseCode: e.responseCode = element()
    ServiceID: int = element(t.serviceIDType)
    ServiceParameterList: t.ServiceParameterList | None = element(default=None)


class PaymentServiceSelectionReq(BodyElement, element=True):
    """Message ``PaymentServiceSelectionReq``."""

    SelectedPaymentOption: e.paymentOption = element()
    SelectedServiceList: t.SelectedServiceList = element()


class PaymentServiceSelectionRes(BodyElement, element=True):
    """Message ``PaymentServiceSelectionRes``."""

    ResponseCode: e.responseCode = element()


class PaymentDetailsReq(BodyElement, element=True):
    """Message ``PaymentDetailsReq``.

    ``eMAID``: contract id, 14 to 15 characters.
    """

    eMAID: str = element(t.eMAIDType)
    ContractSignatureCertChain: t.CertificateChain = element()


class PaymentDetailsRes(BodyElement, element=True):
    """Message ``PaymentDetailsRes``.

    ``GenChallenge``: nonce of the SECC, exactly 16 bytes.
    ``EVSETimeStamp``: s since 1970-01-01 UTC.
    """

    ResponseCode: e.responseCode = element()
    GenChallenge: bytes = element(t.genChallengeType)
    EVSETimeStamp: int = element(LONG)


class AuthorizationReq(BodyElement, element=True):
    """Message ``AuthorizationReq``.

    ``GenChallenge``: nonce of the SECC, exactly 16 bytes.
    """

    GenChallenge: bytes | None = element(t.genChallengeType, default=None)
    Id: str | None = attribute(ID, default=None)


class AuthorizationRes(BodyElement, element=True):
    """Message ``AuthorizationRes``."""

    ResponseCode: e.responseCode = element()
    EVSEProcessing: e.EVSEProcessing = element()


class ChargeParameterDiscoveryReq(BodyElement, element=True):
    """Message ``ChargeParameterDiscoveryReq``.

    ``MaxEntriesSAScheduleTuple``: entries.
    """

    MaxEntriesSAScheduleTuple: int | None = element(UNSIGNED_SHORT, default=None)
    RequestedEnergyTransferMode: e.EnergyTransferMode = element()
    EVChargeParameter: t.EVChargeParameter = element()


class ChargeParameterDiscoveryRes(BodyElement, element=True):
    """Message ``ChargeParameterDiscoveryRes``."""

    ResponseCode: e.responseCode = element()
    EVSEProcessing: e.EVSEProcessing = element()
    SASchedules: t.SASchedules | None = element(default=None)
    EVSEChargeParameter: t.EVSEChargeParameter = element()


class PowerDeliveryReq(BodyElement, element=True):
    """Message ``PowerDeliveryReq``.

    ``SAScheduleTupleID``: 1 to 255.
    """

    ChargeProgress: e.chargeProgress = element()
    SAScheduleTupleID: int = element(t.SAIDType)
    ChargingProfile: t.ChargingProfile | None = element(default=None)
    EVPowerDeliveryParameter: t.EVPowerDeliveryParameter | None = element(default=None)


class PowerDeliveryRes(BodyElement, element=True):
    """Message ``PowerDeliveryRes``."""

    ResponseCode: e.responseCode = element()
    EVSEStatus: t.EVSEStatus = element()


class MeteringReceiptReq(BodyElement, element=True):
    """Message ``MeteringReceiptReq``.

    ``SessionID``: 8 bytes; all zero asks for a new session, at most 8 bytes.
    ``SAScheduleTupleID``: 1 to 255.
    """

    SessionID: bytes = element(t.sessionIDType)
    SAScheduleTupleID: int | None = element(t.SAIDType, default=None)
    MeterInfo: t.MeterInfo = element()
    Id: str | None = attribute(ID, default=None)


class MeteringReceiptRes(BodyElement, element=True):
    """Message ``MeteringReceiptRes``."""

    ResponseCode: e.responseCode = element()
    EVSEStatus: t.EVSEStatus = element()


class SessionStopReq(BodyElement, element=True):
    """Message ``SessionStopReq``."""

    ChargingSession: e.chargingSession = element()


class SessionStopRes(BodyElement, element=True):
    """Message ``SessionStopRes``."""

    ResponseCode: e.responseCode = element()


class CertificateUpdateReq(BodyElement, element=True):
    """Message ``CertificateUpdateReq``.

    ``eMAID``: contract id, 14 to 15 characters.
    """

    ContractSignatureCertChain: t.CertificateChain = element()
    eMAID: str = element(t.eMAIDType)
    ListOfRootCertificateIDs: t.ListOfRootCertificateIDs = element()
    Id: str = attribute(ID)


class CertificateUpdateRes(BodyElement, element=True):
    """Message ``CertificateUpdateRes``.

    ``eMAID``: contract id.
    ``RetryCounter``: days; -1 no retry.
    """

    ResponseCode: e.responseCode = element()
    SAProvisioningCertificateChain: t.CertificateChain = element()
    ContractSignatureCertChain: t.CertificateChain = element()
    ContractSignatureEncryptedPrivateKey: t.ContractSignatureEncryptedPrivateKey = element()
    DHpublickey: t.DiffieHellmanPublickey = element()
    eMAID: t.EMAID = element()
    RetryCounter: int | None = element(SHORT, default=None)


class CertificateInstallationReq(BodyElement, element=True):
    """Message ``CertificateInstallationReq``.

    ``OEMProvisioningCert``: DER, at most 800 bytes.
    """

    OEMProvisioningCert: bytes = element(t.certificateType)
    ListOfRootCertificateIDs: t.ListOfRootCertificateIDs = element()
    Id: str = attribute(ID)


class CertificateInstallationRes(BodyElement, element=True):
    """Message ``CertificateInstallationRes``.

    ``eMAID``: contract id.
    """

    ResponseCode: e.responseCode = element()
    SAProvisioningCertificateChain: t.CertificateChain = element()
    ContractSignatureCertChain: t.CertificateChain = element()
    ContractSignatureEncryptedPrivateKey: t.ContractSignatureEncryptedPrivateKey = element()
    DHpublickey: t.DiffieHellmanPublickey = element()
    eMAID: t.EMAID = element()


class ChargingStatusReq(BodyElement, element=True):
    """Message ``ChargingStatusReq``."""


class ChargingStatusRes(BodyElement, element=True):
    """Message ``ChargingStatusRes``.

    ``EVSEID``: EVSE id, DIN or ISO form, 7 to 37 characters.
    ``SAScheduleTupleID``: 1 to 255.
    ``EVSEMaxCurrent``: A.
    """

    ResponseCode: e.responseCode = element()
    EVSEID: str = element(t.evseIDType)
    SAScheduleTupleID: int = element(t.SAIDType)
    EVSEMaxCurrent: t.PhysicalValue | None = element(default=None)
    MeterInfo: t.MeterInfo | None = element(default=None)
    ReceiptRequired: bool | None = element(BOOLEAN, default=None)
    AC_EVSEStatus: t.AC_EVSEStatus = element()


class CableCheckReq(BodyElement, element=True):
    """Message ``CableCheckReq``."""

    DC_EVStatus: t.DC_EVStatus = element()


class CableCheckRes(BodyElement, element=True):
    """Message ``CableCheckRes``."""

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEProcessing: e.EVSEProcessing = element()


class PreChargeReq(BodyElement, element=True):
    """Message ``PreChargeReq``.

    ``EVTargetVoltage``: V.
    ``EVTargetCurrent``: A.
    """

    DC_EVStatus: t.DC_EVStatus = element()
    EVTargetVoltage: t.PhysicalValue = element()
    EVTargetCurrent: t.PhysicalValue = element()


class PreChargeRes(BodyElement, element=True):
    """Message ``PreChargeRes``.

    ``EVSEPresentVoltage``: V.
    """

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEPresentVoltage: t.PhysicalValue = element()


class CurrentDemandReq(BodyElement, element=True):
    """Message ``CurrentDemandReq``.

    ``EVTargetCurrent``: A.
    ``EVMaximumVoltageLimit``: V.
    ``EVMaximumCurrentLimit``: A.
    ``EVMaximumPowerLimit``: W.
    ``RemainingTimeToFullSoC``: s.
    ``RemainingTimeToBulkSoC``: s.
    ``EVTargetVoltage``: V.
    """

    DC_EVStatus: t.DC_EVStatus = element()
    EVTargetCurrent: t.PhysicalValue = element()
    EVMaximumVoltageLimit: t.PhysicalValue | None = element(default=None)
    EVMaximumCurrentLimit: t.PhysicalValue | None = element(default=None)
    EVMaximumPowerLimit: t.PhysicalValue | None = element(default=None)
    BulkChargingComplete: bool | None = element(BOOLEAN, default=None)
    ChargingComplete: bool = element(BOOLEAN)
    RemainingTimeToFullSoC: t.PhysicalValue | None = element(default=None)
    RemainingTimeToBulkSoC: t.PhysicalValue | None = element(default=None)
    EVTargetVoltage: t.PhysicalValue = element()


class CurrentDemandRes(BodyElement, element=True):
    """Message ``CurrentDemandRes``.

    ``EVSEPresentVoltage``: V.
    ``EVSEPresentCurrent``: A.
    ``EVSEMaximumVoltageLimit``: V.
    ``EVSEMaximumCurrentLimit``: A.
    ``EVSEMaximumPowerLimit``: W.
    ``EVSEID``: EVSE id, DIN or ISO form, 7 to 37 characters.
    ``SAScheduleTupleID``: 1 to 255.
    """

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEPresentVoltage: t.PhysicalValue = element()
    EVSEPresentCurrent: t.PhysicalValue = element()
    EVSECurrentLimitAchieved: bool = element(BOOLEAN)
    EVSEVoltageLimitAchieved: bool = element(BOOLEAN)
    EVSEPowerLimitAchieved: bool = element(BOOLEAN)
    EVSEMaximumVoltageLimit: t.PhysicalValue | None = element(default=None)
    EVSEMaximumCurrentLimit: t.PhysicalValue | None = element(default=None)
    EVSEMaximumPowerLimit: t.PhysicalValue | None = element(default=None)
    EVSEID: str = element(t.evseIDType)
    SAScheduleTupleID: int = element(t.SAIDType)
    MeterInfo: t.MeterInfo | None = element(default=None)
    ReceiptRequired: bool | None = element(BOOLEAN, default=None)


class WeldingDetectionReq(BodyElement, element=True):
    """Message ``WeldingDetectionReq``."""

    DC_EVStatus: t.DC_EVStatus = element()


class WeldingDetectionRes(BodyElement, element=True):
    """Message ``WeldingDetectionRes``.

    ``EVSEPresentVoltage``: V.
    """

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEPresentVoltage: t.PhysicalValue = element()


class Body(Record, ns=BODY):
    """Type ``BodyType``: at most one message."""

    BodyElement: m.BodyElement | None = element(default=None)

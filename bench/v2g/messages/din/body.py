"""Messages of DIN SPEC 70121 (MsgBody): requests and responses."""

# The module imports itself because a field may have the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.din.body as m  # noqa: PLW0406
from bench.exi.declare import Record, attribute, element
from bench.exi.values import BOOLEAN, IDREF, LONG, SHORT
from bench.v2g.messages.din import datatypes as t
from bench.v2g.messages.din import enums as e

BODY = "urn:din:70121:2012:MsgBody"
MESSAGE = "urn:din:70121:2012:MsgDef"


class BodyElement(Record, ns=MESSAGE, element=True, abstract=True, type_name="BodyBaseType"):
    """Abstract head of every message of the Body."""


class SessionSetupReq(BodyElement, ns=BODY, element=True):
    """Message ``SessionSetupReq``.

    ``EVCCID``: MAC address of the EVCC, at most 8 bytes.
    """

    EVCCID: bytes = element(t.evccIDType)


class SessionSetupRes(BodyElement, ns=BODY, element=True):
    """Message ``SessionSetupRes``.

    ``EVSEID``: identifier of the EVSE, at most 32 bytes.
    ``DateTimeNow``: s since 1970-01-01 UTC.
    """

    ResponseCode: e.responseCode = element()
    EVSEID: bytes = element(t.evseIDType)
    DateTimeNow: int | None = element(LONG, default=None)


class ServiceDiscoveryReq(BodyElement, ns=BODY, element=True):
    """Message ``ServiceDiscoveryReq``.

    ``ServiceScope``: at most 32 characters.
    """

    ServiceScope: str | None = element(t.serviceScopeType, default=None)
    ServiceCategory: e.serviceCategory | None = element(default=None)


class ServiceDiscoveryRes(BodyElement, ns=BODY, element=True):
    """Message ``ServiceDiscoveryRes``."""

    ResponseCode: e.responseCode = element()
    PaymentOptions: t.PaymentOptions = element()
    ChargeService: t.ServiceCharge = element()
    ServiceList: t.ServiceTagList | None = element(default=None)


class ServiceDetailReq(BodyElement, ns=BODY, element=True):
    """Message ``ServiceDetailReq``."""

    ServiceID: int = element(t.serviceIDType)


class ServiceDetailRes(BodyElement, ns=BODY, element=True):
    """Message ``ServiceDetailRes``."""

    ResponseCode: e.responseCode = element()
    ServiceID: int = element(t.serviceIDType)
    ServiceParameterList: t.ServiceParameterList | None = element(default=None)


class ServicePaymentSelectionReq(BodyElement, ns=BODY, element=True):
    """Message ``ServicePaymentSelectionReq``."""

    SelectedPaymentOption: e.paymentOption = element()
    SelectedServiceList: t.SelectedServiceList = element()


class ServicePaymentSelectionRes(BodyElement, ns=BODY, element=True):
    """Message ``ServicePaymentSelectionRes``."""

    ResponseCode: e.responseCode = element()


class PaymentDetailsReq(BodyElement, ns=BODY, element=True):
    """Message ``PaymentDetailsReq``.

    ``ContractID``: contract id, at most 24 characters.
    """

    ContractID: str = element(t.contractIDType)
    ContractSignatureCertChain: t.CertificateChain = element()


class PaymentDetailsRes(BodyElement, ns=BODY, element=True):
    """Message ``PaymentDetailsRes``.

    ``GenChallenge``: nonce of the SECC.
    ``DateTimeNow``: s since 1970-01-01 UTC.
    """

    ResponseCode: e.responseCode = element()
    GenChallenge: str = element(t.genChallengeType)
    DateTimeNow: int = element(LONG)


class ContractAuthenticationReq(BodyElement, ns=BODY, element=True):
    """Message ``ContractAuthenticationReq``.

    ``GenChallenge``: nonce of the SECC.
    """

    GenChallenge: str | None = element(t.genChallengeType, default=None)
    Id: str | None = attribute(IDREF, default=None)


class ContractAuthenticationRes(BodyElement, ns=BODY, element=True):
    """Message ``ContractAuthenticationRes``."""

    ResponseCode: e.responseCode = element()
    EVSEProcessing: e.EVSEProcessing = element()


class ChargeParameterDiscoveryReq(BodyElement, ns=BODY, element=True):
    """Message ``ChargeParameterDiscoveryReq``."""

    EVRequestedEnergyTransferType: e.EVRequestedEnergyTransfer = element()
    EVChargeParameter: t.EVChargeParameter = element()


class ChargeParameterDiscoveryRes(BodyElement, ns=BODY, element=True):
    """Message ``ChargeParameterDiscoveryRes``."""

    ResponseCode: e.responseCode = element()
    EVSEProcessing: e.EVSEProcessing = element()
    SASchedules: t.SASchedules = element()
    EVSEChargeParameter: t.EVSEChargeParameter = element()


class PowerDeliveryReq(BodyElement, ns=BODY, element=True):
    """Message ``PowerDeliveryReq``."""

    ReadyToChargeState: bool = element(BOOLEAN)
    ChargingProfile: t.ChargingProfile | None = element(default=None)
    EVPowerDeliveryParameter: t.EVPowerDeliveryParameter | None = element(default=None)


class PowerDeliveryRes(BodyElement, ns=BODY, element=True):
    """Message ``PowerDeliveryRes``."""

    ResponseCode: e.responseCode = element()
    EVSEStatus: t.EVSEStatus = element()


class ChargingStatusReq(BodyElement, ns=BODY, element=True):
    """Message ``ChargingStatusReq``."""


class ChargingStatusRes(BodyElement, ns=BODY, element=True):
    """Message ``ChargingStatusRes``.

    ``EVSEID``: identifier of the EVSE, at most 32 bytes.
    ``EVSEMaxCurrent``: A.
    """

    ResponseCode: e.responseCode = element()
    EVSEID: bytes = element(t.evseIDType)
    SAScheduleTupleID: int = element(t.SAIDType)
    EVSEMaxCurrent: t.PhysicalValue | None = element(default=None)
    MeterInfo: t.MeterInfo | None = element(default=None)
    ReceiptRequired: bool = element(BOOLEAN)
    AC_EVSEStatus: t.AC_EVSEStatus = element()


class MeteringReceiptReq(BodyElement, ns=BODY, element=True):
    """Message ``MeteringReceiptReq``.

    ``SessionID``: at most 8 bytes.
    """

    SessionID: bytes = element(t.sessionIDType)
    SAScheduleTupleID: int | None = element(t.SAIDType, default=None)
    MeterInfo: t.MeterInfo = element()
    Id: str | None = attribute(IDREF, default=None)


class MeteringReceiptRes(BodyElement, ns=BODY, element=True):
    """Message ``MeteringReceiptRes``."""

    ResponseCode: e.responseCode = element()
    AC_EVSEStatus: t.AC_EVSEStatus = element()


class SessionStopReq(BodyElement, ns=BODY, element=True, type_name="SessionStopType"):
    """Message ``SessionStopReq``."""


class SessionStopRes(BodyElement, ns=BODY, element=True):
    """Message ``SessionStopRes``."""

    ResponseCode: e.responseCode = element()


class CertificateUpdateReq(BodyElement, ns=BODY, element=True):
    """Message ``CertificateUpdateReq``.

    ``ContractID``: contract id, at most 24 characters.
    ``DHParams``: at most 256 bytes.
    """

    ContractSignatureCertChain: t.CertificateChain = element()
    ContractID: str = element(t.contractIDType)
    ListOfRootCertificateIDs: t.ListOfRootCertificateIDs = element()
    DHParams: bytes = element(t.dHParamsType)
    Id: str | None = attribute(IDREF, default=None)


class CertificateUpdateRes(BodyElement, ns=BODY, element=True):
    """Message ``CertificateUpdateRes``.

    ``ContractSignatureEncryptedPrivateKey``: contract key, encrypted, at most 128 bytes.
    ``DHParams``: at most 256 bytes.
    ``ContractID``: contract id, at most 24 characters.
    """

    ResponseCode: e.responseCode = element()
    ContractSignatureCertChain: t.CertificateChain = element()
    ContractSignatureEncryptedPrivateKey: bytes = element(t.privateKeyType)
    DHParams: bytes = element(t.dHParamsType)
    ContractID: str = element(t.contractIDType)
    RetryCounter: int = element(SHORT)
    Id: str = attribute(IDREF)


class CertificateInstallationReq(BodyElement, ns=BODY, element=True):
    """Message ``CertificateInstallationReq``.

    ``OEMProvisioningCert``: DER, at most 1200 bytes.
    ``DHParams``: at most 256 bytes.
    """

    OEMProvisioningCert: bytes = element(t.certificateType)
    ListOfRootCertificateIDs: t.ListOfRootCertificateIDs = element()
    DHParams: bytes = element(t.dHParamsType)
    Id: str | None = attribute(IDREF, default=None)


class CertificateInstallationRes(BodyElement, ns=BODY, element=True):
    """Message ``CertificateInstallationRes``.

    ``ContractSignatureEncryptedPrivateKey``: contract key, encrypted, at most 128 bytes.
    ``DHParams``: at most 256 bytes.
    ``ContractID``: contract id, at most 24 characters.
    """

    ResponseCode: e.responseCode = element()
    ContractSignatureCertChain: t.CertificateChain = element()
    ContractSignatureEncryptedPrivateKey: bytes = element(t.privateKeyType)
    DHParams: bytes = element(t.dHParamsType)
    ContractID: str = element(t.contractIDType)
    Id: str = attribute(IDREF)


class CableCheckReq(BodyElement, ns=BODY, element=True):
    """Message ``CableCheckReq``."""

    DC_EVStatus: t.DC_EVStatus = element()


class CableCheckRes(BodyElement, ns=BODY, element=True):
    """Message ``CableCheckRes``."""

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEProcessing: e.EVSEProcessing = element()


class PreChargeReq(BodyElement, ns=BODY, element=True):
    """Message ``PreChargeReq``.

    ``EVTargetVoltage``: V.
    ``EVTargetCurrent``: A.
    """

    DC_EVStatus: t.DC_EVStatus = element()
    EVTargetVoltage: t.PhysicalValue = element()
    EVTargetCurrent: t.PhysicalValue = element()


class PreChargeRes(BodyElement, ns=BODY, element=True):
    """Message ``PreChargeRes``.

    ``EVSEPresentVoltage``: V.
    """

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEPresentVoltage: t.PhysicalValue = element()


class CurrentDemandReq(BodyElement, ns=BODY, element=True):
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


class CurrentDemandRes(BodyElement, ns=BODY, element=True):
    """Message ``CurrentDemandRes``.

    ``EVSEPresentVoltage``: V.
    ``EVSEPresentCurrent``: A.
    ``EVSEMaximumVoltageLimit``: V.
    ``EVSEMaximumCurrentLimit``: A.
    ``EVSEMaximumPowerLimit``: W.
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


class WeldingDetectionReq(BodyElement, ns=BODY, element=True):
    """Message ``WeldingDetectionReq``."""

    DC_EVStatus: t.DC_EVStatus = element()


class WeldingDetectionRes(BodyElement, ns=BODY, element=True):
    """Message ``WeldingDetectionRes``.

    ``EVSEPresentVoltage``: V.
    """

    ResponseCode: e.responseCode = element()
    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEPresentVoltage: t.PhysicalValue = element()


class Body(Record, ns=MESSAGE):
    """The body: one message, or nothing."""

    BodyElement: m.BodyElement | None = element(default=None)

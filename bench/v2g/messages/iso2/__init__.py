"""ISO 15118-2:2014 message set (``iso2``). One class a complex type; see bench.exi.declare for the notation."""

from bench.exi.declare import MessageSet, Record, element
from bench.v2g.messages import xmldsig
from bench.v2g.messages.iso2 import body, datatypes
from bench.v2g.messages.iso2.body import (
    AuthorizationReq as AuthorizationReq,
    AuthorizationRes as AuthorizationRes,
    Body as Body,
    BodyElement as BodyElement,
    CableCheckReq as CableCheckReq,
    CableCheckRes as CableCheckRes,
    CertificateInstallationReq as CertificateInstallationReq,
    CertificateInstallationRes as CertificateInstallationRes,
    CertificateUpdateReq as CertificateUpdateReq,
    CertificateUpdateRes as CertificateUpdateRes,
    ChargeParameterDiscoveryReq as ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes as ChargeParameterDiscoveryRes,
    ChargingStatusReq as ChargingStatusReq,
    ChargingStatusRes as ChargingStatusRes,
    CurrentDemandReq as CurrentDemandReq,
    CurrentDemandRes as CurrentDemandRes,
    MeteringReceiptReq as MeteringReceiptReq,
    MeteringReceiptRes as MeteringReceiptRes,
    PaymentDetailsReq as PaymentDetailsReq,
    PaymentDetailsRes as PaymentDetailsRes,
    PaymentServiceSelectionReq as PaymentServiceSelectionReq,
    PaymentServiceSelectionRes as PaymentServiceSelectionRes,
    PowerDeliveryReq as PowerDeliveryReq,
    PowerDeliveryRes as PowerDeliveryRes,
    PreChargeReq as PreChargeReq,
    PreChargeRes as PreChargeRes,
    ServiceDetailReq as ServiceDetailReq,
    ServiceDetailRes as ServiceDetailRes,
    ServiceDiscoveryReq as ServiceDiscoveryReq,
    ServiceDiscoveryRes as ServiceDiscoveryRes,
    SessionSetupReq as SessionSetupReq,
    SessionSetupRes as SessionSetupRes,
    SessionStopReq as SessionStopReq,
    SessionStopRes as SessionStopRes,
    WeldingDetectionReq as WeldingDetectionReq,
    WeldingDetectionRes as WeldingDetectionRes,
)
from bench.v2g.messages.iso2.datatypes import (
    AC_EVChargeParameter as AC_EVChargeParameter,
    AC_EVSEChargeParameter as AC_EVSEChargeParameter,
    AC_EVSEStatus as AC_EVSEStatus,
    CertificateChain as CertificateChain,
    ChargeService as ChargeService,
    ChargingProfile as ChargingProfile,
    ConsumptionCost as ConsumptionCost,
    ContractSignatureEncryptedPrivateKey as ContractSignatureEncryptedPrivateKey,
    Cost as Cost,
    DC_EVChargeParameter as DC_EVChargeParameter,
    DC_EVPowerDeliveryParameter as DC_EVPowerDeliveryParameter,
    DC_EVSEChargeParameter as DC_EVSEChargeParameter,
    DC_EVSEStatus as DC_EVSEStatus,
    DC_EVStatus as DC_EVStatus,
    DiffieHellmanPublickey as DiffieHellmanPublickey,
    EMAID as EMAID,
    EVChargeParameter as EVChargeParameter,
    EVPowerDeliveryParameter as EVPowerDeliveryParameter,
    EVSEChargeParameter as EVSEChargeParameter,
    EVSEStatus as EVSEStatus,
    EVStatus as EVStatus,
    Entry as Entry,
    ListOfRootCertificateIDs as ListOfRootCertificateIDs,
    MeterInfo as MeterInfo,
    Notification as Notification,
    PMaxSchedule as PMaxSchedule,
    PMaxScheduleEntry as PMaxScheduleEntry,
    Parameter as Parameter,
    ParameterSet as ParameterSet,
    PaymentOptionList as PaymentOptionList,
    PhysicalValue as PhysicalValue,
    ProfileEntry as ProfileEntry,
    RelativeTimeInterval as RelativeTimeInterval,
    SAScheduleList as SAScheduleList,
    SAScheduleTuple as SAScheduleTuple,
    SASchedules as SASchedules,
    SalesTariff as SalesTariff,
    SalesTariffEntry as SalesTariffEntry,
    SelectedService as SelectedService,
    SelectedServiceList as SelectedServiceList,
    Service as Service,
    ServiceList as ServiceList,
    ServiceParameterList as ServiceParameterList,
    SubCertificates as SubCertificates,
    SupportedEnergyTransferMode as SupportedEnergyTransferMode,
    TimeInterval as TimeInterval,
)
from bench.v2g.messages.iso2.enums import (
    DC_EVErrorCode as DC_EVErrorCode,
    DC_EVSEStatusCode as DC_EVSEStatusCode,
    EVSENotification as EVSENotification,
    EVSEProcessing as EVSEProcessing,
    EnergyTransferMode as EnergyTransferMode,
    chargeProgress as chargeProgress,
    chargingSession as chargingSession,
    costKind as costKind,
    faultCode as faultCode,
    isolationLevel as isolationLevel,
    paymentOption as paymentOption,
    responseCode as responseCode,
    serviceCategory as serviceCategory,
    unitSymbol as unitSymbol,
    value as value,
)

HEADER = "urn:iso:15118:2:2013:MsgHeader"
MESSAGE = "urn:iso:15118:2:2013:MsgDef"


class MessageHeader(Record, ns=HEADER):
    """Type ``MessageHeaderType``.

    ``SessionID``: at most 8 bytes; all zero asks for a new session.
    """

    SessionID: bytes = element(datatypes.sessionIDType)
    Notification: datatypes.Notification | None = element(default=None)
    Signature: xmldsig.Signature | None = element(default=None, ref=True)


class V2G_Message(Record, ns=MESSAGE, element=True, type_name=""):
    """The document element: header and body."""

    Header: MessageHeader = element()
    Body: body.Body = element()


SET = MessageSet(
    "iso2",
    namespaces={
        "ns4": xmldsig.XMLDSIG,
        "ns5": body.BODY,
        "ns6": datatypes.DATATYPES,
        "ns7": MESSAGE,
        "ns8": HEADER,
    },
    modules=(body, datatypes),
    classes=(V2G_Message, MessageHeader),
    includes=(xmldsig.SET,),
)

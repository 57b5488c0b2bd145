"""Types of ISO 15118-20 that every message set shares (V2G_CI_CommonTypes)."""

# ruff: noqa: N816  # simple types carry the names of the schema

from enum import StrEnum

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.commontypes as t  # noqa: PLW0406
from bench.exi.declare import MessageSet, Record, element
from bench.exi.values import (
    BOOLEAN,
    BYTE,
    SHORT,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    UNSIGNED_SHORT,
    Binary,
    Integer,
    String,
)
from bench.v2g.messages import xmldsig

COMMON_TYPES = "urn:iso:std:iso:15118:-20:CommonTypes"

numericIDType = Integer("numericIDType", 1, 4294967295)
sessionIDType = Binary("sessionIDType", hexadecimal=True, min_length=8, max_length=8)
percentValueType = Integer("percentValueType", 0, 100)
identifierType = String("identifierType", max_length=255)
nameType = String("nameType", max_length=80)
descriptionType = String("descriptionType", max_length=160)
meterIDType = String("meterIDType", max_length=32)
meterSignatureType = Binary("meterSignatureType", max_length=64)


class evseNotification(StrEnum):
    """evseNotificationType: members in schema order, which is the order of their codes."""

    Pause = "Pause"
    ExitStandby = "ExitStandby"
    Terminate = "Terminate"
    ScheduleRenegotiation = "ScheduleRenegotiation"
    ServiceRenegotiation = "ServiceRenegotiation"
    MeteringConfirmation = "MeteringConfirmation"


class processing(StrEnum):
    """processingType: members in schema order, which is the order of their codes."""

    Finished = "Finished"
    Ongoing = "Ongoing"
    Ongoing_WaitingForCustomerInteraction = "Ongoing_WaitingForCustomerInteraction"


class responseCode(StrEnum):
    """responseCodeType: members in schema order, which is the order of their codes."""

    OK = "OK"
    OK_CertificateExpiresSoon = "OK_CertificateExpiresSoon"
    OK_NewSessionEstablished = "OK_NewSessionEstablished"
    OK_OldSessionJoined = "OK_OldSessionJoined"
    OK_PowerToleranceConfirmed = "OK_PowerToleranceConfirmed"
    WARNING_AuthorizationSelectionInvalid = "WARNING_AuthorizationSelectionInvalid"
    WARNING_CertificateExpired = "WARNING_CertificateExpired"
    WARNING_CertificateNotYetValid = "WARNING_CertificateNotYetValid"
    WARNING_CertificateRevoked = "WARNING_CertificateRevoked"
    WARNING_CertificateValidationError = "WARNING_CertificateValidationError"
    WARNING_ChallengeInvalid = "WARNING_ChallengeInvalid"
    WARNING_EIMAuthorizationFailure = "WARNING_EIMAuthorizationFailure"
    WARNING_eMSPUnknown = "WARNING_eMSPUnknown"
    WARNING_EVPowerProfileViolation = "WARNING_EVPowerProfileViolation"
    WARNING_GeneralPnCAuthorizationError = "WARNING_GeneralPnCAuthorizationError"
    WARNING_NoCertificateAvailable = "WARNING_NoCertificateAvailable"
    WARNING_NoContractMatchingPCIDFound = "WARNING_NoContractMatchingPCIDFound"
    WARNING_PowerToleranceNotConfirmed = "WARNING_PowerToleranceNotConfirmed"
    WARNING_ScheduleRenegotiationFailed = "WARNING_ScheduleRenegotiationFailed"
    WARNING_StandbyNotAllowed = "WARNING_StandbyNotAllowed"
    WARNING_WPT = "WARNING_WPT"
    FAILED = "FAILED"
    FAILED_AssociationError = "FAILED_AssociationError"
    FAILED_ContactorError = "FAILED_ContactorError"
    FAILED_EVPowerProfileInvalid = "FAILED_EVPowerProfileInvalid"
    FAILED_EVPowerProfileViolation = "FAILED_EVPowerProfileViolation"
    FAILED_MeteringSignatureNotValid = "FAILED_MeteringSignatureNotValid"
    FAILED_NoEnergyTransferServiceSelected = "FAILED_NoEnergyTransferServiceSelected"
    FAILED_NoServiceRenegotiationSupported = "FAILED_NoServiceRenegotiationSupported"
    FAILED_PauseNotAllowed = "FAILED_PauseNotAllowed"
    FAILED_PowerDeliveryNotApplied = "FAILED_PowerDeliveryNotApplied"
    FAILED_PowerToleranceNotConfirmed = "FAILED_PowerToleranceNotConfirmed"
    FAILED_ScheduleRenegotiation = "FAILED_ScheduleRenegotiation"
    FAILED_ScheduleSelectionInvalid = "FAILED_ScheduleSelectionInvalid"
    FAILED_SequenceError = "FAILED_SequenceError"
    FAILED_ServiceIDInvalid = "FAILED_ServiceIDInvalid"
    FAILED_ServiceSelectionInvalid = "FAILED_ServiceSelectionInvalid"
    FAILED_SignatureError = "FAILED_SignatureError"
    FAILED_UnknownSession = "FAILED_UnknownSession"
    FAILED_WrongChargeParameter = "FAILED_WrongChargeParameter"


class MessageHeader(Record, ns=COMMON_TYPES):
    """Type ``MessageHeaderType``.

    ``SessionID``: all zero asks for a new session, exactly 8 bytes.
    ``TimeStamp``: s since 1970-01-01 UTC.
    """

    SessionID: bytes = element(t.sessionIDType)
    TimeStamp: int = element(UNSIGNED_LONG)
    Signature: xmldsig.Signature | None = element(ref=True, default=None)


class V2GMessage(Record, ns=COMMON_TYPES, abstract=True):
    """Type ``V2GMessageType``."""

    Header: t.MessageHeader = element()


class V2GRequest(V2GMessage, abstract=True):
    """Type ``V2GRequestType``."""


class V2GResponse(V2GMessage, abstract=True):
    """Type ``V2GResponseType``."""

    ResponseCode: t.responseCode = element()


class ChargeParameterDiscoveryReq(V2GRequest, abstract=True):
    """Type ``ChargeParameterDiscoveryReqType``."""


class ChargeParameterDiscoveryRes(V2GResponse, abstract=True):
    """Type ``ChargeParameterDiscoveryResType``."""


class RationalNumber(Record, ns=COMMON_TYPES):
    """Type ``RationalNumberType``.

    ``Exponent``: power of ten; ISO 15118-20 uses -3 to 3.
    """

    Exponent: int = element(BYTE)
    Value: int = element(SHORT)

    @property
    def value(self) -> float:
        """The quantity: Value * 10**Exponent."""
        if self.Exponent >= 0:
            return float(self.Value * 10**self.Exponent)
        return float(self.Value / 10**-self.Exponent)

    @classmethod
    def of(cls, value: float) -> "RationalNumber":
        """The number ``value``, as exactly as 16 bits and an exponent of -3 to 3 allow.

        The exponent is the one nearest zero that loses nothing, else the smallest that fits. Raises
        ValueError when the value does not fit at all (beyond 32767 * 10**3).
        """
        fits = [n for n in range(-3, 4) if SHORT.problem(round(value / 10.0**n)) is None]
        if not fits:
            raise ValueError(f"{value} does not fit a RationalNumber")
        close = 1e-9 * max(1.0, abs(value))
        exact = [n for n in fits if abs(round(value / 10.0**n) * 10.0**n - value) <= close]
        exponent = min(exact, key=lambda n: (abs(n), n)) if exact else fits[0]
        return cls(Exponent=exponent, Value=round(value / 10.0**exponent))


class DisplayParameters(Record, ns=COMMON_TYPES):
    """Type ``DisplayParametersType``.

    ``PresentSOC``: % state of charge, 0 to 100.
    ``MinimumSOC``: % state of charge, 0 to 100.
    ``TargetSOC``: % state of charge, 0 to 100.
    ``MaximumSOC``: % state of charge, 0 to 100.
    ``RemainingTimeToMinimumSOC``: s.
    ``RemainingTimeToTargetSOC``: s.
    ``RemainingTimeToMaximumSOC``: s.
    ``BatteryEnergyCapacity``: Wh.
    """

    PresentSOC: int | None = element(t.percentValueType, default=None)
    MinimumSOC: int | None = element(t.percentValueType, default=None)
    TargetSOC: int | None = element(t.percentValueType, default=None)
    MaximumSOC: int | None = element(t.percentValueType, default=None)
    RemainingTimeToMinimumSOC: int | None = element(UNSIGNED_INT, default=None)
    RemainingTimeToTargetSOC: int | None = element(UNSIGNED_INT, default=None)
    RemainingTimeToMaximumSOC: int | None = element(UNSIGNED_INT, default=None)
    ChargingComplete: bool | None = element(BOOLEAN, default=None)
    BatteryEnergyCapacity: t.RationalNumber | None = element(default=None)
    InletHot: bool | None = element(BOOLEAN, default=None)


class ChargeLoopReq(V2GRequest, abstract=True):
    """Type ``ChargeLoopReqType``."""

    DisplayParameters: t.DisplayParameters | None = element(default=None)
    MeterInfoRequested: bool = element(BOOLEAN)


class EVSEStatus(Record, ns=COMMON_TYPES):
    """Type ``EVSEStatusType``.

    ``NotificationMaxDelay``: s until the EV must have reacted.
    """

    NotificationMaxDelay: int = element(UNSIGNED_SHORT)
    EVSENotification: t.evseNotification = element()


class MeterInfo(Record, ns=COMMON_TYPES):
    """Type ``MeterInfoType``.

    ``MeterID``: at most 32 characters.
    ``ChargedEnergyReadingWh``: Wh.
    ``BPT_DischargedEnergyReadingWh``: Wh.
    ``CapacitiveEnergyReadingVARh``: varh.
    ``BPT_InductiveEnergyReadingVARh``: varh.
    ``MeterSignature``: signature of the meter, at most 64 bytes.
    ``MeterTimestamp``: s since 1970-01-01 UTC.
    """

    MeterID: str = element(t.meterIDType)
    ChargedEnergyReadingWh: int = element(UNSIGNED_LONG)
    BPT_DischargedEnergyReadingWh: int | None = element(UNSIGNED_LONG, default=None)
    CapacitiveEnergyReadingVARh: int | None = element(UNSIGNED_LONG, default=None)
    BPT_InductiveEnergyReadingVARh: int | None = element(UNSIGNED_LONG, default=None)
    MeterSignature: bytes | None = element(t.meterSignatureType, default=None)
    MeterStatus: int | None = element(SHORT, default=None)
    MeterTimestamp: int | None = element(UNSIGNED_LONG, default=None)


class DetailedCost(Record, ns=COMMON_TYPES):
    """Type ``DetailedCostType``.

    ``Amount``: in the currency of the schedule.
    ``CostPerUnit``: in the currency of the schedule.
    """

    Amount: t.RationalNumber = element()
    CostPerUnit: t.RationalNumber = element()


class DetailedTax(Record, ns=COMMON_TYPES):
    """Type ``DetailedTaxType``.

    ``TaxRuleID``: 1 to 4294967295.
    ``Amount``: in the currency of the schedule.
    """

    TaxRuleID: int = element(t.numericIDType)
    Amount: t.RationalNumber = element()


class Receipt(Record, ns=COMMON_TYPES):
    """Type ``ReceiptType``.

    ``TimeAnchor``: s since 1970-01-01 UTC.
    ``TaxCosts``: 0 to 10 of them.
    """

    TimeAnchor: int = element(UNSIGNED_LONG)
    EnergyCosts: t.DetailedCost | None = element(default=None)
    OccupancyCosts: t.DetailedCost | None = element(default=None)
    AdditionalServicesCosts: t.DetailedCost | None = element(default=None)
    OverstayCosts: t.DetailedCost | None = element(default=None)
    TaxCosts: list[t.DetailedTax] = element(max=10, default_factory=list)


class ChargeLoopRes(V2GResponse, abstract=True):
    """Type ``ChargeLoopResType``."""

    EVSEStatus: t.EVSEStatus | None = element(default=None)
    MeterInfo: t.MeterInfo | None = element(default=None)
    Receipt: t.Receipt | None = element(default=None)


class CLReqControlMode(Record, ns=COMMON_TYPES, element=True, abstract=True):
    """Element and type ``CLReqControlMode``."""


class CLResControlMode(Record, ns=COMMON_TYPES, element=True, abstract=True):
    """Element and type ``CLResControlMode``."""


class Scheduled_CLReqControlMode(CLReqControlMode, abstract=True):
    """Type ``Scheduled_CLReqControlModeType``.

    ``EVTargetEnergyRequest``: Wh.
    ``EVMaximumEnergyRequest``: Wh.
    ``EVMinimumEnergyRequest``: Wh.
    """

    EVTargetEnergyRequest: t.RationalNumber | None = element(default=None)
    EVMaximumEnergyRequest: t.RationalNumber | None = element(default=None)
    EVMinimumEnergyRequest: t.RationalNumber | None = element(default=None)


class Scheduled_CLResControlMode(CLResControlMode, abstract=True):
    """Type ``Scheduled_CLResControlModeType``."""


class Dynamic_CLReqControlMode(CLReqControlMode, abstract=True):
    """Type ``Dynamic_CLReqControlModeType``.

    ``DepartureTime``: s from now.
    ``EVTargetEnergyRequest``: Wh.
    ``EVMaximumEnergyRequest``: Wh.
    ``EVMinimumEnergyRequest``: Wh.
    """

    DepartureTime: int | None = element(UNSIGNED_INT, default=None)
    EVTargetEnergyRequest: t.RationalNumber = element()
    EVMaximumEnergyRequest: t.RationalNumber = element()
    EVMinimumEnergyRequest: t.RationalNumber = element()


class Dynamic_CLResControlMode(CLResControlMode, abstract=True):
    """Type ``Dynamic_CLResControlModeType``.

    ``DepartureTime``: s from now.
    ``MinimumSOC``: % state of charge, 0 to 100.
    ``TargetSOC``: % state of charge, 0 to 100.
    ``AckMaxDelay``: s until the EV must have answered.
    """

    DepartureTime: int | None = element(UNSIGNED_INT, default=None)
    MinimumSOC: int | None = element(t.percentValueType, default=None)
    TargetSOC: int | None = element(t.percentValueType, default=None)
    AckMaxDelay: int | None = element(UNSIGNED_SHORT, default=None)


class ListOfRootCertificateIDs(Record, ns=COMMON_TYPES):
    """Type ``ListOfRootCertificateIDsType``.

    ``RootCertificateID``: 1 to 20 of them.
    """

    RootCertificateID: list[xmldsig.X509IssuerSerial] = element(max=20)


SET = MessageSet(
    "iso20-types",
    namespaces={"ns4": xmldsig.XMLDSIG, "ns5": COMMON_TYPES},
    modules=(t,),
    includes=(xmldsig.SET,),
)

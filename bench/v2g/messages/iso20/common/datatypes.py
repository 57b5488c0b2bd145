"""What the common messages of ISO 15118-20 are made of."""

# ruff: noqa: N816  # simple types carry the names of the schema

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.common.datatypes as t  # noqa: PLW0406
from bench.exi.declare import Record, attribute, element
from bench.exi.values import (
    BOOLEAN,
    BYTE,
    ID,
    INT,
    SHORT,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    UNSIGNED_SHORT,
    Binary,
    Integer,
    String,
)
from bench.v2g.messages.iso20 import commontypes as c
from bench.v2g.messages.iso20.common import enums as e

COMMON_MESSAGES = "urn:iso:std:iso:15118:-20:CommonMessages"

genChallengeType = Binary("genChallengeType", min_length=16, max_length=16)
serviceIDType = Integer("serviceIDType", 0, 65535)
maxSupportingPointsScheduleTupleType = Integer("maxSupportingPointsScheduleTupleType", 12, 1024)
dhPublicKeyType = Binary("dhPublicKeyType", min_length=133, max_length=133)
secp521_EncryptedPrivateKeyType = Binary("secp521_EncryptedPrivateKeyType", min_length=94, max_length=94)
x448_EncryptedPrivateKeyType = Binary("x448_EncryptedPrivateKeyType", min_length=84, max_length=84)
tpm_EncryptedPrivateKeyType = Binary("tpm_EncryptedPrivateKeyType", min_length=206, max_length=206)
currencyType = String("currencyType", max_length=3)
languageType = String("languageType", max_length=3)
certificateType = Binary("certificateType", max_length=1600)


class EIM_ASResAuthorizationMode(Record, ns=COMMON_MESSAGES):
    """Type ``EIM_ASResAuthorizationModeType``."""


class SupportedProvidersList(Record, ns=COMMON_MESSAGES):
    """Type ``SupportedProvidersListType``.

    ``ProviderID``: eMSP, at most 80 characters, 1 to 128 of them.
    """

    ProviderID: list[str] = element(c.nameType, max=128)


class PnC_ASResAuthorizationMode(Record, ns=COMMON_MESSAGES):
    """Type ``PnC_ASResAuthorizationModeType``.

    ``GenChallenge``: nonce of the SECC, exactly 16 bytes.
    """

    GenChallenge: bytes = element(t.genChallengeType)
    SupportedProviders: t.SupportedProvidersList | None = element(default=None)


class EIM_AReqAuthorizationMode(Record, ns=COMMON_MESSAGES):
    """Type ``EIM_AReqAuthorizationModeType``."""


class SubCertificates(Record, ns=COMMON_MESSAGES):
    """Type ``SubCertificatesType``.

    ``Certificate``: DER, at most 1600 bytes, 1 to 3 of them.
    """

    Certificate: list[bytes] = element(t.certificateType, max=3)


class ContractCertificateChain(Record, ns=COMMON_MESSAGES):
    """Type ``ContractCertificateChainType``.

    ``Certificate``: DER, at most 1600 bytes.
    """

    Certificate: bytes = element(t.certificateType)
    SubCertificates: t.SubCertificates = element()


class PnC_AReqAuthorizationMode(Record, ns=COMMON_MESSAGES, attributes_qualified=True):
    """Type ``PnC_AReqAuthorizationModeType``.

    ``GenChallenge``: nonce of the SECC, exactly 16 bytes.
    """

    GenChallenge: bytes = element(t.genChallengeType)
    ContractCertificateChain: t.ContractCertificateChain = element()
    Id: str = attribute(ID)


class ServiceIDList(Record, ns=COMMON_MESSAGES):
    """Type ``ServiceIDListType``.

    ``ServiceID``: 1 to 16 of them.
    """

    ServiceID: list[int] = element(t.serviceIDType, max=16)


class Service(Record, ns=COMMON_MESSAGES):
    """Type ``ServiceType``."""

    ServiceID: int = element(t.serviceIDType)
    FreeService: bool = element(BOOLEAN)


class ServiceList(Record, ns=COMMON_MESSAGES):
    """Type ``ServiceListType``.

    ``Service``: 1 to 8 of them.
    """

    Service: list[t.Service] = element(max=8)


class Parameter(Record, ns=COMMON_MESSAGES, attributes_qualified=True):
    """Type ``ParameterType``.

    ``finiteString``: at most 80 characters.
    ``Name``: at most 80 characters.
    """

    boolValue: bool | None = element(BOOLEAN, default=None, one_of="value")
    byteValue: int | None = element(BYTE, default=None, one_of="value")
    shortValue: int | None = element(SHORT, default=None, one_of="value")
    intValue: int | None = element(INT, default=None, one_of="value")
    rationalNumber: c.RationalNumber | None = element(default=None, one_of="value")
    finiteString: str | None = element(c.nameType, default=None, one_of="value")
    Name: str = attribute(c.nameType)


class ParameterSet(Record, ns=COMMON_MESSAGES):
    """Type ``ParameterSetType``.

    ``Parameter``: 1 to 32 of them.
    """

    ParameterSetID: int = element(t.serviceIDType)
    Parameter: list[t.Parameter] = element(max=32)


class ServiceParameterList(Record, ns=COMMON_MESSAGES):
    """Type ``ServiceParameterListType``.

    ``ParameterSet``: 1 to 32 of them.
    """

    ParameterSet: list[t.ParameterSet] = element(max=32)


class SelectedService(Record, ns=COMMON_MESSAGES):
    """Type ``SelectedServiceType``."""

    ServiceID: int = element(t.serviceIDType)
    ParameterSetID: int = element(t.serviceIDType)


class SelectedServiceList(Record, ns=COMMON_MESSAGES):
    """Type ``SelectedServiceListType``.

    ``SelectedService``: 1 to 16 of them.
    """

    SelectedService: list[t.SelectedService] = element(max=16)


class Dynamic_SEReqControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Dynamic_SEReqControlModeType``.

    ``DepartureTime``: s from now.
    ``MinimumSOC``: % state of charge, 0 to 100.
    ``TargetSOC``: % state of charge, 0 to 100.
    ``EVTargetEnergyRequest``: Wh.
    ``EVMaximumEnergyRequest``: Wh.
    ``EVMinimumEnergyRequest``: Wh.
    ``EVMaximumV2XEnergyRequest``: Wh.
    ``EVMinimumV2XEnergyRequest``: Wh.
    """

    DepartureTime: int = element(UNSIGNED_INT)
    MinimumSOC: int | None = element(c.percentValueType, default=None)
    TargetSOC: int | None = element(c.percentValueType, default=None)
    EVTargetEnergyRequest: c.RationalNumber = element()
    EVMaximumEnergyRequest: c.RationalNumber = element()
    EVMinimumEnergyRequest: c.RationalNumber = element()
    EVMaximumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMinimumV2XEnergyRequest: c.RationalNumber | None = element(default=None)


class EVPowerScheduleEntry(Record, ns=COMMON_MESSAGES):
    """Type ``EVPowerScheduleEntryType``.

    ``Duration``: s.
    ``Power``: W.
    """

    Duration: int = element(UNSIGNED_INT)
    Power: c.RationalNumber = element()


class EVPowerScheduleEntryList(Record, ns=COMMON_MESSAGES):
    """Type ``EVPowerScheduleEntryListType``.

    ``EVPowerScheduleEntry``: 1 to 1024 of them.
    """

    EVPowerScheduleEntry: list[t.EVPowerScheduleEntry] = element(max=1024)


class EVPowerSchedule(Record, ns=COMMON_MESSAGES):
    """Type ``EVPowerScheduleType``.

    ``TimeAnchor``: s since 1970-01-01 UTC.
    """

    TimeAnchor: int = element(UNSIGNED_LONG)
    EVPowerScheduleEntries: t.EVPowerScheduleEntryList = element()


class EVPriceRule(Record, ns=COMMON_MESSAGES):
    """Type ``EVPriceRuleType``.

    ``EnergyFee``: in the currency of the schedule.
    ``PowerRangeStart``: W.
    """

    EnergyFee: c.RationalNumber = element()
    PowerRangeStart: c.RationalNumber = element()


class EVPriceRuleStack(Record, ns=COMMON_MESSAGES):
    """Type ``EVPriceRuleStackType``.

    ``Duration``: s.
    ``EVPriceRule``: 1 to 8 of them.
    """

    Duration: int = element(UNSIGNED_INT)
    EVPriceRule: list[t.EVPriceRule] = element(max=8)


class EVPriceRuleStackList(Record, ns=COMMON_MESSAGES):
    """Type ``EVPriceRuleStackListType``.

    ``EVPriceRuleStack``: 1 to 1024 of them.
    """

    EVPriceRuleStack: list[t.EVPriceRuleStack] = element(max=1024)


class EVAbsolutePriceSchedule(Record, ns=COMMON_MESSAGES):
    """Type ``EVAbsolutePriceScheduleType``.

    ``TimeAnchor``: s since 1970-01-01 UTC.
    ``Currency``: ISO 4217 code, at most 3 characters.
    ``PriceAlgorithm``: at most 255 characters.
    """

    TimeAnchor: int = element(UNSIGNED_LONG)
    Currency: str = element(t.currencyType)
    PriceAlgorithm: str = element(c.identifierType)
    EVPriceRuleStacks: t.EVPriceRuleStackList = element()


class EVEnergyOffer(Record, ns=COMMON_MESSAGES):
    """Type ``EVEnergyOfferType``."""

    EVPowerSchedule: t.EVPowerSchedule = element()
    EVAbsolutePriceSchedule: t.EVAbsolutePriceSchedule = element()


class Scheduled_SEReqControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Scheduled_SEReqControlModeType``.

    ``DepartureTime``: s from now.
    ``EVTargetEnergyRequest``: Wh.
    ``EVMaximumEnergyRequest``: Wh.
    ``EVMinimumEnergyRequest``: Wh.
    """

    DepartureTime: int | None = element(UNSIGNED_INT, default=None)
    EVTargetEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMaximumEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMinimumEnergyRequest: c.RationalNumber | None = element(default=None)
    EVEnergyOffer: t.EVEnergyOffer | None = element(default=None)


class PriceSchedule(Record, ns=COMMON_MESSAGES, abstract=True):
    """Type ``PriceScheduleType``.

    ``TimeAnchor``: s since 1970-01-01 UTC.
    ``PriceScheduleID``: 1 to 4294967295.
    ``PriceScheduleDescription``: at most 160 characters.
    """

    TimeAnchor: int = element(UNSIGNED_LONG)
    PriceScheduleID: int = element(c.numericIDType)
    PriceScheduleDescription: str | None = element(c.descriptionType, default=None)


class TaxRule(Record, ns=COMMON_MESSAGES):
    """Type ``TaxRuleType``.

    ``TaxRuleID``: 1 to 4294967295.
    ``TaxRuleName``: at most 80 characters.
    ``TaxRate``: %.
    """

    TaxRuleID: int = element(c.numericIDType)
    TaxRuleName: str | None = element(c.nameType, default=None)
    TaxRate: c.RationalNumber = element()
    TaxIncludedInPrice: bool | None = element(BOOLEAN, default=None)
    AppliesToEnergyFee: bool = element(BOOLEAN)
    AppliesToParkingFee: bool = element(BOOLEAN)
    AppliesToOverstayFee: bool = element(BOOLEAN)
    AppliesMinimumMaximumCost: bool = element(BOOLEAN)


class TaxRuleList(Record, ns=COMMON_MESSAGES):
    """Type ``TaxRuleListType``.

    ``TaxRule``: 1 to 10 of them.
    """

    TaxRule: list[t.TaxRule] = element(max=10)


class PriceRule(Record, ns=COMMON_MESSAGES):
    """Type ``PriceRuleType``.

    ``EnergyFee``: in the currency of the schedule.
    ``ParkingFee``: in the currency of the schedule.
    ``ParkingFeePeriod``: s.
    ``CarbonDioxideEmission``: g per kWh.
    ``RenewableGenerationPercentage``: %.
    ``PowerRangeStart``: W.
    """

    EnergyFee: c.RationalNumber = element()
    ParkingFee: c.RationalNumber | None = element(default=None)
    ParkingFeePeriod: int | None = element(UNSIGNED_INT, default=None)
    CarbonDioxideEmission: int | None = element(UNSIGNED_SHORT, default=None)
    RenewableGenerationPercentage: int | None = element(UNSIGNED_BYTE, default=None)
    PowerRangeStart: c.RationalNumber = element()


class PriceRuleStack(Record, ns=COMMON_MESSAGES):
    """Type ``PriceRuleStackType``.

    ``Duration``: s.
    ``PriceRule``: 1 to 8 of them.
    """

    Duration: int = element(UNSIGNED_INT)
    PriceRule: list[t.PriceRule] = element(max=8)


class PriceRuleStackList(Record, ns=COMMON_MESSAGES):
    """Type ``PriceRuleStackListType``.

    ``PriceRuleStack``: 1 to 1024 of them.
    """

    PriceRuleStack: list[t.PriceRuleStack] = element(max=1024)


class OverstayRule(Record, ns=COMMON_MESSAGES):
    """Type ``OverstayRuleType``.

    ``OverstayRuleDescription``: at most 160 characters.
    ``StartTime``: s from the start of the overstay.
    ``OverstayFee``: in the currency of the schedule.
    ``OverstayFeePeriod``: s.
    """

    OverstayRuleDescription: str | None = element(c.descriptionType, default=None)
    StartTime: int = element(UNSIGNED_INT)
    OverstayFee: c.RationalNumber = element()
    OverstayFeePeriod: int = element(UNSIGNED_INT)


class OverstayRuleList(Record, ns=COMMON_MESSAGES):
    """Type ``OverstayRuleListType``.

    ``OverstayTimeThreshold``: s.
    ``OverstayPowerThreshold``: W.
    ``OverstayRule``: 1 to 5 of them.
    """

    OverstayTimeThreshold: int | None = element(UNSIGNED_INT, default=None)
    OverstayPowerThreshold: c.RationalNumber | None = element(default=None)
    OverstayRule: list[t.OverstayRule] = element(max=5)


class AdditionalService(Record, ns=COMMON_MESSAGES):
    """Type ``AdditionalServiceType``.

    ``ServiceName``: at most 80 characters.
    ``ServiceFee``: in the currency of the schedule.
    """

    ServiceName: str = element(c.nameType)
    ServiceFee: c.RationalNumber = element()


class AdditionalServiceList(Record, ns=COMMON_MESSAGES):
    """Type ``AdditionalServiceListType``.

    ``AdditionalService``: 1 to 5 of them.
    """

    AdditionalService: list[t.AdditionalService] = element(max=5)


class AbsolutePriceSchedule(PriceSchedule, attributes_qualified=True):
    """Type ``AbsolutePriceScheduleType``.

    ``Currency``: ISO 4217 code, at most 3 characters.
    ``Language``: ISO 639 code, at most 3 characters.
    ``PriceAlgorithm``: at most 255 characters.
    ``MinimumCost``: in the currency of the schedule.
    ``MaximumCost``: in the currency of the schedule.
    """

    Currency: str = element(t.currencyType)
    Language: str = element(t.languageType)
    PriceAlgorithm: str = element(c.identifierType)
    MinimumCost: c.RationalNumber | None = element(default=None)
    MaximumCost: c.RationalNumber | None = element(default=None)
    TaxRules: t.TaxRuleList | None = element(default=None)
    PriceRuleStacks: t.PriceRuleStackList = element()
    OverstayRules: t.OverstayRuleList | None = element(default=None)
    AdditionalSelectedServices: t.AdditionalServiceList | None = element(default=None)
    Id: str | None = attribute(ID, default=None)


class PriceLevelScheduleEntry(Record, ns=COMMON_MESSAGES):
    """Type ``PriceLevelScheduleEntryType``.

    ``Duration``: s.
    """

    Duration: int = element(UNSIGNED_INT)
    PriceLevel: int = element(UNSIGNED_BYTE)


class PriceLevelScheduleEntryList(Record, ns=COMMON_MESSAGES):
    """Type ``PriceLevelScheduleEntryListType``.

    ``PriceLevelScheduleEntry``: 1 to 1024 of them.
    """

    PriceLevelScheduleEntry: list[t.PriceLevelScheduleEntry] = element(max=1024)


class PriceLevelSchedule(PriceSchedule, attributes_qualified=True):
    """Type ``PriceLevelScheduleType``."""

    NumberOfPriceLevels: int = element(UNSIGNED_BYTE)
    PriceLevelScheduleEntries: t.PriceLevelScheduleEntryList = element()
    Id: str | None = attribute(ID, default=None)


class Dynamic_SEResControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Dynamic_SEResControlModeType``.

    ``DepartureTime``: s from now.
    ``MinimumSOC``: % state of charge, 0 to 100.
    ``TargetSOC``: % state of charge, 0 to 100.
    """

    DepartureTime: int | None = element(UNSIGNED_INT, default=None)
    MinimumSOC: int | None = element(c.percentValueType, default=None)
    TargetSOC: int | None = element(c.percentValueType, default=None)
    AbsolutePriceSchedule: t.AbsolutePriceSchedule | None = element(default=None, at_most_one_of="prices")
    PriceLevelSchedule: t.PriceLevelSchedule | None = element(default=None, at_most_one_of="prices")


class PowerScheduleEntry(Record, ns=COMMON_MESSAGES):
    """Type ``PowerScheduleEntryType``.

    ``Duration``: s.
    ``Power``: W.
    ``Power_L2``: W.
    ``Power_L3``: W.
    """

    Duration: int = element(UNSIGNED_INT)
    Power: c.RationalNumber = element()
    Power_L2: c.RationalNumber | None = element(default=None)
    Power_L3: c.RationalNumber | None = element(default=None)


class PowerScheduleEntryList(Record, ns=COMMON_MESSAGES):
    """Type ``PowerScheduleEntryListType``.

    ``PowerScheduleEntry``: 1 to 1024 of them.
    """

    PowerScheduleEntry: list[t.PowerScheduleEntry] = element(max=1024)


class PowerSchedule(Record, ns=COMMON_MESSAGES):
    """Type ``PowerScheduleType``.

    ``TimeAnchor``: s since 1970-01-01 UTC.
    ``AvailableEnergy``: Wh.
    ``PowerTolerance``: how far the EV may leave the schedule.
    """

    TimeAnchor: int = element(UNSIGNED_LONG)
    AvailableEnergy: c.RationalNumber | None = element(default=None)
    PowerTolerance: c.RationalNumber | None = element(default=None)
    PowerScheduleEntries: t.PowerScheduleEntryList = element()


class ChargingSchedule(Record, ns=COMMON_MESSAGES):
    """Type ``ChargingScheduleType``."""

    PowerSchedule: t.PowerSchedule = element()
    AbsolutePriceSchedule: t.AbsolutePriceSchedule | None = element(default=None, at_most_one_of="prices")
    PriceLevelSchedule: t.PriceLevelSchedule | None = element(default=None, at_most_one_of="prices")


class ScheduleTuple(Record, ns=COMMON_MESSAGES):
    """Type ``ScheduleTupleType``.

    ``ScheduleTupleID``: 1 to 4294967295.
    """

    ScheduleTupleID: int = element(c.numericIDType)
    ChargingSchedule: t.ChargingSchedule = element()
    DischargingSchedule: t.ChargingSchedule | None = element(default=None)


class Scheduled_SEResControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Scheduled_SEResControlModeType``.

    ``ScheduleTuple``: 1 to 3 of them.
    """

    ScheduleTuple: list[t.ScheduleTuple] = element(max=3)


class Dynamic_EVPPTControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Dynamic_EVPPTControlModeType``."""


class Scheduled_EVPPTControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Scheduled_EVPPTControlModeType``.

    ``SelectedScheduleTupleID``: 1 to 4294967295.
    """

    SelectedScheduleTupleID: int = element(c.numericIDType)
    PowerToleranceAcceptance: e.powerToleranceAcceptance | None = element(default=None)


class EVPowerProfileEntryList(Record, ns=COMMON_MESSAGES):
    """Type ``EVPowerProfileEntryListType``.

    ``EVPowerProfileEntry``: 1 to 2048 of them.
    """

    EVPowerProfileEntry: list[t.PowerScheduleEntry] = element(max=2048)


class EVPowerProfile(Record, ns=COMMON_MESSAGES):
    """Type ``EVPowerProfileType``.

    ``TimeAnchor``: s since 1970-01-01 UTC.
    """

    TimeAnchor: int = element(UNSIGNED_LONG)
    Dynamic_EVPPTControlMode: t.Dynamic_EVPPTControlMode | None = element(default=None, one_of="mode")
    Scheduled_EVPPTControlMode: t.Scheduled_EVPPTControlMode | None = element(default=None, one_of="mode")
    EVPowerProfileEntries: t.EVPowerProfileEntryList = element()


class Dynamic_SMDTControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Dynamic_SMDTControlModeType``."""


class Scheduled_SMDTControlMode(Record, ns=COMMON_MESSAGES):
    """Type ``Scheduled_SMDTControlModeType``.

    ``SelectedScheduleTupleID``: 1 to 4294967295.
    """

    SelectedScheduleTupleID: int = element(c.numericIDType)


class SignedMeteringData(Record, ns=COMMON_MESSAGES, element=True, attributes_qualified=True):
    """Element and type ``SignedMeteringData``.

    ``SessionID``: exactly 8 bytes.
    """

    SessionID: bytes = element(c.sessionIDType)
    MeterInfo: c.MeterInfo = element()
    Receipt: c.Receipt | None = element(default=None)
    Dynamic_SMDTControlMode: t.Dynamic_SMDTControlMode | None = element(default=None, one_of="mode")
    Scheduled_SMDTControlMode: t.Scheduled_SMDTControlMode | None = element(default=None, one_of="mode")
    Id: str = attribute(ID)


class SignedCertificateChain(Record, ns=COMMON_MESSAGES, attributes_qualified=True):
    """Type ``SignedCertificateChainType``.

    ``Certificate``: DER, at most 1600 bytes.
    """

    Certificate: bytes = element(t.certificateType)
    SubCertificates: t.SubCertificates | None = element(default=None)
    Id: str = attribute(ID)


class EMAIDList(Record, ns=COMMON_MESSAGES):
    """Type ``EMAIDListType``.

    ``EMAID``: contract id, at most 255 characters, 1 to 8 of them.
    """

    EMAID: list[str] = element(c.identifierType, max=8)


class CertificateChain(Record, ns=COMMON_MESSAGES):
    """Type ``CertificateChainType``.

    ``Certificate``: DER, at most 1600 bytes.
    """

    Certificate: bytes = element(t.certificateType)
    SubCertificates: t.SubCertificates | None = element(default=None)


class SignedInstallationData(Record, ns=COMMON_MESSAGES, element=True, attributes_qualified=True):
    """Element and type ``SignedInstallationData``.

    ``DHPublicKey``: public point of the ECDH exchange, exactly 133 bytes.
    ``SECP521_EncryptedPrivateKey``: contract key, encrypted, exactly 94 bytes.
    ``X448_EncryptedPrivateKey``: contract key, encrypted, exactly 84 bytes.
    ``TPM_EncryptedPrivateKey``: contract key, encrypted, exactly 206 bytes.
    """

    ContractCertificateChain: t.ContractCertificateChain = element()
    ECDHCurve: e.ecdhCurve = element()
    DHPublicKey: bytes = element(t.dhPublicKeyType)
    SECP521_EncryptedPrivateKey: bytes | None = element(
        t.secp521_EncryptedPrivateKeyType, default=None, one_of="key"
    )
    X448_EncryptedPrivateKey: bytes | None = element(
        t.x448_EncryptedPrivateKeyType, default=None, one_of="key"
    )
    TPM_EncryptedPrivateKey: bytes | None = element(t.tpm_EncryptedPrivateKeyType, default=None, one_of="key")
    Id: str = attribute(ID)


class TargetPosition(Record, ns=COMMON_MESSAGES):
    """Type ``TargetPositionType``."""

    TargetOffsetX: int = element(UNSIGNED_SHORT)
    TargetOffsetY: int = element(UNSIGNED_SHORT)

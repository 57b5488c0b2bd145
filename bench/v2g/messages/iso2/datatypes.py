"""Complex and simple types of ISO 15118-2:2014, annex C (MsgDataTypes): what the messages are made of."""

# ruff: noqa: N816  # simple types carry the names of the schema

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso2.datatypes as t  # noqa: PLW0406
from bench.exi.declare import Choice, Record, attribute, element, text
from bench.exi.values import (
    BOOLEAN,
    BYTE,
    ID,
    INT,
    LONG,
    SHORT,
    STRING,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    UNSIGNED_SHORT,
    Binary,
    Integer,
    String,
)
from bench.v2g.messages import xmldsig
from bench.v2g.messages.iso2 import enums as e

DATATYPES = "urn:iso:15118:2:2013:MsgDataTypes"

percentValueType = Integer("percentValueType", 0, 100)
faultMsgType = String("faultMsgType", max_length=64)
serviceNameType = String("serviceNameType", max_length=32)
serviceScopeType = String("serviceScopeType", max_length=64)
maxNumPhasesType = Integer("maxNumPhasesType", 1, 3)
meterStatusType = Integer("meterStatusType", -32768, 32767)
genChallengeType = Binary("genChallengeType", min_length=16, max_length=16)
certificateType = Binary("certificateType", max_length=800)
dHpublickeyType = Binary("dHpublickeyType", max_length=65)
privateKeyType = Binary("privateKeyType", max_length=48)
sigMeterReadingType = Binary("sigMeterReadingType", max_length=64)
sessionIDType = Binary("sessionIDType", hexadecimal=True, max_length=8)
evccIDType = Binary("evccIDType", hexadecimal=True, max_length=6)
evseIDType = String("evseIDType", min_length=7, max_length=37)
serviceIDType = Integer("serviceIDType", 0, 65535)
eMAIDType = String("eMAIDType", min_length=14, max_length=15)
meterIDType = String("meterIDType", max_length=32)
SAIDType = Integer("SAIDType", 1, 255)
tariffDescriptionType = String("tariffDescriptionType", max_length=32)
unitMultiplierType = Integer("unitMultiplierType", -3, 3)


class Service(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ServiceType``.

    ``ServiceID``: 0 to 65535.
    ``ServiceName``: at most 32 characters.
    ``ServiceScope``: at most 64 characters.
    """

    ServiceID: int = element(t.serviceIDType)
    ServiceName: str | None = element(t.serviceNameType, default=None)
    ServiceCategory: e.serviceCategory = element()
    ServiceScope: str | None = element(t.serviceScopeType, default=None)
    FreeService: bool = element(BOOLEAN)


class ServiceList(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ServiceListType``.

    ``Service``: 1 to 8 of them.
    """

    Service: list[t.Service] = element(max=8)


class SelectedService(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``SelectedServiceType``.

    ``ServiceID``: 0 to 65535.
    """

    ServiceID: int = element(t.serviceIDType)
    ParameterSetID: int | None = element(SHORT, default=None)


class SelectedServiceList(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``SelectedServiceListType``.

    ``SelectedService``: 1 to 16 of them.
    """

    SelectedService: list[t.SelectedService] = element(max=16)


class PhysicalValue(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``PhysicalValueType``.

    ``Multiplier``: power of ten, -3 to 3.
    """

    Multiplier: int = element(t.unitMultiplierType)
    Unit: e.unitSymbol = element()
    Value: int = element(SHORT)

    @property
    def value(self) -> float:
        """The quantity in its unit: Value * 10**Multiplier."""
        return (
            float(self.Value * 10**self.Multiplier)
            if self.Multiplier >= 0
            else self.Value / 10**-self.Multiplier
        )

    @classmethod
    def of(cls, value: float, unit: str) -> "PhysicalValue":
        """The quantity ``value`` in ``unit`` ("V", "A", "W", "Wh", "s", "m", "h"), as exactly as 16 bits
        allow.

        The multiplier is the one nearest zero that loses nothing, else the smallest that fits. Raises
        ValueError
        when the value does not fit at all (beyond 32767 * 10**3).
        """
        symbol = e.unitSymbol(unit)
        fits = [m for m in range(-3, 4) if SHORT.problem(round(value / 10.0**m)) is None]
        if not fits:
            raise ValueError(f"{value} {unit} does not fit a PhysicalValue")
        exact = [
            m for m in fits if abs(round(value / 10.0**m) * 10.0**m - value) <= 1e-9 * max(1.0, abs(value))
        ]
        multiplier = min(exact, key=lambda m: (abs(m), m)) if exact else fits[0]
        return cls(Multiplier=multiplier, Unit=symbol, Value=round(value / 10.0**multiplier))


class Parameter(
    Record,
    ns=DATATYPES,
    attributes_qualified=True,
    content=Choice("boolValue", "byteValue", "shortValue", "intValue", "physicalValue", "stringValue"),
):
    """Type ``ParameterType``."""

    boolValue: bool | None = element(BOOLEAN, default=None)
    byteValue: int | None = element(BYTE, default=None)
    shortValue: int | None = element(SHORT, default=None)
    intValue: int | None = element(INT, default=None)
    physicalValue: t.PhysicalValue | None = element(default=None)
    stringValue: str | None = element(STRING, default=None)
    Name: str = attribute(STRING)


class ParameterSet(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ParameterSetType``.

    ``Parameter``: 1 to 16 of them.
    """

    ParameterSetID: int = element(SHORT)
    Parameter: list[t.Parameter] = element(max=16)


class ServiceParameterList(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ServiceParameterListType``.

    ``ParameterSet``: 1 to 255 of them.
    """

    ParameterSet: list[t.ParameterSet] = element(max=255)


class SupportedEnergyTransferMode(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``SupportedEnergyTransferModeType``.

    ``EnergyTransferMode``: 1 to 6 of them.
    """

    EnergyTransferMode: list[e.EnergyTransferMode] = element(max=6)


class ChargeService(Service):
    """Type ``ChargeServiceType``."""

    SupportedEnergyTransferMode: t.SupportedEnergyTransferMode = element()


class ContractSignatureEncryptedPrivateKey(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ContractSignatureEncryptedPrivateKeyType``.

    ``value``: at most 48 bytes.
    """

    value: bytes = text(t.privateKeyType)
    Id: str = attribute(ID)


class DiffieHellmanPublickey(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``DiffieHellmanPublickeyType``.

    ``value``: at most 65 bytes.
    """

    value: bytes = text(t.dHpublickeyType)
    Id: str = attribute(ID)


class EMAID(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``EMAIDType``.

    ``value``: 14 to 15 characters.
    """

    value: str = text(t.eMAIDType)
    Id: str = attribute(ID)


class SubCertificates(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``SubCertificatesType``.

    ``Certificate``: DER, at most 800 bytes, 1 to 4 of them.
    """

    Certificate: list[bytes] = element(t.certificateType, max=4)


class CertificateChain(
    Record,
    ns=DATATYPES,
    default_element="ContractSignatureCertChain",
    attributes_qualified=True,
):
    """Type ``CertificateChainType``.

    ``Certificate``: DER, at most 800 bytes.
    """

    Certificate: bytes = element(t.certificateType)
    SubCertificates: t.SubCertificates | None = element(default=None)
    Id: str | None = attribute(ID, default=None)


class ListOfRootCertificateIDs(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ListOfRootCertificateIDsType``.

    ``RootCertificateID``: 1 to 20 of them.
    """

    RootCertificateID: list[xmldsig.X509IssuerSerial] = element(max=20)


class MeterInfo(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``MeterInfoType``.

    ``MeterID``: at most 32 characters.
    ``MeterReading``: Wh.
    ``SigMeterReading``: signature of the meter, at most 64 bytes.
    ``MeterStatus``: -32768 to 32767.
    ``TMeter``: s since 1970-01-01 UTC.
    """

    MeterID: str = element(t.meterIDType)
    MeterReading: int | None = element(UNSIGNED_LONG, default=None)
    SigMeterReading: bytes | None = element(t.sigMeterReadingType, default=None)
    MeterStatus: int | None = element(t.meterStatusType, default=None)
    TMeter: int | None = element(LONG, default=None)


class Notification(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``NotificationType``.

    ``FaultMsg``: at most 64 characters.
    """

    FaultCode: e.faultCode = element()
    FaultMsg: str | None = element(t.faultMsgType, default=None)


class SASchedules(Record, ns=DATATYPES, element=True, abstract=True, attributes_qualified=True):
    """Element and type ``SASchedules``."""


class TimeInterval(
    Record,
    ns=DATATYPES,
    element=True,
    type_name="IntervalType",
    abstract=True,
    attributes_qualified=True,
):
    """Element and type ``TimeInterval``."""


class Entry(Record, ns=DATATYPES, element=True, abstract=True, attributes_qualified=True):
    """Element and type ``Entry``."""

    TimeInterval: t.TimeInterval = element()


class PMaxScheduleEntry(Entry, element=True):
    """Element and type ``PMaxScheduleEntry``.

    ``PMax``: W.
    """

    PMax: t.PhysicalValue = element()


class PMaxSchedule(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``PMaxScheduleType``.

    ``PMaxScheduleEntry``: 1 to 1024 of them.
    """

    PMaxScheduleEntry: list[t.PMaxScheduleEntry] = element(ref=True, max=1024)


class Cost(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``CostType``.

    ``amountMultiplier``: power of ten, -3 to 3.
    """

    costKind: e.costKind = element()
    amount: int = element(UNSIGNED_INT)
    amountMultiplier: int | None = element(t.unitMultiplierType, default=None)


class ConsumptionCost(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ConsumptionCostType``.

    ``Cost``: 1 to 3 of them.
    """

    startValue: t.PhysicalValue = element()
    Cost: list[t.Cost] = element(max=3)


class SalesTariffEntry(Entry, element=True):
    """Element and type ``SalesTariffEntry``.

    ``ConsumptionCost``: 0 to 3 of them.
    """

    EPriceLevel: int | None = element(UNSIGNED_BYTE, default=None)
    ConsumptionCost: list[t.ConsumptionCost] = element(max=3, default_factory=list)


class SalesTariff(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``SalesTariffType``.

    ``SalesTariffID``: 1 to 255.
    ``SalesTariffDescription``: at most 32 characters.
    ``SalesTariffEntry``: 1 to 1024 of them.
    """

    SalesTariffID: int = element(t.SAIDType)
    SalesTariffDescription: str | None = element(t.tariffDescriptionType, default=None)
    NumEPriceLevels: int | None = element(UNSIGNED_BYTE, default=None)
    SalesTariffEntry: list[t.SalesTariffEntry] = element(ref=True, max=1024)
    Id: str | None = attribute(ID, default=None)


class SAScheduleTuple(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``SAScheduleTupleType``.

    ``SAScheduleTupleID``: 1 to 255.
    """

    SAScheduleTupleID: int = element(t.SAIDType)
    PMaxSchedule: t.PMaxSchedule = element()
    SalesTariff: t.SalesTariff | None = element(default=None)


class SAScheduleList(SASchedules, element=True):
    """Element and type ``SAScheduleList``.

    ``SAScheduleTuple``: 1 to 3 of them.
    """

    SAScheduleTuple: list[t.SAScheduleTuple] = element(max=3)


class RelativeTimeInterval(TimeInterval, element=True):
    """Element and type ``RelativeTimeInterval``.

    ``start``: s from now, 0 to 16777214.
    ``duration``: s, 0 to 86400.
    """

    start: int = element(Integer("start", 0, 16777214))
    duration: int | None = element(Integer("duration", 0, 86400), default=None)


class EVSEStatus(Record, ns=DATATYPES, element=True, abstract=True, attributes_qualified=True):
    """Element and type ``EVSEStatus``.

    ``NotificationMaxDelay``: s until the EV must have reacted.
    """

    NotificationMaxDelay: int = element(UNSIGNED_SHORT)
    EVSENotification: e.EVSENotification = element()


class AC_EVSEStatus(EVSEStatus, element=True):
    """Element and type ``AC_EVSEStatus``.

    ``RCD``: True: the residual current device has tripped.
    """

    RCD: bool = element(BOOLEAN)


class EVStatus(Record, ns=DATATYPES, element=True, abstract=True, attributes_qualified=True):
    """Element and type ``EVStatus``."""


class DC_EVSEStatus(EVSEStatus, element=True):
    """Element and type ``DC_EVSEStatus``."""

    EVSEIsolationStatus: e.isolationLevel | None = element(default=None)
    EVSEStatusCode: e.DC_EVSEStatusCode = element()


class DC_EVStatus(EVStatus, element=True):
    """Element and type ``DC_EVStatus``.

    ``EVRESSSOC``: % state of charge, 0 to 100.
    """

    EVReady: bool = element(BOOLEAN)
    EVErrorCode: e.DC_EVErrorCode = element()
    EVRESSSOC: int = element(t.percentValueType)


class EVChargeParameter(Record, ns=DATATYPES, element=True, abstract=True, attributes_qualified=True):
    """Element and type ``EVChargeParameter``.

    ``DepartureTime``: s from now.
    """

    DepartureTime: int | None = element(UNSIGNED_INT, default=None)


class AC_EVChargeParameter(EVChargeParameter, element=True):
    """Element and type ``AC_EVChargeParameter``.

    ``EAmount``: Wh.
    ``EVMaxVoltage``: V.
    ``EVMaxCurrent``: A.
    ``EVMinCurrent``: A.
    """

    EAmount: t.PhysicalValue = element()
    EVMaxVoltage: t.PhysicalValue = element()
    EVMaxCurrent: t.PhysicalValue = element()
    EVMinCurrent: t.PhysicalValue = element()


class DC_EVChargeParameter(EVChargeParameter, element=True):
    """Element and type ``DC_EVChargeParameter``.

    ``EVMaximumCurrentLimit``: A.
    ``EVMaximumPowerLimit``: W.
    ``EVMaximumVoltageLimit``: V.
    ``EVEnergyCapacity``: Wh.
    ``EVEnergyRequest``: Wh.
    ``FullSOC``: %, 0 to 100.
    ``BulkSOC``: %, 0 to 100.
    """

    DC_EVStatus: t.DC_EVStatus = element()
    EVMaximumCurrentLimit: t.PhysicalValue = element()
    EVMaximumPowerLimit: t.PhysicalValue | None = element(default=None)
    EVMaximumVoltageLimit: t.PhysicalValue = element()
    EVEnergyCapacity: t.PhysicalValue | None = element(default=None)
    EVEnergyRequest: t.PhysicalValue | None = element(default=None)
    FullSOC: int | None = element(t.percentValueType, default=None)
    BulkSOC: int | None = element(t.percentValueType, default=None)


class EVSEChargeParameter(Record, ns=DATATYPES, element=True, abstract=True, attributes_qualified=True):
    """Element and type ``EVSEChargeParameter``."""


class AC_EVSEChargeParameter(EVSEChargeParameter, element=True):
    """Element and type ``AC_EVSEChargeParameter``.

    ``EVSENominalVoltage``: V.
    ``EVSEMaxCurrent``: A.
    """

    AC_EVSEStatus: t.AC_EVSEStatus = element()
    EVSENominalVoltage: t.PhysicalValue = element()
    EVSEMaxCurrent: t.PhysicalValue = element()


class DC_EVSEChargeParameter(EVSEChargeParameter, element=True):
    """Element and type ``DC_EVSEChargeParameter``.

    ``EVSEMaximumCurrentLimit``: A.
    ``EVSEMaximumPowerLimit``: W.
    ``EVSEMaximumVoltageLimit``: V.
    ``EVSEMinimumCurrentLimit``: A.
    ``EVSEMinimumVoltageLimit``: V.
    ``EVSECurrentRegulationTolerance``: A.
    ``EVSEPeakCurrentRipple``: A.
    ``EVSEEnergyToBeDelivered``: Wh.
    """

    DC_EVSEStatus: t.DC_EVSEStatus = element()
    EVSEMaximumCurrentLimit: t.PhysicalValue = element()
    EVSEMaximumPowerLimit: t.PhysicalValue = element()
    EVSEMaximumVoltageLimit: t.PhysicalValue = element()
    EVSEMinimumCurrentLimit: t.PhysicalValue = element()
    EVSEMinimumVoltageLimit: t.PhysicalValue = element()
    EVSECurrentRegulationTolerance: t.PhysicalValue | None = element(default=None)
    EVSEPeakCurrentRipple: t.PhysicalValue = element()
    EVSEEnergyToBeDelivered: t.PhysicalValue | None = element(default=None)


class EVPowerDeliveryParameter(
    Record,
    ns=DATATYPES,
    element=True,
    abstract=True,
    attributes_qualified=True,
):
    """Element and type ``EVPowerDeliveryParameter``."""


class DC_EVPowerDeliveryParameter(EVPowerDeliveryParameter, element=True):
    """Element and type ``DC_EVPowerDeliveryParameter``."""

    DC_EVStatus: t.DC_EVStatus = element()
    BulkChargingComplete: bool | None = element(BOOLEAN, default=None)
    ChargingComplete: bool = element(BOOLEAN)


class ProfileEntry(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ProfileEntryType``.

    ``ChargingProfileEntryStart``: s from now.
    ``ChargingProfileEntryMaxPower``: W.
    ``ChargingProfileEntryMaxNumberOfPhasesInUse``: 1 to 3.
    """

    ChargingProfileEntryStart: int = element(UNSIGNED_INT)
    ChargingProfileEntryMaxPower: t.PhysicalValue = element()
    ChargingProfileEntryMaxNumberOfPhasesInUse: int | None = element(t.maxNumPhasesType, default=None)


class ChargingProfile(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``ChargingProfileType``.

    ``ProfileEntry``: 1 to 24 of them.
    """

    ProfileEntry: list[t.ProfileEntry] = element(max=24)


class PaymentOptionList(Record, ns=DATATYPES, attributes_qualified=True):
    """Type ``PaymentOptionListType``.

    ``PaymentOption``: 1 to 2 of them.
    """

    PaymentOption: list[e.paymentOption] = element(max=2)

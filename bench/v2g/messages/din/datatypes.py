"""Complex and simple types of DIN SPEC 70121 (MsgDataTypes): what the messages are made of."""

# ruff: noqa: N816  # simple types carry the names of the schema

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.din.datatypes as t  # noqa: PLW0406
from bench.exi.declare import UNBOUNDED, Record, attribute, element
from bench.exi.values import (
    BOOLEAN,
    BYTE,
    IDREF,
    INT,
    LONG,
    SHORT,
    STRING,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    Binary,
    Integer,
    String,
)
from bench.v2g.messages.din import enums as e

DATATYPES = "urn:din:70121:2012:MsgDataTypes"

meterStatusType = Integer("meterStatusType", -32768, 32767)
PMaxType = Integer("PMaxType", -32768, 32767)
percentValueType = Integer("percentValueType", 0, 100)
faultMsgType = String("faultMsgType", max_length=64)
serviceNameType = String("serviceNameType", max_length=32)
serviceScopeType = String("serviceScopeType", max_length=32)
genChallengeType = String("genChallengeType")
certificateType = Binary("certificateType", max_length=1200)
rootCertificateIDType = String("rootCertificateIDType", max_length=40)
dHParamsType = Binary("dHParamsType", max_length=256)
privateKeyType = Binary("privateKeyType", max_length=128)
sigMeterReadingType = Binary("sigMeterReadingType", max_length=32)
sessionIDType = Binary("sessionIDType", hexadecimal=True, max_length=8)
evccIDType = Binary("evccIDType", hexadecimal=True, max_length=8)
evseIDType = Binary("evseIDType", hexadecimal=True, max_length=32)
serviceIDType = Integer("serviceIDType", 0, 65535)
contractIDType = String("contractIDType", max_length=24)
meterIDType = String("meterIDType", max_length=32)
SAIDType = Integer("SAIDType", -32768, 32767)
tariffDescriptionType = String("tariffDescriptionType", max_length=32)
unitMultiplierType = Integer("unitMultiplierType", -3, 3)


class ServiceTag(Record, ns=DATATYPES):
    """Type ``ServiceTagType``.

    ``ServiceName``: at most 32 characters.
    ``ServiceScope``: at most 32 characters.
    """

    ServiceID: int = element(t.serviceIDType)
    ServiceName: str | None = element(t.serviceNameType, default=None)
    ServiceCategory: e.serviceCategory = element()
    ServiceScope: str | None = element(t.serviceScopeType, default=None)


class Service(Record, ns=DATATYPES):
    """Type ``ServiceType``."""

    ServiceTag: t.ServiceTag = element()
    FreeService: bool = element(BOOLEAN)


class ServiceTagList(Record, ns=DATATYPES):
    """Type ``ServiceTagListType``.

    ``Service``: 1 or more of them.
    """

    Service: list[t.Service] = element(max=UNBOUNDED)


class SelectedService(Record, ns=DATATYPES):
    """Type ``SelectedServiceType``."""

    ServiceID: int = element(t.serviceIDType)
    ParameterSetID: int | None = element(SHORT, default=None)


class SelectedServiceList(Record, ns=DATATYPES):
    """Type ``SelectedServiceListType``.

    ``SelectedService``: 1 or more of them.
    """

    SelectedService: list[t.SelectedService] = element(max=UNBOUNDED)


class PhysicalValue(Record, ns=DATATYPES):
    """Type ``PhysicalValueType``.

    ``Multiplier``: power of ten, -3 to 3.
    """

    Multiplier: int = element(t.unitMultiplierType)
    Unit: e.unitSymbol | None = element(default=None)
    Value: int = element(SHORT)

    @property
    def value(self) -> float:
        """The quantity in its unit: Value * 10**Multiplier."""
        if self.Multiplier >= 0:
            return float(self.Value * 10**self.Multiplier)
        return float(self.Value / 10**-self.Multiplier)

    @classmethod
    def of(cls, value: float, unit: str | None = None) -> "PhysicalValue":
        """The quantity ``value`` in ``unit`` ("V", "A", "W", "Wh", "s", ...), as exactly as 16 bits allow.

        The multiplier is the one nearest zero that loses nothing, else the smallest that fits. Raises
        ValueError when the value does not fit at all (beyond 32767 * 10**3).
        """
        symbol = None if unit is None else e.unitSymbol(unit)
        fits = [n for n in range(-3, 4) if SHORT.problem(round(value / 10.0**n)) is None]
        if not fits:
            raise ValueError(f"{value} {unit or ''} does not fit a PhysicalValue")
        close = 1e-9 * max(1.0, abs(value))
        exact = [n for n in fits if abs(round(value / 10.0**n) * 10.0**n - value) <= close]
        multiplier = min(exact, key=lambda n: (abs(n), n)) if exact else fits[0]
        return cls(Multiplier=multiplier, Unit=symbol, Value=round(value / 10.0**multiplier))


class Parameter(Record, ns=DATATYPES):
    """Type ``ParameterType``."""

    boolValue: bool | None = element(BOOLEAN, default=None, one_of="value")
    byteValue: int | None = element(BYTE, default=None, one_of="value")
    shortValue: int | None = element(SHORT, default=None, one_of="value")
    intValue: int | None = element(INT, default=None, one_of="value")
    physicalValue: t.PhysicalValue | None = element(default=None, one_of="value")
    stringValue: str | None = element(STRING, default=None, one_of="value")
    Name: str = attribute(STRING)
    ValueType: e.value = attribute()


class ParameterSet(Record, ns=DATATYPES):
    """Type ``ParameterSetType``.

    ``Parameter``: 1 or more of them.
    """

    ParameterSetID: int = element(SHORT)
    Parameter: list[t.Parameter] = element(max=UNBOUNDED)


class ServiceParameterList(Record, ns=DATATYPES):
    """Type ``ServiceParameterListType``.

    ``ParameterSet``: 1 or more of them.
    """

    ParameterSet: list[t.ParameterSet] = element(max=UNBOUNDED)


class ServiceCharge(Service, element=True):
    """Element and type ``ServiceCharge``."""

    EnergyTransferType: e.EVSESupportedEnergyTransfer = element()


class SubCertificates(Record, ns=DATATYPES):
    """Type ``SubCertificatesType``.

    ``Certificate``: DER, at most 1200 bytes, 1 or more of them.
    """

    Certificate: list[bytes] = element(t.certificateType, max=UNBOUNDED)


class CertificateChain(Record, ns=DATATYPES):
    """Type ``CertificateChainType``.

    ``Certificate``: DER, at most 1200 bytes.
    """

    Certificate: bytes = element(t.certificateType)
    SubCertificates: t.SubCertificates | None = element(default=None)


class ListOfRootCertificateIDs(Record, ns=DATATYPES):
    """Type ``ListOfRootCertificateIDsType``.

    ``RootCertificateID``: at most 40 characters, 1 or more of them.
    """

    RootCertificateID: list[str] = element(t.rootCertificateIDType, max=UNBOUNDED)


class MeterInfo(Record, ns=DATATYPES):
    """Type ``MeterInfoType``.

    ``MeterID``: at most 32 characters.
    ``MeterReading``: Wh.
    ``SigMeterReading``: signature of the meter, at most 32 bytes.
    ``TMeter``: s since 1970-01-01 UTC.
    """

    MeterID: str = element(t.meterIDType)
    MeterReading: t.PhysicalValue | None = element(default=None)
    SigMeterReading: bytes | None = element(t.sigMeterReadingType, default=None)
    MeterStatus: int | None = element(t.meterStatusType, default=None)
    TMeter: int | None = element(LONG, default=None)


class Notification(Record, ns=DATATYPES):
    """Type ``NotificationType``.

    ``FaultMsg``: at most 64 characters.
    """

    FaultCode: e.faultCode = element()
    FaultMsg: str | None = element(t.faultMsgType, default=None)


class SASchedules(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``SASchedules``."""


class TimeInterval(Record, ns=DATATYPES, element=True, abstract=True, type_name="IntervalType"):
    """Element and type ``TimeInterval``."""


class Entry(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``Entry``."""

    TimeInterval: t.TimeInterval = element()


class PMaxScheduleEntry(Entry, element=True):
    """Element and type ``PMaxScheduleEntry``.

    ``PMax``: W.
    """

    PMax: int = element(t.PMaxType)


class PMaxSchedule(Record, ns=DATATYPES):
    """Type ``PMaxScheduleType``.

    ``PMaxScheduleEntry``: 1 or more of them.
    """

    PMaxScheduleID: int = element(t.SAIDType)
    PMaxScheduleEntry: list[t.PMaxScheduleEntry] = element(ref=True, max=UNBOUNDED)


class Cost(Record, ns=DATATYPES):
    """Type ``CostType``.

    ``amountMultiplier``: power of ten, -3 to 3.
    """

    costKind: e.costKind = element()
    amount: int = element(UNSIGNED_INT)
    amountMultiplier: int | None = element(t.unitMultiplierType, default=None)


class ConsumptionCost(Record, ns=DATATYPES):
    """Type ``ConsumptionCostType``.

    ``Cost``: 0 or more of them.
    """

    startValue: int = element(UNSIGNED_INT)
    Cost: list[t.Cost] = element(max=UNBOUNDED, default_factory=list)


class SalesTariffEntry(Entry, element=True):
    """Element and type ``SalesTariffEntry``.

    ``ConsumptionCost``: 0 or more of them.
    """

    EPriceLevel: int = element(UNSIGNED_BYTE)
    ConsumptionCost: list[t.ConsumptionCost] = element(max=UNBOUNDED, default_factory=list)


class SalesTariff(Record, ns=DATATYPES):
    """Type ``SalesTariffType``.

    ``SalesTariffDescription``: at most 32 characters.
    ``SalesTariffEntry``: 1 or more of them.
    """

    SalesTariffID: int = element(t.SAIDType)
    SalesTariffDescription: str | None = element(t.tariffDescriptionType, default=None)
    NumEPriceLevels: int = element(UNSIGNED_BYTE)
    SalesTariffEntry: list[t.SalesTariffEntry] = element(ref=True, max=UNBOUNDED)
    Id: str = attribute(IDREF)


class SAScheduleTuple(Record, ns=DATATYPES):
    """Type ``SAScheduleTupleType``."""

    SAScheduleTupleID: int = element(t.SAIDType)
    PMaxSchedule: t.PMaxSchedule = element()
    SalesTariff: t.SalesTariff | None = element(default=None)


class SAScheduleList(SASchedules, element=True):
    """Element and type ``SAScheduleList``.

    ``SAScheduleTuple``: 1 or more of them.
    """

    SAScheduleTuple: list[t.SAScheduleTuple] = element(max=UNBOUNDED)


class RelativeTimeInterval(TimeInterval, element=True):
    """Element and type ``RelativeTimeInterval``.

    ``start``: s from now.
    ``duration``: s.
    """

    start: int = element(UNSIGNED_INT)
    duration: int | None = element(UNSIGNED_INT, default=None)


class EVSEStatus(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``EVSEStatus``."""


class AC_EVSEStatus(EVSEStatus, element=True):
    """Element and type ``AC_EVSEStatus``.

    ``RCD``: True: the residual current device has tripped.
    ``NotificationMaxDelay``: s until the EV must have reacted.
    """

    PowerSwitchClosed: bool = element(BOOLEAN)
    RCD: bool = element(BOOLEAN)
    NotificationMaxDelay: int = element(UNSIGNED_INT)
    EVSENotification: e.EVSENotification = element()


class EVStatus(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``EVStatus``."""


class DC_EVSEStatus(EVSEStatus, element=True):
    """Element and type ``DC_EVSEStatus``.

    ``NotificationMaxDelay``: s until the EV must have reacted.
    """

    EVSEIsolationStatus: e.isolationLevel | None = element(default=None)
    EVSEStatusCode: e.DC_EVSEStatusCode = element()
    NotificationMaxDelay: int = element(UNSIGNED_INT)
    EVSENotification: e.EVSENotification = element()


class DC_EVStatus(EVStatus, element=True):
    """Element and type ``DC_EVStatus``.

    ``EVRESSSOC``: % state of charge, 0 to 100.
    """

    EVReady: bool = element(BOOLEAN)
    EVCabinConditioning: bool | None = element(BOOLEAN, default=None)
    EVRESSConditioning: bool | None = element(BOOLEAN, default=None)
    EVErrorCode: e.DC_EVErrorCode = element()
    EVRESSSOC: int = element(t.percentValueType)


class EVChargeParameter(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``EVChargeParameter``."""


class AC_EVChargeParameter(EVChargeParameter, element=True):
    """Element and type ``AC_EVChargeParameter``.

    ``DepartureTime``: s from now.
    ``EAmount``: Wh.
    ``EVMaxVoltage``: V.
    ``EVMaxCurrent``: A.
    ``EVMinCurrent``: A.
    """

    DepartureTime: int = element(UNSIGNED_INT)
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
    ``FullSOC``: % state of charge, 0 to 100.
    ``BulkSOC``: % state of charge, 0 to 100.
    """

    DC_EVStatus: t.DC_EVStatus = element()
    EVMaximumCurrentLimit: t.PhysicalValue = element()
    EVMaximumPowerLimit: t.PhysicalValue | None = element(default=None)
    EVMaximumVoltageLimit: t.PhysicalValue = element()
    EVEnergyCapacity: t.PhysicalValue | None = element(default=None)
    EVEnergyRequest: t.PhysicalValue | None = element(default=None)
    FullSOC: int | None = element(t.percentValueType, default=None)
    BulkSOC: int | None = element(t.percentValueType, default=None)


class EVSEChargeParameter(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``EVSEChargeParameter``."""


class AC_EVSEChargeParameter(EVSEChargeParameter, element=True):
    """Element and type ``AC_EVSEChargeParameter``.

    ``EVSEMaxVoltage``: V.
    ``EVSEMaxCurrent``: A.
    ``EVSEMinCurrent``: A.
    """

    AC_EVSEStatus: t.AC_EVSEStatus = element()
    EVSEMaxVoltage: t.PhysicalValue = element()
    EVSEMaxCurrent: t.PhysicalValue = element()
    EVSEMinCurrent: t.PhysicalValue = element()


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
    EVSEMaximumPowerLimit: t.PhysicalValue | None = element(default=None)
    EVSEMaximumVoltageLimit: t.PhysicalValue = element()
    EVSEMinimumCurrentLimit: t.PhysicalValue = element()
    EVSEMinimumVoltageLimit: t.PhysicalValue = element()
    EVSECurrentRegulationTolerance: t.PhysicalValue | None = element(default=None)
    EVSEPeakCurrentRipple: t.PhysicalValue = element()
    EVSEEnergyToBeDelivered: t.PhysicalValue | None = element(default=None)


class EVPowerDeliveryParameter(Record, ns=DATATYPES, element=True, abstract=True):
    """Element and type ``EVPowerDeliveryParameter``."""


class DC_EVPowerDeliveryParameter(EVPowerDeliveryParameter, element=True):
    """Element and type ``DC_EVPowerDeliveryParameter``."""

    DC_EVStatus: t.DC_EVStatus = element()
    BulkChargingComplete: bool | None = element(BOOLEAN, default=None)
    ChargingComplete: bool = element(BOOLEAN)


class ProfileEntry(Record, ns=DATATYPES):
    """Type ``ProfileEntryType``.

    ``ChargingProfileEntryStart``: s from now.
    ``ChargingProfileEntryMaxPower``: W.
    """

    ChargingProfileEntryStart: int = element(UNSIGNED_INT)
    ChargingProfileEntryMaxPower: int = element(t.PMaxType)


class ChargingProfile(Record, ns=DATATYPES):
    """Type ``ChargingProfileType``.

    ``ProfileEntry``: 1 or more of them.
    """

    SAScheduleTupleID: int = element(t.SAIDType)
    ProfileEntry: list[t.ProfileEntry] = element(max=UNBOUNDED)


class PaymentOptions(Record, ns=DATATYPES):
    """Type ``PaymentOptionsType``.

    ``PaymentOption``: 1 or more of them.
    """

    PaymentOption: list[e.paymentOption] = element(max=UNBOUNDED)

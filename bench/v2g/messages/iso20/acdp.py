"""ISO 15118-20 message set for charging through an automatic connection device (``iso20-acdp``)."""

from enum import StrEnum

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.acdp as m  # noqa: PLW0406
from bench.exi.declare import MessageSet, Record, element
from bench.exi.values import BOOLEAN, SHORT
from bench.v2g.messages.iso20 import commontypes as c

ACDP = "urn:iso:std:iso:15118:-20:ACDP"


class cpStatus(StrEnum):
    """cpStatusType: members in schema order, which is the order of their codes."""

    StateA = "StateA"
    StateB = "StateB"
    StateC = "StateC"
    StateD = "StateD"
    StateE = "StateE"


class errorCode(StrEnum):
    """errorCodeType: members in schema order, which is the order of their codes."""

    OK_NoEVError = "OK_NoEVError"
    FAILED = "FAILED"
    FAILED_EmergencyEvent = "FAILED_EmergencyEvent"
    FAILED_Breaker = "FAILED_Breaker"
    FAILED_RESSTemperatureInhibit = "FAILED_RESSTemperatureInhibit"
    FAILED_RESS = "FAILED_RESS"
    FAILED_ChargingCurrentDifferential = "FAILED_ChargingCurrentDifferential"
    FAILED_ChargingVoltageOutOfRange = "FAILED_ChargingVoltageOutOfRange"
    FAILED_Reserved1 = "FAILED_Reserved1"
    FAILED_Reserved2 = "FAILED_Reserved2"


class isolationStatus(StrEnum):
    """isolationStatusType: members in schema order, which is the order of their codes."""

    Invalid = "Invalid"
    Safe = "Safe"
    Warning = "Warning"
    Fault = "Fault"


class electricalChargingDeviceStatus(StrEnum):
    """electricalChargingDeviceStatusType: members in schema order, which is the order of their codes."""

    State_A = "State_A"
    State_B = "State_B"
    State_C = "State_C"
    State_D = "State_D"


class mechanicalChargingDeviceStatus(StrEnum):
    """mechanicalChargingDeviceStatusType: members in schema order, which is the order of their codes."""

    Home = "Home"
    Moving = "Moving"
    EndPosition = "EndPosition"


class ACDP_VehiclePositioningReq(c.V2GRequest, ns=ACDP, element=True):
    """Message ``ACDP_VehiclePositioningReq``."""

    EVMobilityStatus: bool = element(BOOLEAN)
    EVPositioningSupport: bool = element(BOOLEAN)


class ACDP_VehiclePositioningRes(c.V2GResponse, ns=ACDP, element=True):
    """Message ``ACDP_VehiclePositioningRes``."""

    EVSEProcessing: c.processing = element()
    EVSEPositioningSupport: bool = element(BOOLEAN)
    EVRelativeXDeviation: int = element(SHORT)
    EVRelativeYDeviation: int = element(SHORT)
    ContactWindowXc: int = element(SHORT)
    ContactWindowYc: int = element(SHORT)
    EVInChargePosition: bool = element(BOOLEAN)


class ACDP_ConnectReq(c.V2GRequest, ns=ACDP, element=True):
    """Message ``ACDP_ConnectReq``."""

    EVElectricalChargingDeviceStatus: m.electricalChargingDeviceStatus = element()


class ACDP_DisconnectReq(c.V2GRequest, ns=ACDP, element=True, type_name=""):
    """Message ``ACDP_DisconnectReq``."""

    EVElectricalChargingDeviceStatus: m.electricalChargingDeviceStatus = element()


class ACDP_ConnectRes(c.V2GResponse, ns=ACDP, element=True):
    """Message ``ACDP_ConnectRes``."""

    EVSEProcessing: c.processing = element()
    EVSEElectricalChargingDeviceStatus: m.electricalChargingDeviceStatus = element()
    EVSEMechanicalChargingDeviceStatus: m.mechanicalChargingDeviceStatus = element()


class ACDP_DisconnectRes(c.V2GResponse, ns=ACDP, element=True, type_name=""):
    """Message ``ACDP_DisconnectRes``."""

    EVSEProcessing: c.processing = element()
    EVSEElectricalChargingDeviceStatus: m.electricalChargingDeviceStatus = element()
    EVSEMechanicalChargingDeviceStatus: m.mechanicalChargingDeviceStatus = element()


class EVTechnicalStatus(Record, ns=ACDP):
    """Type ``EVTechnicalStatusType``.

    ``EVSOC``: % state of charge, 0 to 100.
    """

    EVReadyToCharge: bool = element(BOOLEAN)
    EVImmobilizationRequest: bool = element(BOOLEAN)
    EVImmobilized: bool | None = element(BOOLEAN, default=None)
    EVWLANStrength: c.RationalNumber | None = element(default=None)
    EVCPStatus: m.cpStatus | None = element(default=None)
    EVSOC: int | None = element(c.percentValueType, default=None)
    EVErrorCode: m.errorCode | None = element(default=None)
    EVTimeout: bool | None = element(BOOLEAN, default=None)


class ACDP_SystemStatusReq(c.V2GRequest, ns=ACDP, element=True):
    """Message ``ACDP_SystemStatusReq``."""

    EVTechnicalStatus: m.EVTechnicalStatus = element()


class ACDP_SystemStatusRes(c.V2GResponse, ns=ACDP, element=True):
    """Message ``ACDP_SystemStatusRes``."""

    EVSEMechanicalChargingDeviceStatus: m.mechanicalChargingDeviceStatus = element()
    EVSEReadyToCharge: bool = element(BOOLEAN)
    EVSEIsolationStatus: m.isolationStatus = element()
    EVSEDisabled: bool = element(BOOLEAN)
    EVSEUtilityInterruptEvent: bool = element(BOOLEAN)
    EVSEEmergencyShutdown: bool = element(BOOLEAN)
    EVSEMalfunction: bool = element(BOOLEAN)
    EVInChargePosition: bool = element(BOOLEAN)
    EVAssociationStatus: bool = element(BOOLEAN)


SET = MessageSet(
    "iso20-acdp",
    namespaces={"ns7": ACDP},
    modules=(m,),
    includes=(c.SET,),
)

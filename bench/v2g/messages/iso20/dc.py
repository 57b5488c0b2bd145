"""ISO 15118-20 message set for DC charging (``iso20-dc``)."""

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.dc as m  # noqa: PLW0406
from bench.exi.declare import MessageSet, Record, element
from bench.exi.values import BOOLEAN
from bench.v2g.messages.iso20 import commontypes as c

DC = "urn:iso:std:iso:15118:-20:DC"


class DC_CPDReqEnergyTransferMode(Record, ns=DC, element=True, replaceable=True):
    """Element and type ``DC_CPDReqEnergyTransferMode``.

    ``EVMaximumChargePower``: W.
    ``EVMinimumChargePower``: W.
    ``EVMaximumChargeCurrent``: A.
    ``EVMinimumChargeCurrent``: A.
    ``EVMaximumVoltage``: V.
    ``EVMinimumVoltage``: V.
    ``TargetSOC``: % state of charge, 0 to 100.
    """

    EVMaximumChargePower: c.RationalNumber = element()
    EVMinimumChargePower: c.RationalNumber = element()
    EVMaximumChargeCurrent: c.RationalNumber = element()
    EVMinimumChargeCurrent: c.RationalNumber = element()
    EVMaximumVoltage: c.RationalNumber = element()
    EVMinimumVoltage: c.RationalNumber = element()
    TargetSOC: int | None = element(c.percentValueType, default=None)


class DC_ChargeParameterDiscoveryReq(c.ChargeParameterDiscoveryReq, ns=DC, element=True):
    """Message ``DC_ChargeParameterDiscoveryReq``."""

    DC_CPDReqEnergyTransferMode: m.DC_CPDReqEnergyTransferMode = element(ref=True)


class DC_CPDResEnergyTransferMode(Record, ns=DC, element=True, replaceable=True):
    """Element and type ``DC_CPDResEnergyTransferMode``.

    ``EVSEMaximumChargePower``: W.
    ``EVSEMinimumChargePower``: W.
    ``EVSEMaximumChargeCurrent``: A.
    ``EVSEMinimumChargeCurrent``: A.
    ``EVSEMaximumVoltage``: V.
    ``EVSEMinimumVoltage``: V.
    """

    EVSEMaximumChargePower: c.RationalNumber = element()
    EVSEMinimumChargePower: c.RationalNumber = element()
    EVSEMaximumChargeCurrent: c.RationalNumber = element()
    EVSEMinimumChargeCurrent: c.RationalNumber = element()
    EVSEMaximumVoltage: c.RationalNumber = element()
    EVSEMinimumVoltage: c.RationalNumber = element()
    EVSEPowerRampLimitation: c.RationalNumber | None = element(default=None)


class DC_ChargeParameterDiscoveryRes(c.ChargeParameterDiscoveryRes, ns=DC, element=True):
    """Message ``DC_ChargeParameterDiscoveryRes``."""

    DC_CPDResEnergyTransferMode: m.DC_CPDResEnergyTransferMode = element(ref=True)


class DC_CableCheckReq(c.V2GRequest, ns=DC, element=True):
    """Message ``DC_CableCheckReq``."""


class DC_CableCheckRes(c.V2GResponse, ns=DC, element=True):
    """Message ``DC_CableCheckRes``."""

    EVSEProcessing: c.processing = element()


class DC_PreChargeReq(c.V2GRequest, ns=DC, element=True):
    """Message ``DC_PreChargeReq``.

    ``EVPresentVoltage``: V.
    ``EVTargetVoltage``: V.
    """

    EVProcessing: c.processing = element()
    EVPresentVoltage: c.RationalNumber = element()
    EVTargetVoltage: c.RationalNumber = element()


class DC_PreChargeRes(c.V2GResponse, ns=DC, element=True):
    """Message ``DC_PreChargeRes``.

    ``EVSEPresentVoltage``: V.
    """

    EVSEPresentVoltage: c.RationalNumber = element()


class DC_ChargeLoopReq(c.ChargeLoopReq, ns=DC, element=True):
    """Message ``DC_ChargeLoopReq``.

    ``EVPresentVoltage``: V.
    """

    EVPresentVoltage: c.RationalNumber = element()
    CLReqControlMode: c.CLReqControlMode = element()


class DC_ChargeLoopRes(c.ChargeLoopRes, ns=DC, element=True):
    """Message ``DC_ChargeLoopRes``.

    ``EVSEPresentCurrent``: A.
    ``EVSEPresentVoltage``: V.
    """

    EVSEPresentCurrent: c.RationalNumber = element()
    EVSEPresentVoltage: c.RationalNumber = element()
    EVSEPowerLimitAchieved: bool = element(BOOLEAN)
    EVSECurrentLimitAchieved: bool = element(BOOLEAN)
    EVSEVoltageLimitAchieved: bool = element(BOOLEAN)
    CLResControlMode: c.CLResControlMode = element()


class DC_WeldingDetectionReq(c.V2GRequest, ns=DC, element=True):
    """Message ``DC_WeldingDetectionReq``."""

    EVProcessing: c.processing = element()


class DC_WeldingDetectionRes(c.V2GResponse, ns=DC, element=True):
    """Message ``DC_WeldingDetectionRes``.

    ``EVSEPresentVoltage``: V.
    """

    EVSEPresentVoltage: c.RationalNumber = element()


class BPT_DC_CPDReqEnergyTransferMode(DC_CPDReqEnergyTransferMode, element=True):
    """Element and type ``BPT_DC_CPDReqEnergyTransferMode``.

    ``EVMaximumDischargePower``: W.
    ``EVMinimumDischargePower``: W.
    ``EVMaximumDischargeCurrent``: A.
    ``EVMinimumDischargeCurrent``: A.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMaximumDischargeCurrent: c.RationalNumber = element()
    EVMinimumDischargeCurrent: c.RationalNumber = element()


class BPT_DC_CPDResEnergyTransferMode(DC_CPDResEnergyTransferMode, element=True):
    """Element and type ``BPT_DC_CPDResEnergyTransferMode``.

    ``EVSEMaximumDischargePower``: W.
    ``EVSEMinimumDischargePower``: W.
    ``EVSEMaximumDischargeCurrent``: A.
    ``EVSEMinimumDischargeCurrent``: A.
    """

    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMinimumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargeCurrent: c.RationalNumber = element()
    EVSEMinimumDischargeCurrent: c.RationalNumber = element()


class Scheduled_DC_CLReqControlMode(c.Scheduled_CLReqControlMode, ns=DC, element=True):
    """Element and type ``Scheduled_DC_CLReqControlMode``.

    ``EVTargetCurrent``: A.
    ``EVTargetVoltage``: V.
    ``EVMaximumChargePower``: W.
    ``EVMinimumChargePower``: W.
    ``EVMaximumChargeCurrent``: A.
    ``EVMaximumVoltage``: V.
    ``EVMinimumVoltage``: V.
    """

    EVTargetCurrent: c.RationalNumber = element()
    EVTargetVoltage: c.RationalNumber = element()
    EVMaximumChargePower: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower: c.RationalNumber | None = element(default=None)
    EVMaximumChargeCurrent: c.RationalNumber | None = element(default=None)
    EVMaximumVoltage: c.RationalNumber | None = element(default=None)
    EVMinimumVoltage: c.RationalNumber | None = element(default=None)


class Scheduled_DC_CLResControlMode(c.Scheduled_CLResControlMode, ns=DC, element=True):
    """Element and type ``Scheduled_DC_CLResControlMode``.

    ``EVSEMaximumChargePower``: W.
    ``EVSEMinimumChargePower``: W.
    ``EVSEMaximumChargeCurrent``: A.
    ``EVSEMaximumVoltage``: V.
    """

    EVSEMaximumChargePower: c.RationalNumber | None = element(default=None)
    EVSEMinimumChargePower: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargeCurrent: c.RationalNumber | None = element(default=None)
    EVSEMaximumVoltage: c.RationalNumber | None = element(default=None)


class BPT_Scheduled_DC_CLReqControlMode(Scheduled_DC_CLReqControlMode, element=True):
    """Element and type ``BPT_Scheduled_DC_CLReqControlMode``.

    ``EVMaximumDischargePower``: W.
    ``EVMinimumDischargePower``: W.
    ``EVMaximumDischargeCurrent``: A.
    """

    EVMaximumDischargePower: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeCurrent: c.RationalNumber | None = element(default=None)


class BPT_Scheduled_DC_CLResControlMode(Scheduled_DC_CLResControlMode, element=True):
    """Element and type ``BPT_Scheduled_DC_CLResControlMode``.

    ``EVSEMaximumDischargePower``: W.
    ``EVSEMinimumDischargePower``: W.
    ``EVSEMaximumDischargeCurrent``: A.
    ``EVSEMinimumVoltage``: V.
    """

    EVSEMaximumDischargePower: c.RationalNumber | None = element(default=None)
    EVSEMinimumDischargePower: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargeCurrent: c.RationalNumber | None = element(default=None)
    EVSEMinimumVoltage: c.RationalNumber | None = element(default=None)


class Dynamic_DC_CLReqControlMode(c.Dynamic_CLReqControlMode, ns=DC, element=True):
    """Element and type ``Dynamic_DC_CLReqControlMode``.

    ``EVMaximumChargePower``: W.
    ``EVMinimumChargePower``: W.
    ``EVMaximumChargeCurrent``: A.
    ``EVMaximumVoltage``: V.
    ``EVMinimumVoltage``: V.
    """

    EVMaximumChargePower: c.RationalNumber = element()
    EVMinimumChargePower: c.RationalNumber = element()
    EVMaximumChargeCurrent: c.RationalNumber = element()
    EVMaximumVoltage: c.RationalNumber = element()
    EVMinimumVoltage: c.RationalNumber = element()


class Dynamic_DC_CLResControlMode(c.Dynamic_CLResControlMode, ns=DC, element=True):
    """Element and type ``Dynamic_DC_CLResControlMode``.

    ``EVSEMaximumChargePower``: W.
    ``EVSEMinimumChargePower``: W.
    ``EVSEMaximumChargeCurrent``: A.
    ``EVSEMaximumVoltage``: V.
    """

    EVSEMaximumChargePower: c.RationalNumber = element()
    EVSEMinimumChargePower: c.RationalNumber = element()
    EVSEMaximumChargeCurrent: c.RationalNumber = element()
    EVSEMaximumVoltage: c.RationalNumber = element()


class BPT_Dynamic_DC_CLReqControlMode(Dynamic_DC_CLReqControlMode, element=True):
    """Element and type ``BPT_Dynamic_DC_CLReqControlMode``.

    ``EVMaximumDischargePower``: W.
    ``EVMinimumDischargePower``: W.
    ``EVMaximumDischargeCurrent``: A.
    ``EVMaximumV2XEnergyRequest``: Wh.
    ``EVMinimumV2XEnergyRequest``: Wh.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMaximumDischargeCurrent: c.RationalNumber = element()
    EVMaximumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMinimumV2XEnergyRequest: c.RationalNumber | None = element(default=None)


class BPT_Dynamic_DC_CLResControlMode(Dynamic_DC_CLResControlMode, element=True):
    """Element and type ``BPT_Dynamic_DC_CLResControlMode``.

    ``EVSEMaximumDischargePower``: W.
    ``EVSEMinimumDischargePower``: W.
    ``EVSEMaximumDischargeCurrent``: A.
    ``EVSEMinimumVoltage``: V.
    """

    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMinimumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargeCurrent: c.RationalNumber = element()
    EVSEMinimumVoltage: c.RationalNumber = element()


SET = MessageSet(
    "iso20-dc",
    namespaces={"ns7": DC},
    modules=(m,),
    includes=(c.SET,),
)

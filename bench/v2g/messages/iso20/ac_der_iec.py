"""ISO 15118-20 Amendment 1, AC charging with grid support (IEC; set ``iso20-ac-der-iec``).

The schema has no message of its own: it imports that for AC and adds six elements that may stand in the place
of elements there. The messages are those of ``iso20-ac`` in a grammar with more members: name the schema when
one is encoded.

Source: names, order, occurrence and types are those in the codec that EVerest generated from the schema
(lib/everest/cbv2g, iso20_AC_DER_IEC). What is added has a namespace of its own, as EXIficient shows it with
the schema of ISO (OpenChargingCloud/WWCP_ISO15118). Units are in neither: they follow from the names.
"""

from enum import StrEnum

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.ac_der_iec as m  # noqa: PLW0406
from bench.exi.declare import MessageSet, Record, element
from bench.exi.values import BOOLEAN, UNSIGNED_BYTE, UNSIGNED_INT, UNSIGNED_SHORT
from bench.v2g.messages.iso20 import ac
from bench.v2g.messages.iso20 import commontypes as c

AC_DER_IEC = "urn:iso:std:iso:15118:-20:AC-DER-IEC"


class powerFactorExcitation(StrEnum):
    """powerFactorExcitationType: members in schema order, which is the order of their codes."""

    OverExcited = "OverExcited"
    UnderExcited = "UnderExcited"


class curveDataPointsUnit(StrEnum):
    """curveDataPointsUnitType: members in schema order, which is the order of their codes."""

    V = "V"
    Hz = "Hz"
    W = "W"
    s = "s"
    var = "var"


class lockValueUnit(StrEnum):
    """lockValueUnitType: members in schema order, which is the order of their codes."""

    V = "V"
    Hz = "Hz"
    W = "W"
    s = "s"
    var = "var"


class powerReference(StrEnum):
    """powerReferenceType: members in schema order, which is the order of their codes."""

    MaximumDischargePower = "MaximumDischargePower"
    MomentaryPower = "MomentaryPower"


class evOperatingMode(StrEnum):
    """evOperatingModeType: members in schema order, which is the order of their codes."""

    GridFollowing = "GridFollowing"
    GridForming = "GridForming"


class gridConnectionMode(StrEnum):
    """gridConnectionModeType: members in schema order, which is the order of their codes."""

    GridConnected = "GridConnected"
    GridIslanded = "GridIslanded"


class SetpointExcitation(Record, ns=AC_DER_IEC):
    """Type ``SetpointExcitationType``.

    ``SetpointValue``: in the unit that the curve names.
    """

    SetpointValue: c.RationalNumber = element()
    Excitation: m.powerFactorExcitation | None = element(default=None)


class DataTuple(Record, ns=AC_DER_IEC):
    """Type ``DataTupleType``.

    ``xValue``: in the unit that the curve names.
    ``yValue``: in the unit that the curve names.
    """

    xValue: c.RationalNumber = element()
    yValue: m.SetpointExcitation = element()


class CurveDataPointsList(Record, ns=AC_DER_IEC):
    """Type ``CurveDataPointsListType``.

    ``CurveDataPoint``: 2 to 10 points.
    """

    CurveDataPoint: list[m.DataTuple] = element(min=2, max=10)


class DERCurve(Record, ns=AC_DER_IEC):
    """Type ``DERCurveType``.

    ``LockInValue``: in LockValueUnit.
    ``LockOutValue``: in LockValueUnit.
    ``StepResponseTimeConstantReactivePower``: s.
    ``IntentionalDelay``: s.
    """

    xUnit: m.curveDataPointsUnit = element()
    yUnit: m.curveDataPointsUnit = element()
    CurveDataPoints: m.CurveDataPointsList = element()
    MinCosPhi: c.RationalNumber | None = element(default=None)
    LockValueUnit: m.lockValueUnit | None = element(default=None)
    LockInValue: c.RationalNumber | None = element(default=None)
    LockOutValue: c.RationalNumber | None = element(default=None)
    PT1ResponseReactivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantReactivePower: c.RationalNumber = element()
    IntentionalDelay: c.RationalNumber | None = element(default=None)


class FrequencyWatt(Record, ns=AC_DER_IEC):
    """Type ``FrequencyWattType``.

    ``Fstart``: Hz.
    ``Fstop``: Hz.
    ``IntentionalDelayFstop``: s.
    ``DeactivationTime``: s.
    ``IntentionalDelayPowerControl``: s.
    ``StepResponseTimeConstantActivePower``: s.
    """

    Fstart: c.RationalNumber = element()
    Fstop: c.RationalNumber = element()
    IntentionalDelayFstop: int | None = element(UNSIGNED_SHORT, default=None)
    Slope: c.RationalNumber = element()
    DeactivationTime: int | None = element(UNSIGNED_SHORT, default=None)
    IntentionalDelayPowerControl: int | None = element(UNSIGNED_SHORT, default=None)
    PowerReference: m.powerReference = element()
    HysteresisControl: bool = element(BOOLEAN)
    PowerUpRamp: int | None = element(UNSIGNED_SHORT, default=None)
    PT1ResponseActivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantActivePower: c.RationalNumber = element()


class VoltWatt(Record, ns=AC_DER_IEC):
    """Type ``VoltWattType``.

    ``UStart``: V.
    ``UStop``: V.
    ``StepResponseTimeConstantActivePower``: s.
    ``IntentionalDelayPowerControl``: s.
    """

    PowerReference: m.powerReference = element()
    UStart: c.RationalNumber = element()
    UStop: c.RationalNumber = element()
    PT1ResponseActivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantActivePower: c.RationalNumber = element()
    IntentionalDelayPowerControl: int | None = element(UNSIGNED_INT, default=None)


class FaultRideThrough(Record, ns=AC_DER_IEC):
    """Type ``FaultRideThroughType``.

    ``VoltageLimitStartFRT``: V.
    ``VoltageLimitStopFRT``: V.
    ``VoltageRecoveryLimit``: V.
    ``StepResponseTimeConstantActivePower``: s.
    ``StepResponseTimeConstantReactivePower``: s.
    """

    VoltageLimitStartFRT: c.RationalNumber = element()
    VoltageLimitStopFRT: c.RationalNumber | None = element(default=None)
    VoltageRecoveryLimit: c.RationalNumber | None = element(default=None)
    VoltageRideThroughPositiveCurveKFactor: c.RationalNumber | None = element(default=None)
    VoltageRideThroughNegativeCurveKFactor: c.RationalNumber | None = element(default=None)
    PT1ResponseActivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantActivePower: c.RationalNumber = element()
    PT1ResponseReactivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantReactivePower: c.RationalNumber = element()


class ZeroCurrent(Record, ns=AC_DER_IEC):
    """Type ``ZeroCurrentType``.

    ``OverVoltageLimit``: V.
    ``UnderVoltageLimit``: V.
    ``OverVoltageRecoveryLimit``: V.
    ``UnderVoltageRecoveryLimit``: V.
    ``StepResponseTimeConstantActivePower``: s.
    ``StepResponseTimeConstantReactivePower``: s.
    """

    OverVoltageLimit: c.RationalNumber | None = element(default=None)
    UnderVoltageLimit: c.RationalNumber | None = element(default=None)
    OverVoltageRecoveryLimit: c.RationalNumber | None = element(default=None)
    UnderVoltageRecoveryLimit: c.RationalNumber | None = element(default=None)
    PT1ResponseActivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantActivePower: c.RationalNumber = element()
    PT1ResponseReactivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantReactivePower: c.RationalNumber = element()


class ReactivePowerSupport(Record, ns=AC_DER_IEC):
    """Type ``ReactivePowerSupportType``: exactly one of the curves."""

    VoltVar: m.DERCurve | None = element(default=None, one_of="curve")
    WattVar: m.DERCurve | None = element(default=None, one_of="curve")
    WattCosPhi: m.DERCurve | None = element(default=None, one_of="curve")


class ActivePowerSupport(Record, ns=AC_DER_IEC):
    """Type ``ActivePowerSupportType``."""

    UnderFrequencyWatt: m.FrequencyWatt | None = element(default=None)
    OverFrequencyWatt: m.FrequencyWatt | None = element(default=None)
    VoltWatt: m.VoltWatt | None = element(default=None)


class EVReactivePowerLimits(Record, ns=AC_DER_IEC):
    """Type ``EVReactivePowerLimitsType``.

    ``EVMaximumChargeReactivePower``, ``_L2``, ``_L3``: var.
    ``EVMinimumChargeReactivePower``, ``_L2``, ``_L3``: var.
    ``EVMaximumDischargeReactivePower``, ``_L2``, ``_L3``: var.
    ``EVMinimumDischargeReactivePower``, ``_L2``, ``_L3``: var.
    """

    EVMaximumChargeReactivePower: c.RationalNumber = element()
    EVMaximumChargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumChargeReactivePower: c.RationalNumber | None = element(default=None)
    EVMinimumChargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumChargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower: c.RationalNumber = element()
    EVMaximumDischargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargeReactivePower: c.RationalNumber | None = element(default=None)
    EVMinimumDischargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargeReactivePower_L3: c.RationalNumber | None = element(default=None)


class DSOQSetpoint(Record, ns=AC_DER_IEC):
    """Type ``DSOQSetpointType``.

    ``DSOQSetpointValue``, ``_L2``, ``_L3``: var.
    ``StepResponseTimeConstantReactivePower``: s.
    """

    DSOQSetpointValue: c.RationalNumber = element()
    DSOQSetpointValue_L2: c.RationalNumber | None = element(default=None)
    DSOQSetpointValue_L3: c.RationalNumber | None = element(default=None)
    PT1ResponseReactivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantReactivePower: c.RationalNumber = element()


class DERControl(Record, ns=AC_DER_IEC):
    """Type ``DERControlType``."""

    OvervoltageFaultRideThrough: m.FaultRideThrough | None = element(default=None)
    UndervoltageFaultRideThrough: m.FaultRideThrough | None = element(default=None)
    ZeroCurrent: m.ZeroCurrent | None = element(default=None)
    ReactivePowerSupport: m.ReactivePowerSupport | None = element(default=None)
    ActivePowerSupport: m.ActivePowerSupport | None = element(default=None)
    MaximumLevelDCInjection: c.RationalNumber | None = element(default=None)


class DSOCosPhiSetpoint(Record, ns=AC_DER_IEC):
    """Type ``DSOCosPhiSetpointType``.

    ``StepResponseTimeConstantReactivePower``: s.
    """

    DSOCosPhiSetpointValue: c.RationalNumber = element()
    DSOCosPhiSetpointValue_L2: c.RationalNumber | None = element(default=None)
    DSOCosPhiSetpointValue_L3: c.RationalNumber | None = element(default=None)
    Excitation: m.powerFactorExcitation = element()
    PT1ResponseReactivePower: bool = element(BOOLEAN)
    StepResponseTimeConstantReactivePower: c.RationalNumber = element()


class DER_AC_CPDReqEnergyTransferMode(ac.AC_CPDReqEnergyTransferMode, ns=AC_DER_IEC, element=True):
    """May stand for ``AC_CPDReqEnergyTransferMode``.

    ``EVMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMinimumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSessionTotalDischargeEnergyAvailable``: Wh.
    """

    EVProcessing: c.processing = element()
    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSessionTotalDischargeEnergyAvailable: c.RationalNumber | None = element(default=None)
    EVReactivePowerLimits: m.EVReactivePowerLimits | None = element(default=None)


class DER_AC_CPDResEnergyTransferMode(ac.AC_CPDResEnergyTransferMode, ns=AC_DER_IEC, element=True):
    """May stand for ``AC_CPDResEnergyTransferMode``.

    ``EVSENominalChargePower``, ``_L2``, ``_L3``: W.
    ``EVSENominalDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSEMaximumDischargePower``, ``_L2``, ``_L3``: W.
    """

    EVSENominalChargePower: c.RationalNumber = element()
    EVSENominalChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSENominalChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSENominalDischargePower: c.RationalNumber = element()
    EVSENominalDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSENominalDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVOperatingMode: m.evOperatingMode = element()
    GridConnectionMode: m.gridConnectionMode = element()
    DERControl: m.DERControl = element()


class DER_Dynamic_AC_CLReqControlMode(ac.Dynamic_AC_CLReqControlMode, ns=AC_DER_IEC, element=True):
    """May stand for ``Dynamic_AC_CLReqControlMode``.

    ``EVMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMinimumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMaximumChargeReactivePower``, ``_L2``, ``_L3``: var.
    ``EVMaximumDischargeReactivePower``, ``_L2``, ``_L3``: var.
    ``EVMaximumV2XEnergyRequest``: Wh.
    ``EVMinimumV2XEnergyRequest``: Wh.
    ``EVSessionTotalDischargeEnergyAvailable``: Wh.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    GridEventCondition: int = element(UNSIGNED_BYTE)
    EVMaximumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMinimumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    EVSessionTotalDischargeEnergyAvailable: c.RationalNumber | None = element(default=None)


class DER_Dynamic_AC_CLResControlMode(ac.Dynamic_AC_CLResControlMode, ns=AC_DER_IEC, element=True):
    """May stand for ``Dynamic_AC_CLResControlMode``.

    ``EVSEMaximumChargePower``, ``_L2``, ``_L3``: W.
    ``EVSEMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``DSOMaximumDischargePower``, ``_L2``, ``_L3``: W.
    """

    EVSEMaximumChargePower: c.RationalNumber = element()
    EVSEMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    DSOMaximumDischargePower: c.RationalNumber | None = element(default=None)
    DSOMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    DSOMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    DSOQSetpoint: m.DSOQSetpoint | None = element(default=None)
    DSOCosPhiSetpoint: m.DSOCosPhiSetpoint | None = element(default=None)


class DER_Scheduled_AC_CLReqControlMode(ac.Scheduled_AC_CLReqControlMode, ns=AC_DER_IEC, element=True):
    """May stand for ``Scheduled_AC_CLReqControlMode``.

    ``EVMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMinimumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMaximumChargeReactivePower``, ``_L2``, ``_L3``: var.
    ``EVMaximumDischargeReactivePower``, ``_L2``, ``_L3``: var.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumChargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargeReactivePower_L3: c.RationalNumber | None = element(default=None)
    GridEventCondition: int = element(UNSIGNED_BYTE)


class DER_Scheduled_AC_CLResControlMode(ac.Scheduled_AC_CLResControlMode, ns=AC_DER_IEC, element=True):
    """May stand for ``Scheduled_AC_CLResControlMode``.

    ``EVSEMaximumChargePower``, ``_L2``, ``_L3``: W.
    ``EVSEMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``DSOMaximumDischargePower``, ``_L2``, ``_L3``: W.
    """

    EVSEMaximumChargePower: c.RationalNumber = element()
    EVSEMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    DSOMaximumDischargePower: c.RationalNumber | None = element(default=None)
    DSOMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    DSOMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    DSOQSetpoint: m.DSOQSetpoint | None = element(default=None)
    DSOCosPhiSetpoint: m.DSOCosPhiSetpoint | None = element(default=None)


SET = MessageSet(
    "iso20-ac-der-iec",
    namespaces={"ns8": AC_DER_IEC},
    modules=(m,),
    includes=(ac.SET,),
)

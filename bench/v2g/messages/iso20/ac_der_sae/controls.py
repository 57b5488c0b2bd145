"""Functions of grid support that a charger asks for (ISO 15118-20 Amendment 1, SAE J3072), with settings."""

# fields carry the names of the schema

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.ac_der_sae.controls as m  # noqa: PLW0406
from bench.exi.declare import Record, element
from bench.exi.values import BOOLEAN, UNSIGNED_INT, UNSIGNED_SHORT
from bench.v2g.messages.iso20 import commontypes as c
from bench.v2g.messages.iso20.ac_der_sae import enums as e
from bench.v2g.messages.iso20.ac_der_sae.enums import AC_DER_SAE


class DataTuple(Record, ns=AC_DER_SAE):
    """Type ``DataTupleType``.

    ``xValue``: in the unit that the curve names.
    ``yValue``: in the unit that the curve names.
    """

    xValue: c.RationalNumber = element()
    yValue: c.RationalNumber = element()


class FrequencyDroopSettings(Record, ns=AC_DER_SAE):
    """Type ``FrequencyDroopSettingsType``.

    ``db``: Hz.
    ``OpenLoopResponseTime``: s.
    """

    db: c.RationalNumber = element()
    DroopFactor: c.RationalNumber = element()
    DroopFactor_L2: c.RationalNumber | None = element(default=None)
    DroopFactor_L3: c.RationalNumber | None = element(default=None)
    PowerReference: e.powerReference = element()
    PowerReference_L2: e.powerReference | None = element(default=None)
    PowerReference_L3: e.powerReference | None = element(default=None)
    OpenLoopResponseTime: c.RationalNumber = element()


class CurveDataPointsList(Record, ns=AC_DER_SAE):
    """Type ``CurveDataPointsListType``.

    ``CurveDataPoint``: 2 to 10 points.
    """

    CurveDataPoint: list[m.DataTuple] = element(min=2, max=10)


class DERCurve(Record, ns=AC_DER_SAE):
    """Type ``DERCurveType``."""

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    xUnit: e.derUnit = element()
    yUnit: e.derUnit = element()
    CurveDataPoints: m.CurveDataPointsList = element()
    CurveDataPoints_L2: m.CurveDataPointsList | None = element(default=None)
    CurveDataPoints_L3: m.CurveDataPointsList | None = element(default=None)


class ConstantPowerFactor(Record, ns=AC_DER_SAE):
    """Type ``ConstantPowerFactorType``."""

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    PowerFactorValue: c.RationalNumber = element()
    PowerFactorValue_L2: c.RationalNumber | None = element(default=None)
    PowerFactorValue_L3: c.RationalNumber | None = element(default=None)
    PowerFactorExcitation: e.powerFactorExcitation = element()
    PowerFactorExcitation_L2: e.powerFactorExcitation | None = element(default=None)
    PowerFactorExcitation_L3: e.powerFactorExcitation | None = element(default=None)


class FrequencyDroop(Record, ns=AC_DER_SAE):
    """Type ``FrequencyDroopType``."""

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    OverFrequencyDroop: m.FrequencyDroopSettings | None = element(default=None)
    UnderFrequencyDroop: m.FrequencyDroopSettings | None = element(default=None)


class VoltVar(Record, ns=AC_DER_SAE):
    """Type ``VoltVarType``.

    ``OpenLoopResponseTime``: s.
    ``TimeConstantPT1``: s.
    ``ReferenceVoltage``: V.
    ``ReferenceVoltageAdjustmentTimeConstant``: s.
    """

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    xUnit: e.derUnit = element()
    yUnit: e.derUnit = element()
    CurveDataPoints: m.CurveDataPointsList = element()
    CurveDataPoints_L2: m.CurveDataPointsList | None = element(default=None)
    CurveDataPoints_L3: m.CurveDataPointsList | None = element(default=None)
    OpenLoopResponseTime: c.RationalNumber = element()
    TimeConstantPT1: int | None = element(UNSIGNED_INT, default=None)
    ReferenceVoltage: c.RationalNumber = element()
    AutonomousReferenceVoltageAdjustmentEnable: bool = element(BOOLEAN)
    ReferenceVoltageAdjustmentTimeConstant: int = element(UNSIGNED_INT)


class VoltWatt(Record, ns=AC_DER_SAE):
    """Type ``VoltWattType``.

    ``OpenLoopResponseTime``: s.
    ``TimeConstantPT1``: s.
    """

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    xUnit: e.derUnit = element()
    yUnit: e.derUnit = element()
    CurveDataPoints: m.CurveDataPointsList = element()
    CurveDataPoints_L2: m.CurveDataPointsList | None = element(default=None)
    CurveDataPoints_L3: m.CurveDataPointsList | None = element(default=None)
    OpenLoopResponseTime: c.RationalNumber = element()
    TimeConstantPT1: int | None = element(UNSIGNED_INT, default=None)


class WattVar(Record, ns=AC_DER_SAE):
    """Type ``WattVarType``.

    ``OpenLoopResponseTime``: s.
    ``TimeConstantPT1``: s.
    """

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    xUnit: e.derUnit = element()
    yUnit: e.derUnit = element()
    CurveDataPoints: m.CurveDataPointsList = element()
    CurveDataPoints_L2: m.CurveDataPointsList | None = element(default=None)
    CurveDataPoints_L3: m.CurveDataPointsList | None = element(default=None)
    OpenLoopResponseTime: c.RationalNumber | None = element(default=None)
    TimeConstantPT1: int | None = element(UNSIGNED_INT, default=None)


class ConstantWatt(Record, ns=AC_DER_SAE):
    """Type ``ConstantWattType``.

    ``WattSetpoint``, ``_L2``, ``_L3``: in Unit.
    """

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    WattSetpoint: c.RationalNumber = element()
    WattSetpoint_L2: c.RationalNumber | None = element(default=None)
    WattSetpoint_L3: c.RationalNumber | None = element(default=None)
    Unit: e.derUnit = element()


class ConstantVar(Record, ns=AC_DER_SAE):
    """Type ``ConstantVarType``.

    ``VarSetpoint``: in Unit.
    """

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    VarSetpoint: c.RationalNumber = element()
    VarSetpoint_L2: c.RationalNumber | None = element(default=None)
    VarSetpoint_L3: c.RationalNumber | None = element(default=None)
    Unit: e.derUnit = element()


class LimitMaxDischargePower(Record, ns=AC_DER_SAE):
    """Type ``LimitMaxDischargePowerType``.

    ``PercentageValue``: %.
    ``OpenLoopResponseTime``: s.
    """

    Enable: bool = element(BOOLEAN)
    Priority: int | None = element(UNSIGNED_SHORT, default=None)
    PercentageValue: int = element(UNSIGNED_SHORT)
    PercentageValue_L2: int | None = element(UNSIGNED_SHORT, default=None)
    PercentageValue_L3: int | None = element(UNSIGNED_SHORT, default=None)
    OpenLoopResponseTime: c.RationalNumber | None = element(default=None)


class VoltageTrip(Record, ns=AC_DER_SAE):
    """Type ``VoltageTripType``."""

    OverVoltageMustTripCurve: m.DERCurve = element()
    UnderVoltageMustTripCurve: m.DERCurve = element()
    OverVoltageMomentaryCessationTripCurve: m.DERCurve | None = element(default=None)
    UnderVoltageMomentaryCessationTripCurve: m.DERCurve | None = element(default=None)
    OverVoltageMayTripCurve: m.DERCurve | None = element(default=None)
    UnderVoltageMayTripCurve: m.DERCurve | None = element(default=None)


class FrequencyTrip(Record, ns=AC_DER_SAE):
    """Type ``FrequencyTripType``."""

    OverFrequencyMustTripCurve: m.DERCurve = element()
    UnderFrequencyMustTripCurve: m.DERCurve = element()
    OverFrequencyMayTripCurve: m.DERCurve | None = element(default=None)
    UnderFrequencyMayTripCurve: m.DERCurve | None = element(default=None)


class EnterServiceCPDRes(Record, ns=AC_DER_SAE):
    """Type ``EnterServiceCPDResType``.

    ``EnterServiceVoltageHigh``: V.
    ``EnterServiceVoltageLow``: V.
    ``EnterServiceFrequencyHigh``: Hz.
    ``EnterServiceFrequencyLow``: Hz.
    ``EnterServiceDelay``: s.
    ``EnterServiceRandomizedDelay``: s.
    ``EnterServiceRampTime``: s.
    """

    PermitService: bool = element(BOOLEAN)
    EnterServiceVoltageHigh: c.RationalNumber = element()
    EnterServiceVoltageLow: c.RationalNumber = element()
    EnterServiceFrequencyHigh: c.RationalNumber = element()
    EnterServiceFrequencyLow: c.RationalNumber = element()
    EnterServiceDelay: c.RationalNumber | None = element(default=None)
    EnterServiceRandomizedDelay: c.RationalNumber | None = element(default=None)
    EnterServiceRampTime: c.RationalNumber | None = element(default=None)


class EnterServiceCLRes(Record, ns=AC_DER_SAE):
    """Type ``EnterServiceCLResType``.

    ``EnterServiceVoltageHigh``: V.
    ``EnterServiceVoltageLow``: V.
    ``EnterServiceFrequencyHigh``: Hz.
    ``EnterServiceFrequencyLow``: Hz.
    ``EnterServiceDelay``: s.
    ``EnterServiceRandomizedDelay``: s.
    ``EnterServiceRampTime``: s.
    """

    PermitService: bool = element(BOOLEAN)
    EnterServiceVoltageHigh: c.RationalNumber | None = element(default=None)
    EnterServiceVoltageLow: c.RationalNumber | None = element(default=None)
    EnterServiceFrequencyHigh: c.RationalNumber | None = element(default=None)
    EnterServiceFrequencyLow: c.RationalNumber | None = element(default=None)
    EnterServiceDelay: c.RationalNumber | None = element(default=None)
    EnterServiceRandomizedDelay: c.RationalNumber | None = element(default=None)
    EnterServiceRampTime: c.RationalNumber | None = element(default=None)


class ReactivePowerSupportCPDRes(Record, ns=AC_DER_SAE):
    """Type ``ReactivePowerSupportCPDResType``."""

    ConstantPowerFactor: m.ConstantPowerFactor = element()
    VoltVar: m.VoltVar = element()
    WattVar: m.WattVar = element()
    ConstantVar: m.ConstantVar = element()


class ReactivePowerSupportCLRes(Record, ns=AC_DER_SAE):
    """Type ``ReactivePowerSupportCLResType``."""

    ConstantPowerFactor: m.ConstantPowerFactor | None = element(default=None)
    VoltVar: m.VoltVar | None = element(default=None)
    WattVar: m.WattVar | None = element(default=None)
    ConstantVar: m.ConstantVar | None = element(default=None)


class ActivePowerSupportCPDRes(Record, ns=AC_DER_SAE):
    """Type ``ActivePowerSupportCPDResType``."""

    FrequencyDroop: m.FrequencyDroop = element()
    VoltWatt: m.VoltWatt = element()
    ConstantWatt: m.ConstantWatt = element()
    LimitMaxDischargePower: m.LimitMaxDischargePower = element()


class ActivePowerSupportCLRes(Record, ns=AC_DER_SAE):
    """Type ``ActivePowerSupportCLResType``."""

    FrequencyDroop: m.FrequencyDroop | None = element(default=None)
    VoltWatt: m.VoltWatt | None = element(default=None)
    ConstantWatt: m.ConstantWatt | None = element(default=None)
    LimitMaxDischargePower: m.LimitMaxDischargePower | None = element(default=None)


class DERControlCLRes(Record, ns=AC_DER_SAE):
    """Type ``DERControlCLResType``."""

    VoltageTrip: m.VoltageTrip | None = element(default=None)
    FrequencyTrip: m.FrequencyTrip | None = element(default=None)
    EnterServiceCLRes: m.EnterServiceCLRes = element()
    ReactivePowerSupportCLRes: m.ReactivePowerSupportCLRes | None = element(default=None)
    ActivePowerSupportCLRes: m.ActivePowerSupportCLRes | None = element(default=None)


class DERControlCPDRes(Record, ns=AC_DER_SAE):
    """Type ``DERControlCPDResType``."""

    VoltageTrip: m.VoltageTrip = element()
    FrequencyTrip: m.FrequencyTrip = element()
    EnterServiceCPDRes: m.EnterServiceCPDRes = element()
    ReactivePowerSupportCPDRes: m.ReactivePowerSupportCPDRes = element()
    ActivePowerSupportCPDRes: m.ActivePowerSupportCPDRes = element()

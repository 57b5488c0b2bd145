"""ISO 15118-20 message set for AC charging (``iso20-ac``)."""

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.ac as m  # noqa: PLW0406
from bench.exi.declare import MessageSet, Record, element
from bench.v2g.messages.iso20 import commontypes as c

AC = "urn:iso:std:iso:15118:-20:AC"


class AC_CPDReqEnergyTransferMode(Record, ns=AC, element=True, replaceable=True):
    """Element and type ``AC_CPDReqEnergyTransferMode``.

    ``EVMaximumChargePower``: W.
    ``EVMaximumChargePower_L2``: W.
    ``EVMaximumChargePower_L3``: W.
    ``EVMinimumChargePower``: W.
    ``EVMinimumChargePower_L2``: W.
    ``EVMinimumChargePower_L3``: W.
    """

    EVMaximumChargePower: c.RationalNumber = element()
    EVMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower: c.RationalNumber = element()
    EVMinimumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower_L3: c.RationalNumber | None = element(default=None)


class AC_ChargeParameterDiscoveryReq(c.ChargeParameterDiscoveryReq, ns=AC, element=True):
    """Message ``AC_ChargeParameterDiscoveryReq``."""

    AC_CPDReqEnergyTransferMode: m.AC_CPDReqEnergyTransferMode = element(ref=True)


class AC_CPDResEnergyTransferMode(Record, ns=AC, element=True, replaceable=True):
    """Element and type ``AC_CPDResEnergyTransferMode``.

    ``EVSEMaximumChargePower``: W.
    ``EVSEMaximumChargePower_L2``: W.
    ``EVSEMaximumChargePower_L3``: W.
    ``EVSEMinimumChargePower``: W.
    ``EVSEMinimumChargePower_L2``: W.
    ``EVSEMinimumChargePower_L3``: W.
    ``EVSENominalFrequency``: Hz.
    ``MaximumPowerAsymmetry``: W.
    ``EVSEPresentActivePower``: W.
    ``EVSEPresentActivePower_L2``: W.
    ``EVSEPresentActivePower_L3``: W.
    """

    EVSEMaximumChargePower: c.RationalNumber = element()
    EVSEMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMinimumChargePower: c.RationalNumber = element()
    EVSEMinimumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMinimumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSENominalFrequency: c.RationalNumber = element()
    MaximumPowerAsymmetry: c.RationalNumber | None = element(default=None)
    EVSEPowerRampLimitation: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower_L2: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower_L3: c.RationalNumber | None = element(default=None)


class AC_ChargeParameterDiscoveryRes(c.ChargeParameterDiscoveryRes, ns=AC, element=True):
    """Message ``AC_ChargeParameterDiscoveryRes``."""

    AC_CPDResEnergyTransferMode: m.AC_CPDResEnergyTransferMode = element(ref=True)


class AC_ChargeLoopReq(c.ChargeLoopReq, ns=AC, element=True):
    """Message ``AC_ChargeLoopReq``."""

    CLReqControlMode: c.CLReqControlMode = element()


class AC_ChargeLoopRes(c.ChargeLoopRes, ns=AC, element=True):
    """Message ``AC_ChargeLoopRes``.

    ``EVSETargetFrequency``: Hz.
    """

    EVSETargetFrequency: c.RationalNumber | None = element(default=None)
    CLResControlMode: c.CLResControlMode = element()


class BPT_AC_CPDReqEnergyTransferMode(AC_CPDReqEnergyTransferMode, element=True):
    """Element and type ``BPT_AC_CPDReqEnergyTransferMode``.

    ``EVMaximumDischargePower``: W.
    ``EVMaximumDischargePower_L2``: W.
    ``EVMaximumDischargePower_L3``: W.
    ``EVMinimumDischargePower``: W.
    ``EVMinimumDischargePower_L2``: W.
    ``EVMinimumDischargePower_L3``: W.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)


class BPT_AC_CPDResEnergyTransferMode(AC_CPDResEnergyTransferMode, element=True):
    """Element and type ``BPT_AC_CPDResEnergyTransferMode``.

    ``EVSEMaximumDischargePower``: W.
    ``EVSEMaximumDischargePower_L2``: W.
    ``EVSEMaximumDischargePower_L3``: W.
    ``EVSEMinimumDischargePower``: W.
    ``EVSEMinimumDischargePower_L2``: W.
    ``EVSEMinimumDischargePower_L3``: W.
    """

    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMinimumDischargePower: c.RationalNumber = element()
    EVSEMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)


class Scheduled_AC_CLReqControlMode(c.Scheduled_CLReqControlMode, ns=AC, element=True):
    """Element and type ``Scheduled_AC_CLReqControlMode``.

    ``EVMaximumChargePower``: W.
    ``EVMaximumChargePower_L2``: W.
    ``EVMaximumChargePower_L3``: W.
    ``EVMinimumChargePower``: W.
    ``EVMinimumChargePower_L2``: W.
    ``EVMinimumChargePower_L3``: W.
    ``EVPresentActivePower``: W.
    ``EVPresentActivePower_L2``: W.
    ``EVPresentActivePower_L3``: W.
    ``EVPresentReactivePower``: var.
    ``EVPresentReactivePower_L2``: var.
    ``EVPresentReactivePower_L3``: var.
    """

    EVMaximumChargePower: c.RationalNumber | None = element(default=None)
    EVMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVPresentActivePower: c.RationalNumber = element()
    EVPresentActivePower_L2: c.RationalNumber | None = element(default=None)
    EVPresentActivePower_L3: c.RationalNumber | None = element(default=None)
    EVPresentReactivePower: c.RationalNumber | None = element(default=None)
    EVPresentReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVPresentReactivePower_L3: c.RationalNumber | None = element(default=None)


class Scheduled_AC_CLResControlMode(c.Scheduled_CLResControlMode, ns=AC, element=True):
    """Element and type ``Scheduled_AC_CLResControlMode``.

    ``EVSETargetActivePower``: W.
    ``EVSETargetActivePower_L2``: W.
    ``EVSETargetActivePower_L3``: W.
    ``EVSETargetReactivePower``: var.
    ``EVSETargetReactivePower_L2``: var.
    ``EVSETargetReactivePower_L3``: var.
    ``EVSEPresentActivePower``: W.
    ``EVSEPresentActivePower_L2``: W.
    ``EVSEPresentActivePower_L3``: W.
    """

    EVSETargetActivePower: c.RationalNumber | None = element(default=None)
    EVSETargetActivePower_L2: c.RationalNumber | None = element(default=None)
    EVSETargetActivePower_L3: c.RationalNumber | None = element(default=None)
    EVSETargetReactivePower: c.RationalNumber | None = element(default=None)
    EVSETargetReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVSETargetReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower_L2: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower_L3: c.RationalNumber | None = element(default=None)


class BPT_Scheduled_AC_CLReqControlMode(Scheduled_AC_CLReqControlMode, element=True):
    """Element and type ``BPT_Scheduled_AC_CLReqControlMode``.

    ``EVMaximumDischargePower``: W.
    ``EVMaximumDischargePower_L2``: W.
    ``EVMaximumDischargePower_L3``: W.
    ``EVMinimumDischargePower``: W.
    ``EVMinimumDischargePower_L2``: W.
    ``EVMinimumDischargePower_L3``: W.
    """

    EVMaximumDischargePower: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)


class BPT_Scheduled_AC_CLResControlMode(Scheduled_AC_CLResControlMode, element=True):
    """Element and type ``BPT_Scheduled_AC_CLResControlMode``."""


class Dynamic_AC_CLReqControlMode(c.Dynamic_CLReqControlMode, ns=AC, element=True):
    """Element and type ``Dynamic_AC_CLReqControlMode``.

    ``EVMaximumChargePower``: W.
    ``EVMaximumChargePower_L2``: W.
    ``EVMaximumChargePower_L3``: W.
    ``EVMinimumChargePower``: W.
    ``EVMinimumChargePower_L2``: W.
    ``EVMinimumChargePower_L3``: W.
    ``EVPresentActivePower``: W.
    ``EVPresentActivePower_L2``: W.
    ``EVPresentActivePower_L3``: W.
    ``EVPresentReactivePower``: var.
    ``EVPresentReactivePower_L2``: var.
    ``EVPresentReactivePower_L3``: var.
    """

    EVMaximumChargePower: c.RationalNumber = element()
    EVMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower: c.RationalNumber = element()
    EVMinimumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVPresentActivePower: c.RationalNumber = element()
    EVPresentActivePower_L2: c.RationalNumber | None = element(default=None)
    EVPresentActivePower_L3: c.RationalNumber | None = element(default=None)
    EVPresentReactivePower: c.RationalNumber = element()
    EVPresentReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVPresentReactivePower_L3: c.RationalNumber | None = element(default=None)


class Dynamic_AC_CLResControlMode(c.Dynamic_CLResControlMode, ns=AC, element=True):
    """Element and type ``Dynamic_AC_CLResControlMode``.

    ``EVSETargetActivePower``: W.
    ``EVSETargetActivePower_L2``: W.
    ``EVSETargetActivePower_L3``: W.
    ``EVSETargetReactivePower``: var.
    ``EVSETargetReactivePower_L2``: var.
    ``EVSETargetReactivePower_L3``: var.
    ``EVSEPresentActivePower``: W.
    ``EVSEPresentActivePower_L2``: W.
    ``EVSEPresentActivePower_L3``: W.
    """

    EVSETargetActivePower: c.RationalNumber = element()
    EVSETargetActivePower_L2: c.RationalNumber | None = element(default=None)
    EVSETargetActivePower_L3: c.RationalNumber | None = element(default=None)
    EVSETargetReactivePower: c.RationalNumber | None = element(default=None)
    EVSETargetReactivePower_L2: c.RationalNumber | None = element(default=None)
    EVSETargetReactivePower_L3: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower_L2: c.RationalNumber | None = element(default=None)
    EVSEPresentActivePower_L3: c.RationalNumber | None = element(default=None)


class BPT_Dynamic_AC_CLReqControlMode(Dynamic_AC_CLReqControlMode, element=True):
    """Element and type ``BPT_Dynamic_AC_CLReqControlMode``.

    ``EVMaximumDischargePower``: W.
    ``EVMaximumDischargePower_L2``: W.
    ``EVMaximumDischargePower_L3``: W.
    ``EVMinimumDischargePower``: W.
    ``EVMinimumDischargePower_L2``: W.
    ``EVMinimumDischargePower_L3``: W.
    ``EVMaximumV2XEnergyRequest``: Wh.
    ``EVMinimumV2XEnergyRequest``: Wh.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMaximumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMinimumV2XEnergyRequest: c.RationalNumber | None = element(default=None)


class BPT_Dynamic_AC_CLResControlMode(Dynamic_AC_CLResControlMode, element=True):
    """Element and type ``BPT_Dynamic_AC_CLResControlMode``."""


SET = MessageSet(
    "iso20-ac",
    namespaces={"ns7": AC},
    modules=(m,),
    includes=(c.SET,),
)

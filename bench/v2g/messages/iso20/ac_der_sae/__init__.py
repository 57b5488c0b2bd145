"""ISO 15118-20 Amendment 1, AC charging with grid support (SAE J3072; set ``iso20-ac-der-sae``).

The schema has no message of its own: it imports that for AC and adds six elements that may stand in the place
of elements there. The messages are those of ``iso20-ac`` in a grammar with more members: name the schema when
one is encoded.

Source: names, order, occurrence and types are those in the codec that EVerest generated from the schema
(lib/everest/cbv2g, iso20_AC_DER_SAE). What is added has a namespace of its own, as EXIficient shows it with
the schema of ISO (OpenChargingCloud/WWCP_ISO15118). Units are in neither: they follow from the names.
"""

import bench.v2g.messages.iso20.ac_der_sae as m
from bench.exi.declare import MessageSet, element
from bench.exi.values import BOOLEAN, UNSIGNED_INT, UNSIGNED_LONG
from bench.v2g.messages.iso20 import ac
from bench.v2g.messages.iso20 import commontypes as c
from bench.v2g.messages.iso20.ac_der_sae import controls, limits
from bench.v2g.messages.iso20.ac_der_sae import enums as e
from bench.v2g.messages.iso20.ac_der_sae.enums import AC_DER_SAE


class DER_AC_CPDReqEnergyTransferMode(ac.AC_CPDReqEnergyTransferMode, ns=AC_DER_SAE, element=True):
    """May stand for ``AC_CPDReqEnergyTransferMode``.

    ``EVMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMinimumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSessionTotalDischargeEnergyAvailable``: Wh.
    ``EVNominalVoltage``: V.
    ``EVMaximumVoltage``: V.
    ``EVMinimumVoltage``: V.
    ``EVNominalVoltageOffset``: V.
    ``J3072CertificationDate``: s since 1970-01-01 UTC.
    ``EVUseableWattHours``: Wh.
    ``EVUpdateTime``: s since 1970-01-01 UTC.
    """

    EVProcessing: c.processing = element()
    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSessionTotalDischargeEnergyAvailable: c.RationalNumber | None = element(default=None)
    EVApparentPowerLimits: limits.EVApparentPowerLimits = element()
    EVReactivePowerLimits: limits.EVReactivePowerLimits = element()
    EVExcitationLimits: limits.EVExcitationLimits = element()
    EVInverterDetails: limits.EVInverterDetails = element()
    IEEE1547NormalCategory: e.ieee1547NormalCategory = element()
    IEEE1547AbnormalCategory: e.ieee1547AbnormalCategory = element()
    EVNominalVoltage: c.RationalNumber = element()
    EVMaximumVoltage: c.RationalNumber = element()
    EVMinimumVoltage: c.RationalNumber = element()
    EVNominalVoltageOffset: c.RationalNumber = element()
    J3072Certified: bool = element(BOOLEAN)
    J3072CertificationDate: int = element(UNSIGNED_LONG)
    EVUseableWattHours: int = element(UNSIGNED_INT)
    EVUpdateTime: int = element(UNSIGNED_LONG)
    SupportedModes: int = element(UNSIGNED_INT)
    EnabledModes: int = element(UNSIGNED_INT)


class DER_AC_CPDResEnergyTransferMode(ac.AC_CPDResEnergyTransferMode, ns=AC_DER_SAE, element=True):
    """May stand for ``AC_CPDResEnergyTransferMode``.

    ``EVSENominalChargePower``, ``_L2``, ``_L3``: W.
    ``EVSENominalDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSEMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSEUpdateTime``: s since 1970-01-01 UTC.
    """

    EVSEProcessing: c.processing = element()
    EVSEStatus: c.EVSEStatus | None = element(default=None)
    DERControlCPDRes: controls.DERControlCPDRes = element()
    EVSENominalChargePower: c.RationalNumber | None = element(default=None)
    EVSENominalChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSENominalChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSENominalDischargePower: c.RationalNumber | None = element(default=None)
    EVSENominalDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSENominalDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower: c.RationalNumber = element()
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEReactivePowerLimits: limits.EVSEReactivePowerLimits = element()
    GridLimits: limits.GridLimits = element()
    RequiredDEROperatingMode: e.requiredDEROperatingMode = element()
    GridConnectionMode: e.gridConnectionMode = element()
    EVSEUpdateTime: int = element(UNSIGNED_LONG)


class DER_Scheduled_AC_CLReqControlMode(ac.Scheduled_AC_CLReqControlMode, ns=AC_DER_SAE, element=True):
    """May stand for ``Scheduled_AC_CLReqControlMode``.

    ``EVPresentVoltage``: V.
    ``EVPresentFrequency``: Hz.
    ``EVMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMinimumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVUpdateTime``: s since 1970-01-01 UTC.
    ``EVMinimumChargingDuration``: s.
    ``EVDurationMaximumChargeRate``: s.
    ``EVDurationMaximumDischargeRate``: s.
    """

    EVPresentVoltage: c.RationalNumber = element()
    EVPresentFrequency: c.RationalNumber = element()
    EVMaximumDischargePower: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    DEROperationalState: e.derOperationalState = element()
    DERConnectionStatus: e.derConnectionStatus = element()
    EVApparentPower: limits.EVApparentPower | None = element(default=None)
    EVReactivePower: limits.EVReactivePower | None = element(default=None)
    EVExcitation: limits.EVExcitation | None = element(default=None)
    EVUpdateTime: int = element(UNSIGNED_LONG)
    EVMinimumChargingDuration: int | None = element(UNSIGNED_INT, default=None)
    EVDurationMaximumChargeRate: int | None = element(UNSIGNED_INT, default=None)
    EVDurationMaximumDischargeRate: int | None = element(UNSIGNED_INT, default=None)
    DERAlarmStatus: int = element(UNSIGNED_INT)
    EnabledModes: int = element(UNSIGNED_INT)


class DER_Scheduled_AC_CLResControlMode(ac.Scheduled_AC_CLResControlMode, ns=AC_DER_SAE, element=True):
    """May stand for ``Scheduled_AC_CLResControlMode``.

    ``EVSEMaximumChargePower``, ``_L2``, ``_L3``: W.
    ``EVSEMaximumDischargePower``, ``_L2``, ``_L3``: W.
    """

    DERControlCLRes: controls.DERControlCLRes = element()
    EVSEMaximumChargePower: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    RequiredDEROperatingMode: e.requiredDEROperatingMode | None = element(default=None)
    GridConnectionMode: e.gridConnectionMode | None = element(default=None)


class DER_Dynamic_AC_CLReqControlMode(ac.Dynamic_AC_CLReqControlMode, ns=AC_DER_SAE, element=True):
    """May stand for ``Dynamic_AC_CLReqControlMode``.

    ``EVMaximumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVMinimumDischargePower``, ``_L2``, ``_L3``: W.
    ``EVPresentVoltage``: V.
    ``EVPresentFrequency``: Hz.
    ``EVSessionTotalDischargeEnergyAvailable``: Wh.
    ``EVMaximumV2XEnergyRequest``: Wh.
    ``EVMinimumV2XEnergyRequest``: Wh.
    ``EVUpdateTime``: s since 1970-01-01 UTC.
    ``EVMinimumChargingDuration``: s.
    ``EVDurationMaximumChargeRate``: s.
    ``EVDurationMaximumDischargeRate``: s.
    """

    EVMaximumDischargePower: c.RationalNumber = element()
    EVMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower: c.RationalNumber = element()
    EVMinimumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVMinimumDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVPresentVoltage: c.RationalNumber = element()
    EVPresentFrequency: c.RationalNumber = element()
    EVSessionTotalDischargeEnergyAvailable: c.RationalNumber | None = element(default=None)
    EVApparentPower: limits.EVApparentPower | None = element(default=None)
    EVReactivePower: limits.EVReactivePower | None = element(default=None)
    EVExcitation: limits.EVExcitation | None = element(default=None)
    EVMaximumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    EVMinimumV2XEnergyRequest: c.RationalNumber | None = element(default=None)
    DEROperationalState: e.derOperationalState = element()
    DERConnectionStatus: e.derConnectionStatus = element()
    EVUpdateTime: int = element(UNSIGNED_LONG)
    EVMinimumChargingDuration: int = element(UNSIGNED_INT)
    EVDurationMaximumChargeRate: int = element(UNSIGNED_INT)
    EVDurationMaximumDischargeRate: int = element(UNSIGNED_INT)
    DERAlarmStatus: int = element(UNSIGNED_INT)
    EnabledModes: int = element(UNSIGNED_INT)


class DER_Dynamic_AC_CLResControlMode(ac.Dynamic_AC_CLResControlMode, ns=AC_DER_SAE, element=True):
    """May stand for ``Dynamic_AC_CLResControlMode``.

    ``EVSEMaximumChargePower``, ``_L2``, ``_L3``: W.
    ``EVSEMaximumDischargePower``, ``_L2``, ``_L3``: W.
    """

    DERControlCLRes: controls.DERControlCLRes = element()
    EVSEMaximumChargePower: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumChargePower_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumDischargePower_L3: c.RationalNumber | None = element(default=None)
    RequiredDEROperatingMode: e.requiredDEROperatingMode | None = element(default=None)
    GridConnectionMode: e.gridConnectionMode | None = element(default=None)


SET = MessageSet(
    "iso20-ac-der-sae",
    namespaces={"ns8": AC_DER_SAE},
    modules=(e, controls, limits, m),
    includes=(ac.SET,),
)

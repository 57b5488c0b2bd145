"""What car, charger and grid can do and bear (Amendment 1 of ISO 15118-20, SAE J3072)."""

# ruff: noqa: N816  # simple types carry the names of the schema

from bench.exi.declare import Record, element
from bench.exi.values import String
from bench.v2g.messages.iso20 import commontypes as c
from bench.v2g.messages.iso20.ac_der_sae.enums import AC_DER_SAE

evInverterSwVersionType = String("evInverterSwVersionType", max_length=32)
evInverterHwVersionType = String("evInverterHwVersionType", max_length=32)
evInverterManufacturerType = String("evInverterManufacturerType", max_length=32)
evInverterModelType = String("evInverterModelType", max_length=32)
evInverterSerialNumberType = String("evInverterSerialNumberType", max_length=32)


class EVApparentPowerLimits(Record, ns=AC_DER_SAE):
    """Type ``EVApparentPowerLimitsType``.

    ``EVMaximumApparentPowerDuringChargingAndVarAbsorption``, ``_L2``, ``_L3``: VA.
    ``EVMaximumApparentPowerDuringChargingAndVarInjection``, ``_L2``, ``_L3``: VA.
    ``EVMaximumApparentPowerDuringDischargingAndVarAbsorption``, ``_L2``, ``_L3``: VA.
    ``EVMaximumApparentPowerDuringDischargingAndVarInjection``, ``_L2``, ``_L3``: VA.
    """

    EVMaximumApparentPowerDuringChargingAndVarAbsorption: c.RationalNumber = element()
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L2: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L3: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringChargingAndVarInjection: c.RationalNumber = element()
    EVMaximumApparentPowerDuringChargingAndVarInjection_L2: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringChargingAndVarInjection_L3: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption: c.RationalNumber = element()
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L2: c.RationalNumber | None = element(
        default=None
    )
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L3: c.RationalNumber | None = element(
        default=None
    )
    EVMaximumApparentPowerDuringDischargingAndVarInjection: c.RationalNumber = element()
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L2: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L3: c.RationalNumber | None = element(default=None)


class EVReactivePowerLimits(Record, ns=AC_DER_SAE):
    """Type ``EVReactivePowerLimitsType``.

    ``EVMaximumVarAbsorptionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarAbsorptionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMaximumVarInjectionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarInjectionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMaximumVarAbsorptionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarAbsorptionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVMaximumVarInjectionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarInjectionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVReactiveSusceptance``: S.
    """

    EVMaximumVarAbsorptionDuringCharging: c.RationalNumber = element()
    EVMaximumVarAbsorptionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarAbsorptionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringCharging: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringCharging: c.RationalNumber = element()
    EVMaximumVarInjectionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringCharging: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMaximumVarAbsorptionDuringDischarging: c.RationalNumber = element()
    EVMaximumVarAbsorptionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarAbsorptionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringDischarging: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringDischarging: c.RationalNumber = element()
    EVMaximumVarInjectionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringDischarging: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVReactiveSusceptance: c.RationalNumber = element()
    EVReactiveSusceptance_L2: c.RationalNumber | None = element(default=None)
    EVReactiveSusceptance_L3: c.RationalNumber | None = element(default=None)


class EVExcitationLimits(Record, ns=AC_DER_SAE):
    """Type ``EVExcitationLimitsType``.

    ``EVSpecifiedOverExcitedDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSpecifiedUnderExcitedDischargePower``, ``_L2``, ``_L3``: W.
    """

    EVSpecifiedOverExcitedPowerFactor: c.RationalNumber = element()
    EVSpecifiedOverExcitedPowerFactor_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedPowerFactor_L3: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedDischargePower: c.RationalNumber = element()
    EVSpecifiedOverExcitedDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedPowerFactor: c.RationalNumber = element()
    EVSpecifiedUnderExcitedPowerFactor_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedPowerFactor_L3: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedDischargePower: c.RationalNumber = element()
    EVSpecifiedUnderExcitedDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedDischargePower_L3: c.RationalNumber | None = element(default=None)


class EVInverterDetails(Record, ns=AC_DER_SAE):
    """Type ``EVInverterDetailsType``.

    ``EVInverterSwVersion``: at most 32 characters.
    ``EVInverterHwVersion``: at most 32 characters.
    ``EVInverterManufacturer``: at most 32 characters.
    ``EVInverterModel``: at most 32 characters.
    ``EVInverterSerialNumber``: at most 32 characters.
    """

    EVInverterSwVersion: str = element(evInverterSwVersionType)
    EVInverterHwVersion: str | None = element(evInverterHwVersionType, default=None)
    EVInverterManufacturer: str = element(evInverterManufacturerType)
    EVInverterModel: str = element(evInverterModelType)
    EVInverterSerialNumber: str = element(evInverterSerialNumberType)


class EVSEReactivePowerLimits(Record, ns=AC_DER_SAE):
    """Type ``EVSEReactivePowerLimitsType``.

    ``EVSEMaximumVarAbsorptionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVSEMaximumVarInjectionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVSEMaximumVarAbsorptionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVSEMaximumVarInjectionDuringDischarging``, ``_L2``, ``_L3``: var.
    """

    EVSEMaximumVarAbsorptionDuringCharging: c.RationalNumber = element()
    EVSEMaximumVarAbsorptionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarAbsorptionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarInjectionDuringCharging: c.RationalNumber = element()
    EVSEMaximumVarInjectionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarInjectionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarAbsorptionDuringDischarging: c.RationalNumber = element()
    EVSEMaximumVarAbsorptionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarAbsorptionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarInjectionDuringDischarging: c.RationalNumber = element()
    EVSEMaximumVarInjectionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVSEMaximumVarInjectionDuringDischarging_L3: c.RationalNumber | None = element(default=None)


class GridLimits(Record, ns=AC_DER_SAE):
    """Type ``GridLimitsType``.

    ``GridNominalFrequency``: Hz.
    ``GridNominalVoltage``: V.
    ``GridNominalVoltageOffset``: V.
    ``GridMinFrequency``: Hz.
    ``GridMaxFrequency``: Hz.
    ``GridMaximumVoltage``: V.
    ``GridMinimumVoltage``: V.
    """

    GridNominalFrequency: c.RationalNumber = element()
    GridNominalVoltage: c.RationalNumber = element()
    GridNominalVoltageOffset: c.RationalNumber = element()
    GridMinFrequency: c.RationalNumber | None = element(default=None)
    GridMaxFrequency: c.RationalNumber | None = element(default=None)
    GridMaximumVoltage: c.RationalNumber = element()
    GridMinimumVoltage: c.RationalNumber = element()


class EVApparentPower(Record, ns=AC_DER_SAE):
    """Type ``EVApparentPowerType``.

    ``EVMaximumApparentPowerDuringChargingAndVarAbsorption``, ``_L2``, ``_L3``: VA.
    ``EVMaximumApparentPowerDuringChargingAndVarInjection``, ``_L2``, ``_L3``: VA.
    ``EVMaximumApparentPowerDuringDischargingAndVarAbsorption``, ``_L2``, ``_L3``: VA.
    ``EVMaximumApparentPowerDuringDischargingAndVarInjection``, ``_L2``, ``_L3``: VA.
    """

    EVMaximumApparentPowerDuringChargingAndVarAbsorption: c.RationalNumber = element()
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L2: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringChargingAndVarAbsorption_L3: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringChargingAndVarInjection: c.RationalNumber = element()
    EVMaximumApparentPowerDuringChargingAndVarInjection_L2: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringChargingAndVarInjection_L3: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption: c.RationalNumber = element()
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L2: c.RationalNumber | None = element(
        default=None
    )
    EVMaximumApparentPowerDuringDischargingAndVarAbsorption_L3: c.RationalNumber | None = element(
        default=None
    )
    EVMaximumApparentPowerDuringDischargingAndVarInjection: c.RationalNumber = element()
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L2: c.RationalNumber | None = element(default=None)
    EVMaximumApparentPowerDuringDischargingAndVarInjection_L3: c.RationalNumber | None = element(default=None)


class EVReactivePower(Record, ns=AC_DER_SAE):
    """Type ``EVReactivePowerType``.

    ``EVMaximumVarAbsorptionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarAbsorptionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMaximumVarInjectionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarInjectionDuringCharging``, ``_L2``, ``_L3``: var.
    ``EVMaximumVarAbsorptionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarAbsorptionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVMaximumVarInjectionDuringDischarging``, ``_L2``, ``_L3``: var.
    ``EVMinimumVarInjectionDuringDischarging``, ``_L2``, ``_L3``: var.
    """

    EVMaximumVarAbsorptionDuringCharging: c.RationalNumber = element()
    EVMaximumVarAbsorptionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarAbsorptionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringCharging: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringCharging: c.RationalNumber = element()
    EVMaximumVarInjectionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringCharging: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringCharging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringCharging_L3: c.RationalNumber | None = element(default=None)
    EVMaximumVarAbsorptionDuringDischarging: c.RationalNumber = element()
    EVMaximumVarAbsorptionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarAbsorptionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringDischarging: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarAbsorptionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringDischarging: c.RationalNumber = element()
    EVMaximumVarInjectionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMaximumVarInjectionDuringDischarging_L3: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringDischarging: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringDischarging_L2: c.RationalNumber | None = element(default=None)
    EVMinimumVarInjectionDuringDischarging_L3: c.RationalNumber | None = element(default=None)


class EVExcitation(Record, ns=AC_DER_SAE):
    """Type ``EVExcitationType``.

    ``EVSpecifiedOverExcitedDischargePower``, ``_L2``, ``_L3``: W.
    ``EVSpecifiedUnderExcitedDischargePower``, ``_L2``, ``_L3``: W.
    """

    EVSpecifiedOverExcitedPowerFactor: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedPowerFactor_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedPowerFactor_L3: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedDischargePower: c.RationalNumber = element()
    EVSpecifiedOverExcitedDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedOverExcitedDischargePower_L3: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedPowerFactor: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedPowerFactor_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedPowerFactor_L3: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedDischargePower: c.RationalNumber = element()
    EVSpecifiedUnderExcitedDischargePower_L2: c.RationalNumber | None = element(default=None)
    EVSpecifiedUnderExcitedDischargePower_L3: c.RationalNumber | None = element(default=None)

"""Enumerations that Amendment 1 of ISO 15118-20 adds for SAE J3072 (namespace ``AC-DER-SAE``)."""

from enum import StrEnum

AC_DER_SAE = "urn:iso:std:iso:15118:-20:AC-DER-SAE"


class powerReference(StrEnum):
    """powerReferenceType: members in schema order, which is the order of their codes."""

    MaximumActivePower = "MaximumActivePower"
    MomentaryPower = "MomentaryPower"


class derUnit(StrEnum):
    """derUnitType: members in schema order, which is the order of their codes."""

    V = "V"
    Hz = "Hz"
    W = "W"
    s = "s"
    var = "var"
    PercentageEVMaximumConfiguredActivePower = "PercentageEVMaximumConfiguredActivePower"
    PercentageEVMaximumConfiguredReactivePower = "PercentageEVMaximumConfiguredReactivePower"
    PercentageEVMaximumConfiguredApparentPower = "PercentageEVMaximumConfiguredApparentPower"
    PercentageEVMaximumAvailableActivePower = "PercentageEVMaximumAvailableActivePower"
    PercentageEVMaximumAvailableReactivePower = "PercentageEVMaximumAvailableReactivePower"
    PercentageV = "PercentageV"


class powerFactorExcitation(StrEnum):
    """powerFactorExcitationType: members in schema order, which is the order of their codes."""

    OverExcited = "OverExcited"
    UnderExcited = "UnderExcited"


class ieee1547NormalCategory(StrEnum):
    """ieee1547NormalCategoryType: members in schema order, which is the order of their codes."""

    CategoryA = "CategoryA"
    CategoryB = "CategoryB"


class ieee1547AbnormalCategory(StrEnum):
    """ieee1547AbnormalCategoryType: members in schema order, which is the order of their codes."""

    CategoryI = "CategoryI"
    CategoryII = "CategoryII"
    CategoryIII = "CategoryIII"


class derOperationalState(StrEnum):
    """derOperationalStateType: members in schema order, which is the order of their codes."""

    On = "On"
    Off = "Off"


class derConnectionStatus(StrEnum):
    """derConnectionStatusType: members in schema order, which is the order of their codes."""

    Disconnected = "Disconnected"
    Connected = "Connected"


class requiredDEROperatingMode(StrEnum):
    """requiredDEROperatingModeType: members in schema order, which is the order of their codes."""

    GridFollowing = "GridFollowing"
    GridForming = "GridForming"


class gridConnectionMode(StrEnum):
    """gridConnectionModeType: members in schema order, which is the order of their codes."""

    GridConnected = "GridConnected"
    GridIslanded = "GridIslanded"

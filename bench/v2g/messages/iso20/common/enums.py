"""Enumerated types of ISO 15118-20, common messages."""

from enum import StrEnum

NAMESPACE = "urn:iso:std:iso:15118:-20:CommonMessages"


class authorization(StrEnum):
    """authorizationType: members in schema order, which is the order of their codes."""

    EIM = "EIM"
    PnC = "PnC"


class chargeProgress(StrEnum):
    """chargeProgressType: members in schema order, which is the order of their codes."""

    Start = "Start"
    Stop = "Stop"
    Standby = "Standby"
    ScheduleRenegotiation = "ScheduleRenegotiation"


class channelSelection(StrEnum):
    """channelSelectionType: members in schema order, which is the order of their codes."""

    Charge = "Charge"
    Discharge = "Discharge"


class ecdhCurve(StrEnum):
    """ecdhCurveType: members in schema order, which is the order of their codes."""

    SECP521 = "SECP521"
    X448 = "X448"


class chargingSession(StrEnum):
    """chargingSessionType: members in schema order, which is the order of their codes."""

    Pause = "Pause"
    Terminate = "Terminate"
    ServiceRenegotiation = "ServiceRenegotiation"


class evCheckInStatus(StrEnum):
    """evCheckInStatusType: members in schema order, which is the order of their codes."""

    CheckIn = "CheckIn"
    Processing = "Processing"
    Completed = "Completed"


class evCheckOutStatus(StrEnum):
    """evCheckOutStatusType: members in schema order, which is the order of their codes."""

    CheckOut = "CheckOut"
    Processing = "Processing"
    Completed = "Completed"


class evseCheckOutStatus(StrEnum):
    """evseCheckOutStatusType: members in schema order, which is the order of their codes."""

    Scheduled = "Scheduled"
    Completed = "Completed"


class parkingMethod(StrEnum):
    """parkingMethodType: members in schema order, which is the order of their codes."""

    AutoParking = "AutoParking"
    MVGuideManual = "MVGuideManual"
    Manual = "Manual"


class powerToleranceAcceptance(StrEnum):
    """powerToleranceAcceptanceType: members in schema order, which is the order of their codes."""

    PowerToleranceNotConfirmed = "PowerToleranceNotConfirmed"
    PowerToleranceConfirmed = "PowerToleranceConfirmed"

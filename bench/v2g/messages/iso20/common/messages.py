"""Common messages of ISO 15118-20: session, authorization, services, schedules, certificates."""

from bench.exi.declare import element
from bench.exi.values import BOOLEAN, SHORT, UNSIGNED_BYTE, UNSIGNED_LONG
from bench.v2g.messages.iso20 import commontypes as c
from bench.v2g.messages.iso20.common import datatypes as t
from bench.v2g.messages.iso20.common import enums as e
from bench.v2g.messages.iso20.common.datatypes import COMMON_MESSAGES


class SessionSetupReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``SessionSetupReq``.

    ``EVCCID``: identifier of the EVCC, at most 255 characters.
    """

    EVCCID: str = element(c.identifierType)


class SessionSetupRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``SessionSetupRes``.

    ``EVSEID``: identifier of the EVSE, at most 255 characters.
    """

    EVSEID: str = element(c.identifierType)


class AuthorizationSetupReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``AuthorizationSetupReq``."""


class AuthorizationSetupRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``AuthorizationSetupRes``.

    ``AuthorizationServices``: 1 to 2 of them.
    """

    AuthorizationServices: list[e.authorization] = element(max=2)
    CertificateInstallationService: bool = element(BOOLEAN)
    EIM_ASResAuthorizationMode: t.EIM_ASResAuthorizationMode | None = element(default=None, one_of="mode")
    PnC_ASResAuthorizationMode: t.PnC_ASResAuthorizationMode | None = element(default=None, one_of="mode")


class AuthorizationReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``AuthorizationReq``."""

    SelectedAuthorizationService: e.authorization = element()
    EIM_AReqAuthorizationMode: t.EIM_AReqAuthorizationMode | None = element(default=None, one_of="mode")
    PnC_AReqAuthorizationMode: t.PnC_AReqAuthorizationMode | None = element(default=None, one_of="mode")


class AuthorizationRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``AuthorizationRes``."""

    EVSEProcessing: c.processing = element()


class ServiceDiscoveryReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``ServiceDiscoveryReq``."""

    SupportedServiceIDs: t.ServiceIDList | None = element(default=None)


class ServiceDiscoveryRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``ServiceDiscoveryRes``."""

    ServiceRenegotiationSupported: bool = element(BOOLEAN)
    EnergyTransferServiceList: t.ServiceList = element()
    VASList: t.ServiceList | None = element(default=None)


class ServiceDetailReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``ServiceDetailReq``."""

    ServiceID: int = element(t.serviceIDType)


class ServiceDetailRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``ServiceDetailRes``."""

    ServiceID: int = element(t.serviceIDType)
    ServiceParameterList: t.ServiceParameterList = element()


class ServiceSelectionReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``ServiceSelectionReq``."""

    SelectedEnergyTransferService: t.SelectedService = element()
    SelectedVASList: t.SelectedServiceList | None = element(default=None)


class ServiceSelectionRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``ServiceSelectionRes``."""


class ScheduleExchangeReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``ScheduleExchangeReq``.

    ``MaximumSupportingPoints``: most entries of a schedule, 12 to 1024.
    """

    MaximumSupportingPoints: int = element(t.maxSupportingPointsScheduleTupleType)
    Dynamic_SEReqControlMode: t.Dynamic_SEReqControlMode | None = element(default=None, one_of="mode")
    Scheduled_SEReqControlMode: t.Scheduled_SEReqControlMode | None = element(default=None, one_of="mode")


class ScheduleExchangeRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``ScheduleExchangeRes``."""

    EVSEProcessing: c.processing = element()
    GoToPause: bool | None = element(BOOLEAN, default=None)
    Dynamic_SEResControlMode: t.Dynamic_SEResControlMode | None = element(default=None, one_of="mode")
    Scheduled_SEResControlMode: t.Scheduled_SEResControlMode | None = element(default=None, one_of="mode")


class PowerDeliveryReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``PowerDeliveryReq``."""

    EVProcessing: c.processing = element()
    ChargeProgress: e.chargeProgress = element()
    EVPowerProfile: t.EVPowerProfile | None = element(default=None)
    BPT_ChannelSelection: e.channelSelection | None = element(default=None)


class PowerDeliveryRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``PowerDeliveryRes``."""

    EVSEStatus: c.EVSEStatus | None = element(default=None)


class MeteringConfirmationReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``MeteringConfirmationReq``."""

    SignedMeteringData: t.SignedMeteringData = element()


class MeteringConfirmationRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``MeteringConfirmationRes``."""


class SessionStopReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``SessionStopReq``.

    ``EVTerminationCode``: at most 80 characters.
    ``EVTerminationExplanation``: at most 160 characters.
    """

    ChargingSession: e.chargingSession = element()
    EVTerminationCode: str | None = element(c.nameType, default=None)
    EVTerminationExplanation: str | None = element(c.descriptionType, default=None)


class SessionStopRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``SessionStopRes``."""


class CertificateInstallationReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``CertificateInstallationReq``.

    ``MaximumContractCertificateChains``: most chains the EV can store.
    """

    OEMProvisioningCertificateChain: t.SignedCertificateChain = element()
    ListOfRootCertificateIDs: c.ListOfRootCertificateIDs = element()
    MaximumContractCertificateChains: int = element(UNSIGNED_BYTE)
    PrioritizedEMAIDs: t.EMAIDList | None = element(default=None)


class CertificateInstallationRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``CertificateInstallationRes``.

    ``RemainingContractCertificateChains``: chains still to be fetched.
    """

    EVSEProcessing: c.processing = element()
    CPSCertificateChain: t.CertificateChain = element()
    SignedInstallationData: t.SignedInstallationData = element()
    RemainingContractCertificateChains: int = element(UNSIGNED_BYTE)


class VehicleCheckInReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``VehicleCheckInReq``."""

    EVCheckInStatus: e.evCheckInStatus = element()
    ParkingMethod: e.parkingMethod = element()
    VehicleFrame: int | None = element(SHORT, default=None)
    DeviceOffset: int | None = element(SHORT, default=None)
    VehicleTravel: int | None = element(SHORT, default=None)


class VehicleCheckInRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``VehicleCheckInRes``."""

    ParkingSpace: int | None = element(SHORT, default=None)
    DeviceLocation: int | None = element(SHORT, default=None)
    TargetDistance: int | None = element(SHORT, default=None)


class VehicleCheckOutReq(c.V2GRequest, ns=COMMON_MESSAGES, element=True):
    """Message ``VehicleCheckOutReq``.

    ``CheckOutTime``: s since 1970-01-01 UTC.
    """

    EVCheckOutStatus: e.evCheckOutStatus = element()
    CheckOutTime: int = element(UNSIGNED_LONG)


class VehicleCheckOutRes(c.V2GResponse, ns=COMMON_MESSAGES, element=True):
    """Message ``VehicleCheckOutRes``."""

    EVSECheckOutStatus: e.evseCheckOutStatus = element()

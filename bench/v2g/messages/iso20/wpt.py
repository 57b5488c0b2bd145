"""ISO 15118-20 message set for wireless charging (``iso20-wpt``)."""

# ruff: noqa: N816  # simple types carry the names of the schema

from enum import StrEnum

# The module imports itself because a field often has the name of its type, and inside a class body the field
# wins.
import bench.v2g.messages.iso20.wpt as m  # noqa: PLW0406
from bench.exi.declare import MessageSet, Record, element
from bench.exi.values import BOOLEAN, SHORT, UNSIGNED_BYTE, UNSIGNED_SHORT, Binary, String
from bench.v2g.messages.iso20 import commontypes as c

WPT = "urn:iso:std:iso:15118:-20:WPT"

bssidType = String("bssidType", max_length=12)
ipaddressType = String("ipaddressType", max_length=39)
WPT_DataContainerType = Binary("WPT_DataContainerType", max_length=256)


class WPT_FinePositioningMethod(StrEnum):
    """WPT_FinePositioningMethodType: members in schema order, which is the order of their codes."""

    Manual = "Manual"
    LF_TxEV = "LF_TxEV"
    LF_TxPrimaryDevice = "LF_TxPrimaryDevice"
    LPE = "LPE"
    Proprietary = "Proprietary"


class WPT_PairingMethod(StrEnum):
    """WPT_PairingMethodType: members in schema order, which is the order of their codes."""

    External_confirmation = "External confirmation"
    LPE = "LPE"
    LF_TxEV = "LF_TxEV"
    LF_TxPrimaryDevice = "LF_TxPrimaryDevice"
    Optical = "Optical"
    Proprietary = "Proprietary"


class WPT_AlignmentCheckMethod(StrEnum):
    """WPT_AlignmentCheckMethodType: members in schema order, which is the order of their codes."""

    PowerCheck = "PowerCheck"
    LPE = "LPE"
    Proprietary = "Proprietary"


class WPT_EVPCChargeDiagnostics(StrEnum):
    """WPT_EVPCChargeDiagnosticsType: members in schema order, which is the order of their codes."""

    EVPCNoIssue = "EVPCNoIssue"
    EVPCTempOverheatDetected = "EVPCTempOverheatDetected"
    EVPCPowerTransferAnomalyDetected = "EVPCPowerTransferAnomalyDetected"
    EVPCAnomalyDetected = "EVPCAnomalyDetected"


class WPT_SPCChargeDiagnostics(StrEnum):
    """WPT_SPCChargeDiagnosticsType: members in schema order, which is the order of their codes."""

    SPCNoIssue = "SPCNoIssue"
    SPCFODDetected = "SPCFODDetected"
    SPCLOPDetected = "SPCLOPDetected"
    SPCTempOverheatDetected = "SPCTempOverheatDetected"
    SPCPowerTransferAnomalyDetected = "SPCPowerTransferAnomalyDetected"
    SPCAnomalyDetected = "SPCAnomalyDetected"


class WPT_PowerClass(StrEnum):
    """WPT_PowerClassType: members in schema order, which is the order of their codes."""

    MF_WPT1 = "MF-WPT1"
    MF_WPT2 = "MF-WPT2"
    MF_WPT3 = "MF-WPT3"
    MF_WPT4 = "MF-WPT4"


class WPT_EVResult(StrEnum):
    """WPT_EVResultType: members in schema order, which is the order of their codes."""

    EVResultUnknown = "EVResultUnknown"
    EVResultSuccess = "EVResultSuccess"
    EVResultFailed = "EVResultFailed"


class WPT_FinePositioningMethodList(Record, ns=WPT):
    """Type ``WPT_FinePositioningMethodListType``.

    ``WPT_FinePositioningMethod``: 1 to 8 of them.
    """

    WPT_FinePositioningMethod: list[m.WPT_FinePositioningMethod] = element(max=8)


class WPT_PairingMethodList(Record, ns=WPT):
    """Type ``WPT_PairingMethodListType``.

    ``WPT_PairingMethod``: 1 to 8 of them.
    """

    WPT_PairingMethod: list[m.WPT_PairingMethod] = element(max=8)


class WPT_AlignmentCheckMethodList(Record, ns=WPT):
    """Type ``WPT_AlignmentCheckMethodListType``.

    ``WPT_AlignmentCheckMethod``: 1 to 8 of them.
    """

    WPT_AlignmentCheckMethod: list[m.WPT_AlignmentCheckMethod] = element(max=8)


class WPT_CoordinateXYZ(Record, ns=WPT):
    """Type ``WPT_CoordinateXYZType``."""

    Coord_X: int = element(SHORT)
    Coord_Y: int = element(SHORT)
    Coord_Z: int = element(SHORT)


class WPT_TxRxSpecData(Record, ns=WPT):
    """Type ``WPT_TxRxSpecDataType``.

    ``TxRxIdentifier``: 1 to 4294967295.
    """

    TxRxIdentifier: int = element(c.numericIDType)
    TxRxPosition: m.WPT_CoordinateXYZ = element()
    TxRxOrientation: m.WPT_CoordinateXYZ = element()


class WPT_TxRxPulseOrder(Record, ns=WPT):
    """Type ``WPT_TxRxPulseOrderType``.

    ``TxRxIdentifier``: 1 to 4294967295.
    """

    IndexNumber: int = element(UNSIGNED_SHORT)
    TxRxIdentifier: int = element(c.numericIDType)


class WPT_TxRxPackageSpecData(Record, ns=WPT):
    """Type ``WPT_TxRxPackageSpecDataType``.

    ``PulseSequenceOrder``: 2 to 255 of them.
    """

    PulseSequenceOrder: list[m.WPT_TxRxPulseOrder] = element(min=2, max=255)
    PulseSeparationTime: int = element(UNSIGNED_SHORT)
    PulseDuration: int = element(UNSIGNED_SHORT)
    PackageSeparationTime: int = element(UNSIGNED_SHORT)


class WPT_LF_TransmitterData(Record, ns=WPT):
    """Type ``WPT_LF_TransmitterDataType``.

    ``TxSpecData``: 2 to 255 of them.
    """

    NumberOfTransmitters: int = element(UNSIGNED_BYTE)
    SignalFrequency: c.RationalNumber = element()
    TxSpecData: list[m.WPT_TxRxSpecData] = element(min=2, max=255)
    TxPackageSpecData: m.WPT_TxRxPackageSpecData | None = element(default=None)


class WPT_LF_ReceiverData(Record, ns=WPT):
    """Type ``WPT_LF_ReceiverDataType``.

    ``RxSpecData``: 2 to 255 of them.
    """

    NumberOfReceivers: int = element(UNSIGNED_BYTE)
    RxSpecData: list[m.WPT_TxRxSpecData] = element(min=2, max=255)


class WPT_LF_SystemSetupData(Record, ns=WPT):
    """Type ``WPT_LF_SystemSetupDataType``."""

    LF_TransmitterSetupData: m.WPT_LF_TransmitterData | None = element(default=None, one_of="direction")
    LF_ReceiverSetupData: m.WPT_LF_ReceiverData | None = element(default=None, one_of="direction")


class WPT_FinePositioningSetupReq(c.V2GRequest, ns=WPT, element=True):
    """Message ``WPT_FinePositioningSetupReq``.

    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVProcessing: c.processing = element()
    EVDeviceFinePositioningMethodList: m.WPT_FinePositioningMethodList = element()
    EVDevicePairingMethodList: m.WPT_PairingMethodList = element()
    EVDeviceAlignmentCheckMethodList: m.WPT_AlignmentCheckMethodList = element()
    NaturalOffset: int = element(UNSIGNED_SHORT)
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)
    LF_SystemSetupData: m.WPT_LF_SystemSetupData | None = element(default=None)


class WPT_FinePositioningSetupRes(c.V2GResponse, ns=WPT, element=True):
    """Message ``WPT_FinePositioningSetupRes``.

    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    PrimaryDeviceFinePositioningMethodList: m.WPT_FinePositioningMethodList = element()
    PrimaryDevicePairingMethodList: m.WPT_PairingMethodList = element()
    PrimaryDeviceAlignmentCheckMethodList: m.WPT_AlignmentCheckMethodList = element()
    NaturalOffset: int = element(UNSIGNED_SHORT)
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)
    LF_SystemSetupData: m.WPT_LF_SystemSetupData | None = element(default=None)


class WPT_LF_TxData(Record, ns=WPT):
    """Type ``WPT_LF_TxDataType``.

    ``TxIdentifier``: 1 to 4294967295.
    """

    TxIdentifier: int = element(c.numericIDType)
    EIRP: c.RationalNumber = element()


class WPT_LF_TxDataList(Record, ns=WPT):
    """Type ``WPT_LF_TxDataListType``."""

    WPT_LF_TxDataList: m.WPT_LF_TxData = element()


class WPT_LF_RxRSSI(Record, ns=WPT):
    """Type ``WPT_LF_RxRSSIType``.

    ``TxIdentifier``: 1 to 4294967295.
    """

    TxIdentifier: int = element(c.numericIDType)
    RSSI: c.RationalNumber = element()


class WPT_LF_RxRSSIList(Record, ns=WPT):
    """Type ``WPT_LF_RxRSSIListType``."""

    RSSIDataList: m.WPT_LF_RxRSSI = element()


class WPT_LF_RxData(Record, ns=WPT):
    """Type ``WPT_LF_RxDataType``.

    ``RxIdentifier``: 1 to 4294967295.
    """

    RxIdentifier: int = element(c.numericIDType)
    RSSIData: m.WPT_LF_RxRSSIList = element()


class WPT_LF_RxDataList(Record, ns=WPT):
    """Type ``WPT_LF_RxDataListType``."""

    WPT_LF_RxDataList: m.WPT_LF_RxData = element()


class WPT_LF_DataPackage(Record, ns=WPT):
    """Type ``WPT_LF_DataPackageType``."""

    PackageIndex: int = element(UNSIGNED_BYTE)
    LF_TxData: m.WPT_LF_TxDataList | None = element(default=None, one_of="direction")
    LF_RxData: m.WPT_LF_RxDataList | None = element(default=None, one_of="direction")


class WPT_LF_DataPackageList(Record, ns=WPT):
    """Type ``WPT_LF_DataPackageListType``."""

    NumPackages: int = element(UNSIGNED_BYTE)
    WPT_LF_DataPackage: m.WPT_LF_DataPackage = element()


class WPT_FinePositioningReq(c.V2GRequest, ns=WPT, element=True):
    """Message ``WPT_FinePositioningReq``.

    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVProcessing: c.processing = element()
    EVResultCode: m.WPT_EVResult = element()
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)
    WPT_LF_DataPackageList: m.WPT_LF_DataPackageList | None = element(default=None)


class WPT_FinePositioningRes(c.V2GResponse, ns=WPT, element=True):
    """Message ``WPT_FinePositioningRes``.

    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVSEProcessing: c.processing = element()
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)
    WPT_LF_DataPackageList: m.WPT_LF_DataPackageList | None = element(default=None)


class WPT_PairingReq(c.V2GRequest, ns=WPT, element=True):
    """Message ``WPT_PairingReq``.

    ``ObservedIDCode``: 1 to 4294967295.
    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVProcessing: c.processing = element()
    ObservedIDCode: int | None = element(c.numericIDType, default=None)
    EVResultCode: m.WPT_EVResult = element()
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)


class AlternativeSECC(Record, ns=WPT):
    """Type ``AlternativeSECCType``.

    ``SSID``: at most 255 characters.
    ``BSSID``: MAC address of the access point, upper-case hexadecimal, at most 12 characters.
    ``IPAddress``: IPv6 address, upper-case hexadecimal with colons, at most 39 characters.
    """

    SSID: str | None = element(c.identifierType, default=None)
    BSSID: str | None = element(m.bssidType, default=None)
    IPAddress: str | None = element(m.ipaddressType, default=None)
    Port: int | None = element(UNSIGNED_SHORT, default=None)


class AlternativeSECCList(Record, ns=WPT):
    """Type ``AlternativeSECCListType``.

    ``AlternativeSECC``: 1 to 8 of them.
    """

    AlternativeSECC: list[m.AlternativeSECC] = element(max=8)


class WPT_PairingRes(c.V2GResponse, ns=WPT, element=True):
    """Message ``WPT_PairingRes``.

    ``ObservedIDCode``: 1 to 4294967295.
    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVSEProcessing: c.processing = element()
    ObservedIDCode: int | None = element(c.numericIDType, default=None)
    AlternativeSECCList: m.AlternativeSECCList | None = element(default=None)
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)


class WPT_ChargeParameterDiscoveryReq(c.ChargeParameterDiscoveryReq, ns=WPT, element=True):
    """Message ``WPT_ChargeParameterDiscoveryReq``.

    ``EVPCMaxReceivablePower``: W.
    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVPCMaxReceivablePower: c.RationalNumber = element()
    SDMaxGroundClearence: int = element(UNSIGNED_SHORT)
    SDMinGroundClearence: int = element(UNSIGNED_SHORT)
    EVPCNaturalFrequency: c.RationalNumber = element()
    EVPCDeviceLocalControl: bool = element(BOOLEAN)
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)


class WPT_ChargeParameterDiscoveryRes(c.ChargeParameterDiscoveryRes, ns=WPT, element=True):
    """Message ``WPT_ChargeParameterDiscoveryRes``.

    ``SDMinOutputPower``: W.
    ``SDMaxOutputPower``: W.
    ``PDMinCoilCurrent``: A.
    ``PDMaxCoilCurrent``: A.
    ``SDManufacturerSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    PDInputPowerClass: m.WPT_PowerClass = element()
    SDMinOutputPower: c.RationalNumber = element()
    SDMaxOutputPower: c.RationalNumber = element()
    SDMaxGroundClearanceSupport: int = element(UNSIGNED_SHORT)
    SDMinGroundClearanceSupport: int = element(UNSIGNED_SHORT)
    PDMinCoilCurrent: c.RationalNumber = element()
    PDMaxCoilCurrent: c.RationalNumber = element()
    SDManufacturerSpecificDataContainer: list[bytes] = element(
        m.WPT_DataContainerType, max=16, default_factory=list
    )


class WPT_AlignmentCheckReq(c.V2GRequest, ns=WPT, element=True):
    """Message ``WPT_AlignmentCheckReq``.

    ``TargetCoilCurrent``: A.
    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVProcessing: c.processing = element()
    TargetCoilCurrent: c.RationalNumber | None = element(default=None)
    EVResultCode: m.WPT_EVResult = element()
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)


class WPT_AlignmentCheckRes(c.V2GResponse, ns=WPT, element=True):
    """Message ``WPT_AlignmentCheckRes``.

    ``PowerTransmitted``: W.
    ``SupplyDeviceCurrent``: A.
    ``VendorSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVSEProcessing: c.processing = element()
    PowerTransmitted: c.RationalNumber | None = element(default=None)
    SupplyDeviceCurrent: c.RationalNumber | None = element(default=None)
    VendorSpecificDataContainer: list[bytes] = element(m.WPT_DataContainerType, max=16, default_factory=list)


class WPT_EVPCPowerControlParameter(Record, ns=WPT):
    """Type ``WPT_EVPCPowerControlParameterType``.

    ``EVPCCoilCurrentRequest``: A.
    ``EVPCCoilCurrentInformation``: A.
    ``EVPCCurrentOutputInformation``: A.
    ``EVPCVoltageOutputInformation``: V.
    """

    EVPCCoilCurrentRequest: c.RationalNumber = element()
    EVPCCoilCurrentInformation: c.RationalNumber = element()
    EVPCCurrentOutputInformation: c.RationalNumber = element()
    EVPCVoltageOutputInformation: c.RationalNumber = element()


class WPT_ChargeLoopReq(c.ChargeLoopReq, ns=WPT, element=True):
    """Message ``WPT_ChargeLoopReq``.

    ``EVPCPowerRequest``: W.
    ``EVPCPowerOutput``: W.
    ``ManufacturerSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVPCPowerRequest: c.RationalNumber = element()
    EVPCPowerOutput: c.RationalNumber = element()
    EVPCChargeDiagnostics: m.WPT_EVPCChargeDiagnostics = element()
    EVPCOperatingFrequency: c.RationalNumber | None = element(default=None)
    EVPCPowerControlParameter: m.WPT_EVPCPowerControlParameter | None = element(default=None)
    ManufacturerSpecificDataContainer: list[bytes] = element(
        m.WPT_DataContainerType, max=16, default_factory=list
    )


class WPT_SPCPowerControlParameter(Record, ns=WPT):
    """Type ``WPT_SPCPowerControlParameterType``.

    ``SPCPrimaryDeviceCoilCurrentInformation``: A.
    """

    SPCPrimaryDeviceCoilCurrentInformation: c.RationalNumber = element()


class WPT_ChargeLoopRes(c.ChargeLoopRes, ns=WPT, element=True):
    """Message ``WPT_ChargeLoopRes``.

    ``EVPCPowerRequest``: W.
    ``SDPowerInput``: W.
    ``SPCMaxOutputPowerLimit``: W.
    ``SPCMinOutputPowerLimit``: W.
    ``ManufacturerSpecificDataContainer``: at most 256 bytes, 0 to 16 of them.
    """

    EVPCPowerRequest: c.RationalNumber = element()
    SDPowerInput: c.RationalNumber | None = element(default=None)
    SPCMaxOutputPowerLimit: c.RationalNumber = element()
    SPCMinOutputPowerLimit: c.RationalNumber = element()
    SPCChargeDiagnostics: m.WPT_SPCChargeDiagnostics = element()
    SPCOperatingFrequency: c.RationalNumber | None = element(default=None)
    SPCPowerControlParameter: m.WPT_SPCPowerControlParameter | None = element(default=None)
    ManufacturerSpecificDataContainer: list[bytes] = element(
        m.WPT_DataContainerType, max=16, default_factory=list
    )


SET = MessageSet(
    "iso20-wpt",
    namespaces={"ns7": WPT},
    modules=(m,),
    includes=(c.SET,),
)

"""The messages that benchmarks/exi.py measures: short and long ones of SAP, ISO 15118-2 and ISO 15118-20."""

from __future__ import annotations

from typing import Any

from bench.v2g.messages import iso2, sap
from bench.v2g.messages.iso20 import common, dc
from bench.v2g.messages.iso20 import commontypes as c

V, A, W = "V", "A", "W"
P = iso2.PhysicalValue.of


def _message(body: Any) -> iso2.V2G_Message:
    header = iso2.MessageHeader(SessionID=bytes(range(1, 9)))
    return iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body))


def messages_20() -> dict[str, tuple[str, Any]]:
    """The messages of ISO 15118-20."""
    header = c.MessageHeader(SessionID=bytes(range(1, 9)), TimeStamp=1_700_000_000)
    q = c.RationalNumber.of
    # The PyPI package takes 800 bytes at most, and libcbv2g ends a full list of sub-certificates wrongly.
    certificate = bytes(range(256)) * 2 + bytes(240)
    chain = common.SubCertificates(Certificate=[certificate + bytes(n) for n in (20, 40)])
    return {
        "-20 DC_ChargeLoopReq": (
            "iso20-dc",
            dc.DC_ChargeLoopReq(
                Header=header,
                DisplayParameters=c.DisplayParameters(PresentSOC=42, ChargingComplete=False),
                MeterInfoRequested=False,
                EVPresentVoltage=q(397.5),
                CLReqControlMode=dc.Scheduled_DC_CLReqControlMode(
                    EVTargetEnergyRequest=q(40_000),
                    EVMaximumEnergyRequest=q(60_000),
                    EVMinimumEnergyRequest=q(2_000),
                    EVTargetCurrent=q(120),
                    EVTargetVoltage=q(398),
                    EVMaximumChargePower=q(150_000),
                    EVMinimumChargePower=q(0),
                    EVMaximumChargeCurrent=q(400),
                    EVMaximumVoltage=q(420),
                ),
            ),
        ),
        "-20 CertificateInstallationRes": (
            "iso20-common",
            common.CertificateInstallationRes(
                Header=header,
                ResponseCode=c.responseCode.OK,
                EVSEProcessing=c.processing.Finished,
                CPSCertificateChain=common.CertificateChain(
                    Certificate=certificate,
                    SubCertificates=common.SubCertificates(Certificate=[certificate] * 2),
                ),
                SignedInstallationData=common.SignedInstallationData(
                    Id="id1",
                    ContractCertificateChain=common.ContractCertificateChain(
                        Certificate=certificate + bytes(48), SubCertificates=chain
                    ),
                    ECDHCurve=common.ecdhCurve.SECP521,
                    DHPublicKey=bytes(133),
                    SECP521_EncryptedPrivateKey=bytes(94),
                ),
                RemainingContractCertificateChains=0,
            ),
        ),
    }


def messages() -> dict[str, tuple[str, Any]]:
    """Name -> (message set, message)."""
    status = iso2.DC_EVStatus(EVReady=True, EVErrorCode=iso2.DC_EVErrorCode.NO_ERROR, EVRESSSOC=42)
    evse = iso2.DC_EVSEStatus(
        NotificationMaxDelay=0,
        EVSENotification=iso2.EVSENotification.None_,
        EVSEIsolationStatus=iso2.isolationLevel.Valid,
        EVSEStatusCode=iso2.DC_EVSEStatusCode.EVSE_Ready,
    )
    chain = iso2.CertificateChain(
        Certificate=bytes(range(256)) * 2 + bytes(60),
        SubCertificates=iso2.SubCertificates(
            Certificate=[bytes(range(256)) * 2 + bytes(n) for n in (40, 60)]
        ),
    )
    entries = [
        iso2.PMaxScheduleEntry(
            TimeInterval=iso2.RelativeTimeInterval(start=900 * n, duration=900), PMax=P(11000, W)
        )
        for n in range(12)
    ]
    tariff = iso2.SalesTariff(
        Id="id1",
        SalesTariffID=1,
        SalesTariffDescription="tariff",
        NumEPriceLevels=3,
        SalesTariffEntry=[
            iso2.SalesTariffEntry(
                TimeInterval=iso2.RelativeTimeInterval(start=900 * n, duration=900),
                EPriceLevel=n % 3,
                ConsumptionCost=[
                    iso2.ConsumptionCost(
                        startValue=P(0, W),
                        Cost=[iso2.Cost(costKind=iso2.costKind.relativePricePercentage, amount=n)],
                    )
                ],
            )
            for n in range(12)
        ],
    )
    return {
        "SAP req": (
            "sap",
            sap.supportedAppProtocolReq(
                AppProtocol=[
                    sap.AppProtocol(
                        ProtocolNamespace=ns,
                        VersionNumberMajor=2,
                        VersionNumberMinor=0,
                        SchemaID=i,
                        Priority=i,
                    )
                    for i, ns in enumerate(("urn:iso:15118:2:2013:MsgDef", "urn:iso:std:iso:15118:-20:DC"), 1)
                ]
            ),
        ),
        "SessionSetupRes": (
            "iso2",
            _message(
                iso2.SessionSetupRes(
                    ResponseCode=iso2.responseCode.OK_NewSessionEstablished,
                    EVSEID="DE*PNX*E12345*1",
                    EVSETimeStamp=1_700_000_000,
                )
            ),
        ),
        "PaymentDetailsReq, 3 certs": (
            "iso2",
            _message(iso2.PaymentDetailsReq(eMAID="DEABCC12345678", ContractSignatureCertChain=chain)),
        ),
        "ChargeParameterDiscoveryRes, 12+12": (
            "iso2",
            _message(
                iso2.ChargeParameterDiscoveryRes(
                    ResponseCode=iso2.responseCode.OK,
                    EVSEProcessing=iso2.EVSEProcessing.Finished,
                    SASchedules=iso2.SAScheduleList(
                        SAScheduleTuple=[
                            iso2.SAScheduleTuple(
                                SAScheduleTupleID=1,
                                PMaxSchedule=iso2.PMaxSchedule(PMaxScheduleEntry=entries),
                                SalesTariff=tariff,
                            )
                        ]
                    ),
                    EVSEChargeParameter=iso2.DC_EVSEChargeParameter(
                        DC_EVSEStatus=evse,
                        EVSEMaximumCurrentLimit=P(400, A),
                        EVSEMaximumPowerLimit=P(150_000, W),
                        EVSEMaximumVoltageLimit=P(920, V),
                        EVSEMinimumCurrentLimit=P(0, A),
                        EVSEMinimumVoltageLimit=P(150, V),
                        EVSEPeakCurrentRipple=P(1, A),
                    ),
                )
            ),
        ),
        "CurrentDemandReq": (
            "iso2",
            _message(
                iso2.CurrentDemandReq(
                    DC_EVStatus=status,
                    EVTargetCurrent=P(120, A),
                    EVMaximumVoltageLimit=P(420, V),
                    EVMaximumCurrentLimit=P(200, A),
                    EVMaximumPowerLimit=P(80_000, W),
                    ChargingComplete=False,
                    RemainingTimeToFullSoC=P(1800, "s"),
                    EVTargetVoltage=P(398, V),
                )
            ),
        ),
        "CurrentDemandRes": (
            "iso2",
            _message(
                iso2.CurrentDemandRes(
                    ResponseCode=iso2.responseCode.OK,
                    DC_EVSEStatus=evse,
                    EVSEPresentVoltage=P(397.5, V),
                    EVSEPresentCurrent=P(119.8, A),
                    EVSECurrentLimitAchieved=False,
                    EVSEVoltageLimitAchieved=False,
                    EVSEPowerLimitAchieved=False,
                    EVSEMaximumVoltageLimit=P(920, V),
                    EVSEMaximumCurrentLimit=P(400, A),
                    EVSEMaximumPowerLimit=P(150_000, W),
                    EVSEID="DE*PNX*E12345*1",
                    SAScheduleTupleID=1,
                    MeterInfo=iso2.MeterInfo(MeterID="METER-1", MeterReading=123_456, TMeter=1_700_000_000),
                )
            ),
        ),
        **messages_20(),
    }

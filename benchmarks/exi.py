"""Median microseconds per encode and decode of representative messages, own data. Run: python
benchmarks/exi.py"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # allows running from a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.v2g import codec
from bench.v2g.messages import iso2, sap
from bench.v2g.messages.iso20 import common, dc
from bench.v2g.messages.iso20 import commontypes as c

V, A, W, WH = "V", "A", "W", "Wh"
P = iso2.PhysicalValue.of


def _message(body: Any) -> iso2.V2G_Message:
    header = iso2.MessageHeader(SessionID=bytes(range(1, 9)))
    return iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body))


def messages_20() -> dict[str, tuple[str, Any]]:
    """The messages of ISO 15118-20."""
    header = c.MessageHeader(SessionID=bytes(range(1, 9)), TimeStamp=1_700_000_000)
    q = c.RationalNumber.of
    certificate = bytes(range(256)) * 2 + bytes(50)
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
                    SubCertificates=common.SubCertificates(Certificate=[certificate] * 3),
                ),
                SignedInstallationData=common.SignedInstallationData(
                    Id="id1",
                    ContractCertificateChain=common.ContractCertificateChain(
                        Certificate=certificate + bytes(500), SubCertificates=chain
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
    """Name -> (schema, message): the messages of the table in facts/exi.md."""
    status = iso2.DC_EVStatus(EVReady=True, EVErrorCode=iso2.DC_EVErrorCode.NO_ERROR, EVRESSSOC=42)
    evse = iso2.DC_EVSEStatus(
        NotificationMaxDelay=0,
        EVSENotification=iso2.EVSENotification.None_,
        EVSEIsolationStatus=iso2.isolationLevel.Valid,
        EVSEStatusCode=iso2.DC_EVSEStatusCode.EVSE_Ready,
    )
    chain = iso2.CertificateChain(
        Certificate=bytes(range(256)) * 2 + bytes(50),
        SubCertificates=iso2.SubCertificates(
            Certificate=[bytes(range(256)) * 2 + bytes(n) for n in (40, 60)]
        ),
    )
    entries = [
        iso2.PMaxScheduleEntry(TimeInterval=iso2.RelativeTimeInterval(start=900 * n), PMax=P(11000, W))
        for n in range(12)
    ]
    tariff = iso2.SalesTariff(
        Id="id1",
        SalesTariffID=1,
        SalesTariffDescription="tariff",
        NumEPriceLevels=3,
        SalesTariffEntry=[
            iso2.SalesTariffEntry(TimeInterval=iso2.RelativeTimeInterval(start=900 * n), EPriceLevel=n % 3)
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
                    for i, ns in enumerate(("urn:iso:15118:2:2013:MsgDef", "urn:din:70121:2012:MsgDef"), 1)
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
                    ChargingComplete=False,
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
                    MeterInfo=iso2.MeterInfo(MeterID="METER-1", MeterReading=123_456),
                )
            ),
        ),
        **messages_20(),
    }


def median_us(action: Callable[[], object], rounds: int = 200, batch: int = 20) -> float:
    """Median time of ``action`` in microseconds."""
    action()
    found = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(batch):
            action()
        found.append((time.perf_counter_ns() - start) / batch / 1000)
    return statistics.median(found)


def main() -> int:
    """Prints the table."""
    print(f"{'message':36} {'bytes':>6} {'decode us':>10} {'encode us':>10}")
    products = []
    for name, (schema, message) in messages().items():
        data = codec.encode(message, schema)
        assert codec.decode(schema, data) == message
        decode_us = median_us(lambda s=schema, d=data: codec.decode(s, d))  # type: ignore[misc]
        encode_us = median_us(lambda s=schema, m=message: codec.encode(m, s))  # type: ignore[misc]
        products.append(decode_us + encode_us)
        print(f"{name:36} {len(data):6} {decode_us:10.1f} {encode_us:10.1f}")
    mean = math.exp(statistics.fmean(math.log(p) for p in products))
    print(f"geometric mean of encode + decode: {mean:.1f} us")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

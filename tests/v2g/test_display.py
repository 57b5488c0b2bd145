"""JSON as a person reads it: units, enumerations by name, certificates in words, points in time as dates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from bench.exi.declare import Named
from bench.pki import Pki
from bench.v2g import codec
from bench.v2g.messages import din, iso2, xmldsig
from bench.v2g.messages.iso20 import commontypes, dc

HEADER = iso2.MessageHeader(SessionID=bytes(8))
Q = commontypes.RationalNumber.of


def shown(message: Any) -> Any:
    return json.loads(codec.to_json(message))


def of_iso2(body: iso2.BodyElement) -> Any:
    message = iso2.V2G_Message(Header=HEADER, Body=iso2.Body(BodyElement=body))
    read = codec.decode("iso2", codec.encode(message))
    return shown(read)["V2G_Message"]["Body"]["BodyElement"][type(body).__name__]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def test_certificates_are_decoded(pki: Pki) -> None:
    leaf = pki.contract.certificate
    der = leaf.public_bytes(Encoding.DER)
    subs = [each.public_bytes(Encoding.DER) for each in pki.contract.chain]
    chain = iso2.CertificateChain(Certificate=der, SubCertificates=iso2.SubCertificates(Certificate=subs))
    body = of_iso2(iso2.PaymentDetailsReq(eMAID="DEAAA0000000011", ContractSignatureCertChain=chain))
    found = body["ContractSignatureCertChain"]["Certificate"]
    assert found["subject"] == leaf.subject.rfc4514_string()
    assert found["issuer"] == leaf.issuer.rfc4514_string()
    assert found["serial"] == str(leaf.serial_number)
    assert found["not_after"] == leaf.not_valid_after_utc.isoformat() and found["bytes"] == len(der)
    others = body["ContractSignatureCertChain"]["SubCertificates"]["Certificate"]
    assert [each["bytes"] for each in others] == [len(each) for each in subs]


def test_certificate_in_a_signature(pki: Pki) -> None:
    der = pki.contract.certificate.public_bytes(Encoding.DER)
    data = xmldsig.X509Data(content=[Named("X509Certificate", der, xmldsig.XMLDSIG)])
    (found,) = shown(data)["X509Data"]["content"]
    assert found["X509Certificate"]["subject"] == pki.contract.certificate.subject.rfc4514_string()


def test_what_is_no_certificate_is_hexadecimal() -> None:
    chain = iso2.CertificateChain(Certificate=b"no DER")
    body = of_iso2(iso2.PaymentDetailsReq(eMAID="DEAAA0000000011", ContractSignatureCertChain=chain))
    assert body["ContractSignatureCertChain"]["Certificate"] == b"no DER".hex()


def test_physical_values_and_times_of_iso2() -> None:
    status = iso2.DC_EVSEStatus(
        NotificationMaxDelay=10,
        EVSENotification=iso2.EVSENotification.None_,
        EVSEStatusCode=iso2.DC_EVSEStatusCode.EVSE_Ready,
    )
    body = of_iso2(
        iso2.CurrentDemandRes(
            ResponseCode=iso2.responseCode.OK,
            DC_EVSEStatus=status,
            EVSEPresentVoltage=iso2.PhysicalValue.of(399.5, "V"),
            EVSEPresentCurrent=iso2.PhysicalValue.of(-0.5, "A"),
            EVSECurrentLimitAchieved=False,
            EVSEVoltageLimitAchieved=False,
            EVSEPowerLimitAchieved=False,
            EVSEMaximumPowerLimit=iso2.PhysicalValue(Multiplier=3, Unit=iso2.unitSymbol.W, Value=32767),
            EVSEID="DE*PNX*E1",
            SAScheduleTupleID=1,
            MeterInfo=iso2.MeterInfo(MeterID="m", MeterReading=1234, TMeter=86400),
        )
    )
    assert (body["EVSEPresentVoltage"], body["EVSEPresentCurrent"]) == ("399.5 V", "-0.5 A")
    # Not 3.2767e+07: what was sent, to the last digit.
    assert body["EVSEMaximumPowerLimit"] == "32767000 W"
    assert body["DC_EVSEStatus"]["EVSEStatusCode"] == "EVSE_Ready"
    assert body["DC_EVSEStatus"]["NotificationMaxDelay"] == "10 s"
    assert body["MeterInfo"]["MeterReading"] == "1234 Wh"
    assert body["MeterInfo"]["TMeter"] == "86400 (1970-01-02T00:00:00+00:00)"


def test_quantities_of_iso20_have_the_unit_of_their_declaration() -> None:
    response = dc.DC_ChargeLoopRes(
        Header=commontypes.MessageHeader(SessionID=bytes(8), TimeStamp=0),
        ResponseCode=commontypes.responseCode.OK,
        EVSEPresentCurrent=Q(125.5),
        EVSEPresentVoltage=Q(400),
        EVSEPowerLimitAchieved=False,
        EVSECurrentLimitAchieved=False,
        EVSEVoltageLimitAchieved=False,
        CLResControlMode=dc.Dynamic_DC_CLResControlMode(
            DepartureTime=3600,
            MinimumSOC=20,
            EVSEMaximumChargePower=Q(150_000),
            EVSEMinimumChargePower=Q(0),
            EVSEMaximumChargeCurrent=Q(500),
            EVSEMaximumVoltage=Q(920),
        ),
    )
    body = shown(codec.decode("iso20-dc", codec.encode(response)))["DC_ChargeLoopRes"]
    assert (body["EVSEPresentCurrent"], body["EVSEPresentVoltage"]) == ("125.5 A", "400 V")
    mode = body["CLResControlMode"]["Dynamic_DC_CLResControlMode"]
    assert mode["EVSEMaximumChargePower"] == "150000 W"
    assert (mode["DepartureTime"], mode["MinimumSOC"]) == ("3600 s", "20 %")


def test_din_may_leave_the_unit_out() -> None:
    target = din.PhysicalValue(Multiplier=-1, Value=4000)
    request = din.PreChargeReq(
        DC_EVStatus=din.DC_EVStatus(EVReady=True, EVErrorCode=din.DC_EVErrorCode.NO_ERROR, EVRESSSOC=55),
        EVTargetVoltage=target,
        EVTargetCurrent=din.PhysicalValue(Multiplier=0, Unit=din.unitSymbol.A, Value=1),
    )
    message = din.V2G_Message(Header=din.MessageHeader(SessionID=b"\x01"), Body=din.Body(BodyElement=request))
    body = shown(codec.decode("din", codec.encode(message)))["V2G_Message"]["Body"]["BodyElement"]
    assert body["PreChargeReq"]["EVTargetVoltage"] == "400 V"
    assert body["PreChargeReq"]["EVTargetCurrent"] == "1 A"
    assert body["PreChargeReq"]["DC_EVStatus"]["EVErrorCode"] == "NO_ERROR"
    assert body["PreChargeReq"]["DC_EVStatus"]["EVRESSSOC"] == "55 %"

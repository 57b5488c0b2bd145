"""AC with grid support (ISO 15118-20 Amendment 1): what is known of its streams from other codecs.

One message is of EXIficient with the schema of ISO. The codec that EVerest generates from that schema was
compared with this one on random messages (docs/sources.md).
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.v2g import codec
from bench.v2g.messages.iso20 import ac, ac_der_iec, ac_der_sae
from bench.v2g.messages.iso20 import commontypes as c


def Q(value: int) -> c.RationalNumber:
    return c.RationalNumber(Exponent=0, Value=value)


HEADER = c.MessageHeader(SessionID=bytes(8), TimeStamp=1_700_000_000)
REQUEST = ac.AC_ChargeParameterDiscoveryReq(
    Header=HEADER,
    AC_CPDReqEnergyTransferMode=ac_der_iec.DER_AC_CPDReqEnergyTransferMode(
        EVMaximumChargePower=Q(11_000),
        EVMinimumChargePower=Q(100),
        EVProcessing=c.processing.Finished,
        EVMaximumDischargePower=Q(5000),
        EVMinimumDischargePower=Q(50),
        EVSessionTotalDischargeEnergyAvailable=Q(20_000),
    ),
)
EXIFICIENT = "8010040000000000000000080e2cfaa0630800f855220019080400441391000642200282700440"


def test_exificient_message() -> None:
    assert codec.encode(REQUEST, "iso20-ac-der-iec").hex() == EXIFICIENT
    assert codec.decode("iso20-ac-der-iec", bytes.fromhex(EXIFICIENT)) == REQUEST
    xml = codec.to_xml(REQUEST, "iso20-ac-der-iec")
    assert "<ns7:AC_ChargeParameterDiscoveryReq " in xml and "<ns8:DER_AC_CPDReqEnergyTransferMode>" in xml
    assert "<ns7:EVMaximumChargePower>" in xml and "<ns8:EVMaximumDischargePower>" in xml


@pytest.mark.parametrize("schema", ["iso20-ac-der-iec", "iso20-ac-der-sae"])
def test_six_members_more_than_ac(schema: str) -> None:
    names = [d.name for d in codec._set(schema).grammars.document]
    plain = [d.name for d in codec._set("iso20-ac").grammars.document]
    added = [name for name in names if name not in plain]
    assert len(added) == 6 and all(name.startswith("DER_") for name in added)
    assert names.index("DER_AC_CPDReqEnergyTransferMode") == 15


def test_the_members_belong_to_their_set() -> None:
    """Plain AC knows no DER member, and IEC none of SAE."""
    for schema in ("iso20-ac", "iso20-ac-der-sae"):
        with pytest.raises(codec.ValidationError, match="AC_CPDReqEnergyTransferMode"):
            codec.encode(REQUEST, schema)


def curve(points: int) -> ac_der_iec.DERCurve:
    point = ac_der_iec.DataTuple(xValue=Q(1), yValue=ac_der_iec.SetpointExcitation(SetpointValue=Q(2)))
    return ac_der_iec.DERCurve(
        xUnit=ac_der_iec.curveDataPointsUnit.V,
        yUnit=ac_der_iec.curveDataPointsUnit.var,
        CurveDataPoints=ac_der_iec.CurveDataPointsList(CurveDataPoint=[point] * points),
        PT1ResponseReactivePower=True,
        StepResponseTimeConstantReactivePower=Q(5),
    )


def response(support: Any) -> ac.AC_ChargeParameterDiscoveryRes:
    mode = ac_der_iec.DER_AC_CPDResEnergyTransferMode(
        EVSEMaximumChargePower=Q(1),
        EVSEMinimumChargePower=Q(1),
        EVSENominalFrequency=Q(50),
        EVSENominalChargePower=Q(1),
        EVSENominalDischargePower=Q(1),
        EVSEMaximumDischargePower=Q(1),
        EVOperatingMode=ac_der_iec.evOperatingMode.GridFollowing,
        GridConnectionMode=ac_der_iec.gridConnectionMode.GridConnected,
        DERControl=ac_der_iec.DERControl(ReactivePowerSupport=support),
    )
    return ac.AC_ChargeParameterDiscoveryRes(
        Header=HEADER, ResponseCode=c.responseCode.OK, AC_CPDResEnergyTransferMode=mode
    )


@pytest.mark.parametrize("points", [2, 3, 10])
def test_a_curve_has_two_to_ten_points(points: int) -> None:
    message = response(ac_der_iec.ReactivePowerSupport(WattVar=curve(points)))
    assert codec.decode("iso20-ac-der-iec", codec.encode(message, "iso20-ac-der-iec")) == message
    for wrong in (1, 11):
        with pytest.raises(codec.ValidationError, match="must have 2 to 10 items"):
            codec.encode(response(ac_der_iec.ReactivePowerSupport(WattVar=curve(wrong))), "iso20-ac-der-iec")


def test_reactive_power_support_is_one_curve() -> None:
    both = ac_der_iec.ReactivePowerSupport(VoltVar=curve(2), WattVar=curve(2))
    for wrong in (both, ac_der_iec.ReactivePowerSupport()):
        with pytest.raises(codec.ValidationError, match="ReactivePowerSupport"):
            codec.encode(response(wrong), "iso20-ac-der-iec")


def test_sae_alarm_status() -> None:
    mode = ac_der_sae.DER_Dynamic_AC_CLReqControlMode.__doc__ or ""
    assert "DERAlarmStatus: unsignedInt, 0 to 4294967295" in mode
    assert "EVPresentFrequency: RationalNumber, Hz" in mode

"""The codec on its own: streams derived by hand from the EXI rules, the typed API, errors, round trips,
fuzz."""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.exi.declare import Named
from bench.v2g import codec
from bench.v2g.messages import iso2, sap
from tests.v2g.strategies import leaves, messages

HEADER = iso2.MessageHeader(SessionID=b"\x01")


def message(body: Any) -> iso2.V2G_Message:
    return iso2.V2G_Message(Header=HEADER, Body=iso2.Body(BodyElement=body))


def bits(text: str) -> bytes:
    """Bytes of a bit string with spaces, padded with zeros."""
    plain = text.replace(" ", "")
    plain += "0" * (-len(plain) % 8)
    return int(plain, 2).to_bytes(len(plain) // 8, "big")


# Derived by hand: header; 2 bits of 3 document events; a single possible event is one zero bit; CH and
# EE of a simple element one bit each; anyURI length+2; unsignedInt varints; SchemaID 8 bits; Priority in
# 5 bits, offset 1; behind the first of up to 20 AppProtocol: again 0, end 1, escape: 2 bits.
SAP_REQUEST = bits(
    "10000000 00"
    " 0 0 0 00000011 01100001 0"  # AppProtocol, ProtocolNamespace "a"
    " 0 0 00000010 0"  # VersionNumberMajor 2
    " 0 0 00000000 0"  # VersionNumberMinor 0
    " 0 0 00000001 0"  # SchemaID 1
    " 0 0 00000 0"  # Priority 1
    " 0 01"  # end of AppProtocol, end of the request
)
SAP = sap.supportedAppProtocolReq(
    AppProtocol=[
        sap.AppProtocol(
            ProtocolNamespace="a", VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=1, Priority=1
        )
    ]
)

# V2G_Message is document event 76 of 81 (7 bits); Notification, Signature or end: 2 bits; BodyElement: 36
# events and the end, 6 bits; SessionStopReq is number 33 of the members in name order.
STOP = bits("10000000 1001100 0 0 0 00000001 00000001 0 10 0 011111 0 0 0 0 0 0 0")


def test_hand_derived_handshake() -> None:
    assert codec.encode(SAP) == SAP_REQUEST
    assert codec.decode("sap", SAP_REQUEST) == SAP


def test_hand_derived_session_stop() -> None:
    stop = message(iso2.SessionStopReq(ChargingSession=iso2.chargingSession.Terminate))
    assert codec.encode(stop) == STOP
    assert codec.decode("iso2", STOP) == stop


def test_enumerations_take_plain_text_and_values_are_not_checked_when_set() -> None:
    stop = iso2.SessionStopReq(ChargingSession="Terminate")  # type: ignore[arg-type]
    assert codec.encode(message(stop)) == STOP
    stop.ChargingSession = "Bogus"  # type: ignore[assignment]
    with pytest.raises(codec.ValidationError, match="SessionStopReq/ChargingSession") as error:
        codec.encode(message(stop))
    assert error.value.path == "V2G_Message/Body/SessionStopReq/ChargingSession"
    read = codec.decode("iso2", codec.encode(message(stop), deviations=True))
    assert read.Body.BodyElement.ChargingSession == "Bogus"


def test_records_behave_like_dataclasses() -> None:
    value = iso2.PhysicalValue(Multiplier=0, Unit=iso2.unitSymbol.V, Value=400)
    assert value.copy(Value=5) == iso2.PhysicalValue(Multiplier=0, Unit=iso2.unitSymbol.V, Value=5)
    assert dataclasses.replace(value, Value=6).Value == 6
    assert value != value.copy(Value=1)
    assert repr(value).startswith("PhysicalValue(Multiplier=0")
    with pytest.raises(TypeError, match="needs Value"):
        iso2.PhysicalValue(Multiplier=0, Unit=iso2.unitSymbol.V)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no field"):
        value.copy(Volts=1)
    with pytest.raises(AttributeError):
        value.Volts = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("quantity", "multiplier", "value"),
    [(400.0, 0, 400), (0.5, -1, 5), (150_000, 1, 15_000), (-3.25, -2, -325), (0, 0, 0)],
)
def test_physical_value_of(quantity: float, multiplier: int, value: int) -> None:
    made = iso2.PhysicalValue.of(quantity, "W")
    assert (made.Multiplier, made.Value) == (multiplier, value)
    assert made.value == pytest.approx(quantity)


def test_physical_value_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        iso2.PhysicalValue.of(1e9, "W")
    assert iso2.PhysicalValue.of(12345.678, "V").value == pytest.approx(12346, abs=1)


def test_full_array_has_only_its_end_left() -> None:
    services = [iso2.SelectedService(ServiceID=n) for n in range(16)]
    request = message(
        iso2.PaymentServiceSelectionReq(
            SelectedPaymentOption=iso2.paymentOption.Contract,
            SelectedServiceList=iso2.SelectedServiceList(SelectedService=services),
        )
    )
    data = codec.encode(request)
    assert codec.decode("iso2", data) == request
    services.append(iso2.SelectedService(ServiceID=99))
    with pytest.raises(codec.ValidationError, match="1 to 16 items, not 17"):
        codec.encode(request)
    again = codec.decode("iso2", codec.encode(request, deviations=True))
    assert codec.encode(again, deviations=True) == codec.encode(request, deviations=True)


def test_empty_values_have_two_encodings() -> None:
    empty = message(iso2.SessionSetupReq(EVCCID=b""))
    assert codec.encode(empty) != codec.encode(empty, empty_as_end=True)
    for data in (codec.encode(empty), codec.encode(empty, empty_as_end=True)):
        assert codec.decode("iso2", data) == empty


def test_absent_required_element_can_be_sent() -> None:
    request = message(iso2.SessionSetupReq(EVCCID=None))  # type: ignore[arg-type]
    with pytest.raises(codec.ValidationError, match="EVCCID: is required"):
        codec.encode(request)
    assert codec.decode("iso2", codec.encode(request, deviations=True)).Body.BodyElement.EVCCID is None


def test_a_node_may_replace_any_value() -> None:
    extra = codec.Node("urn:example", "Extra", {}, ["1"])
    request = message(iso2.SessionSetupReq(EVCCID=extra))  # type: ignore[arg-type]
    read = codec.decode("iso2", codec.encode(request, deviations=True))
    assert "Extra" in codec.to_xml(read)


def test_trailing_bytes_and_odd_headers_are_findings() -> None:
    findings: list[str] = []
    assert codec.decode("iso2", STOP + b"\x00", findings=findings) == codec.decode("iso2", STOP)
    assert findings == ["1 trailing byte(s) after the message"]
    findings.clear()
    codec.decode("iso2", b"\x90" + STOP[1:], findings=findings)
    assert findings == ["header 90 instead of 80"]
    assert codec.decode("iso2", b"$EXI" + STOP) == codec.decode("iso2", STOP)


def test_decode_error_says_where() -> None:
    with pytest.raises(codec.DecodeError) as error:
        codec.decode("iso2", STOP[:5])
    assert error.value.schema == "iso2"
    assert error.value.path.startswith("V2G_Message/")
    assert error.value.bit > 8
    assert "bits" in error.value.expected
    for data in (b"", b"\x00", b"\xa0\x00", b"\x80\xff"):
        with pytest.raises(codec.DecodeError):
            codec.decode("iso2", data)


def test_unknown_schema() -> None:
    with pytest.raises(codec.CodecError, match="unknown schema"):
        codec.decode("iso3", STOP)


def test_a_type_that_is_no_element_needs_a_name() -> None:
    value = iso2.PhysicalValue.of(5, "V")
    with pytest.raises(codec.CodecError, match="wrap it in Named"):
        codec.encode(value, "iso2", fragment=True)
    named = Named("EVTargetVoltage", value, "urn:iso:15118:2:2013:MsgBody")
    assert codec.decode("iso2", codec.encode(named, "iso2", fragment=True), fragment=True) == named


def test_xml_refuses_document_types_and_broken_text() -> None:
    for text in ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>", ""):
        with pytest.raises(codec.ValidationError):
            codec.from_xml("iso2", text)


def test_xml_keeps_special_characters() -> None:
    request = message(iso2.ServiceDiscoveryReq(ServiceScope="a<b>&\"'\r\n\té€"))
    assert codec.from_xml("iso2", codec.to_xml(request)) == request
    assert codec.decode("iso2", codec.encode(request)) == request


def test_json_is_for_people() -> None:
    text = codec.to_json(
        message(
            iso2.PreChargeRes(
                ResponseCode=iso2.responseCode.OK,
                DC_EVSEStatus=iso2.DC_EVSEStatus(
                    NotificationMaxDelay=0,
                    EVSENotification=iso2.EVSENotification.None_,
                    EVSEStatusCode=iso2.DC_EVSEStatusCode.EVSE_Ready,
                ),
                EVSEPresentVoltage=iso2.PhysicalValue.of(399.5, "V"),
            )
        )
    )
    body = json.loads(text)["V2G_Message"]["Body"]["BodyElement"]["PreChargeRes"]
    assert body["EVSEPresentVoltage"] == "399.5 V"
    assert body["DC_EVSEStatus"]["EVSENotification"] == "None"


QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(messages("iso2"))
def test_any_valid_message_survives_exi_and_xml(original: iso2.V2G_Message) -> None:
    data = codec.encode(original)
    assert codec.decode("iso2", data) == original
    assert codec.from_xml("iso2", codec.to_xml(original)) == original
    general = codec._decode_any(codec._set("iso2"), data, False, [])
    assert general == original
    ended = codec.encode(original, empty_as_end=True)
    assert codec.decode("iso2", ended) == original


WRONG: list[Any] = [
    None,
    [],
    [1, 2],
    5,
    -1,
    2**80,
    1.5,
    "x",
    "",
    b"x",
    True,
    object(),
    codec.Node("u", "n"),
    HEADER,
    SAP,
]


@QUIET
@given(messages("iso2"), st.data())
def test_wrong_values_are_sent_or_refused_clearly(original: iso2.V2G_Message, data: st.DataObject) -> None:
    record, key = data.draw(st.sampled_from(leaves(original)))
    setattr(record, key, data.draw(st.sampled_from(WRONG)))
    try:
        stream = codec.encode(original, deviations=True)
    except codec.CodecError:
        return
    codec.decode("iso2", stream)
    try:
        strict = codec.encode(original)
    except codec.CodecError:
        return
    assert strict == stream


def test_fuzzed_streams_give_a_message_or_a_decode_error() -> None:
    rng = random.Random(20141)
    seeds = [(SAP_REQUEST, "sap"), (STOP, "iso2")]
    big = message(
        iso2.ServiceDetailRes(
            ResponseCode=iso2.responseCode.OK,
            ServiceID=1,
            ServiceParameterList=iso2.ServiceParameterList(
                ParameterSet=[
                    iso2.ParameterSet(
                        ParameterSetID=n, Parameter=[iso2.Parameter(Name="p", stringValue="v" * n)]
                    )
                    for n in range(20)
                ]
            ),
        )
    )
    seeds.append((codec.encode(big), "iso2"))
    start = time.monotonic()
    for _ in range(3000):
        data, schema = rng.choice(seeds)
        mutable = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            action = rng.random()
            place = rng.randrange(1, len(mutable))
            if action < 0.6:
                mutable[place] ^= 1 << rng.randrange(8)
            elif action < 0.8:
                mutable[place:] = rng.randbytes(rng.randint(1, 30))
            else:
                del mutable[place:]
                mutable += b"\x80"
        for fragment in (False, True):
            try:
                found = codec.decode(schema, bytes(mutable), fragment)
            except codec.DecodeError:
                continue
            codec.to_xml(found, schema)
    assert time.monotonic() - start < 30


def test_hostile_streams_end_soon() -> None:
    start = time.monotonic()
    for filler in (b"\x00", b"\xff", b"\xaa", b"\x55", b"\x12\x34\x56"):
        for size in (10, 1000, 60_000):
            for schema in codec.SCHEMAS:
                for fragment in (False, True):
                    for head in (b"\x80", b"\x80\x98", b"\x80\xf3", b"\x80\x52"):
                        try:
                            codec.decode(schema, head + filler * size, fragment)
                        except codec.DecodeError:
                            continue
    assert time.monotonic() - start < 20


def test_import_is_light() -> None:
    program = (
        "import time; t = time.process_time(); import bench.v2g.codec; print(time.process_time() - t);"
        "print(open('/proc/self/status').read())"
    )
    best = 1.0
    for _ in range(3):
        shown = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout
        seconds, status = shown.split("\n", 1)
        best = min(best, float(seconds))
        # Peak resident memory; getrusage would report that of the process this one was forked from.
        (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        assert int(peak) < 40_000
    assert best < 0.15


def test_copies_are_independent() -> None:
    original = message(iso2.SessionSetupReq(EVCCID=b"123456"))
    other = copy.deepcopy(original)
    other.Body.BodyElement.EVCCID = b"x"  # type: ignore[union-attr]
    assert original != other
    assert original == message(iso2.SessionSetupReq(EVCCID=b"123456"))


def test_enumerations_are_text() -> None:
    assert issubclass(iso2.responseCode, enum.StrEnum)
    assert iso2.responseCode("OK") is iso2.responseCode.OK
    assert iso2.responseCode.OK == "OK"

"""What the decoder tolerates, it can say by name, element and bit; and where it refuses a stream, and why."""

from __future__ import annotations

import pytest

from bench.exi import grammar as g
from bench.exi.bits import BitWriter
from bench.exi.errors import DecodeError
from bench.v2g import codec
from bench.v2g.messages import din, iso2
from bench.v2g.messages.iso20 import commontypes

HEADER = iso2.MessageHeader(SessionID=b"\x01")


def message(body: iso2.BodyElement, header: iso2.MessageHeader = HEADER) -> iso2.V2G_Message:
    return iso2.V2G_Message(Header=header, Body=iso2.Body(BodyElement=body))


STOP = message(iso2.SessionStopReq(ChargingSession=iso2.chargingSession.Terminate))
DATA = codec.encode(STOP)


def found(data: bytes, schema: str = "iso2", fragment: bool = False) -> tuple[object, list[codec.Finding]]:
    findings: list[codec.Finding] = []
    return codec.decode(schema, data, fragment, findings=findings), findings


def test_plain_messages_have_none() -> None:
    assert found(DATA) == (STOP, [])


@pytest.mark.parametrize(
    ("data", "name", "bit"),
    [
        (DATA + b"\x00\x00", "trailing-bytes", 51),
        (b"\x90" + DATA[1:], "exi-header", 0),
        (b"$EXI" + DATA, "exi-cookie", 0),
    ],
)
def test_around_the_message(data: bytes, name: str, bit: int) -> None:
    read, findings = found(data)
    assert read == STOP
    (one,) = findings
    assert (one.name, one.schema, one.path, one.bit, one.breach) == (name, "iso2", "", bit, True)
    assert one.located.startswith(f"{name}: iso2: document at bit {bit} (byte {bit // 8}): ")
    assert one.as_data()["text"] == str(one)


def test_empty_value_as_an_end_of_element() -> None:
    setup = message(iso2.SessionSetupReq(EVCCID=b""))
    read, findings = found(codec.encode(setup, empty_as_end=True))
    assert read == setup
    (one,) = findings
    assert (one.name, one.path, one.breach) == (
        "empty-as-end",
        "V2G_Message/Body/SessionSetupReq/EVCCID",
        False,
    )
    # Header, document code, 29 bits up to the member as in SessionStopReq, one for SE(EVCCID).
    assert one.bit == 45


class Hits:
    """A stream of two texts, the second as a string table hit: no encoder here writes one."""

    def __init__(self) -> None:
        text = iso2.Notification(FaultCode=iso2.faultCode.ParsingError, FaultMsg="same")
        self.message = message(iso2.ServiceDiscoveryReq(ServiceScope="same"), HEADER.copy(Notification=text))
        plain = codec.encode(self.message)
        path = "V2G_Message/Body/ServiceDiscoveryReq/ServiceScope"
        places = [p for p in codec.productions("iso2", plain) if p.path == path]
        self.start = places[0].bit + places[0].width
        # What follows the value is the end of three elements and padding; the value itself is 5 octets.
        value = int.from_bytes(plain, "big")
        tail = len(plain) * 8 - self.start - 5 * 8
        sink = BitWriter()
        sink.bits(value >> (tail + 5 * 8), self.start)
        # A global hit is length 1, and with one value in the table its index has no bits.
        sink.unsigned(1)
        sink.bits(value & ((1 << tail) - 1), tail)
        self.data = sink.getvalue()


def test_string_table_hit() -> None:
    case = Hits()
    read, findings = found(case.data)
    assert read == case.message
    hits = [each for each in findings if each.name == "string-table-hit"]
    (one,) = hits
    assert one.path == "V2G_Message/Body/ServiceDiscoveryReq/ServiceScope"
    assert case.start <= one.bit <= case.start + 8
    assert not one.breach


def test_full_array_of_another_dialect() -> None:
    services = [iso2.SelectedService(ServiceID=n) for n in range(16)]
    request = message(
        iso2.PaymentServiceSelectionReq(
            SelectedPaymentOption=iso2.paymentOption.Contract,
            SelectedServiceList=iso2.SelectedServiceList(SelectedService=services),
        )
    )
    from bench.exi.writer import Writer

    known = codec._set("iso2")
    data = Writer(known.loose).write(known.converter.to_node(request), False)
    assert data != codec.encode(request)
    read, findings = found(data)
    assert read == request
    (one,) = findings
    assert one.name == "array-as-unbounded" and one.breach
    assert one.path == "V2G_Message/Body/PaymentServiceSelectionReq/SelectedServiceList"
    # After 16 items the schema leaves the end, one bit; who takes 16 for unbounded writes two.
    places = [p for p in codec.productions("iso2", codec.encode(request)) if p.path == one.path]
    assert one.bit == places[-1].bit


def test_schema_invalid_content_is_placed() -> None:
    odd = message(iso2.SessionStopReq(ChargingSession="Bogus"))  # type: ignore[arg-type]
    data = codec.encode(odd, deviations=True)
    _, findings = found(data)
    (one,) = findings
    assert one.name == "not-of-schema" and one.breach
    assert one.path == "V2G_Message/Body/SessionStopReq/ChargingSession"
    assert one.bit == 45


def test_integer_out_of_range_is_placed() -> None:
    odd = message(iso2.ServiceDetailReq(ServiceID=70_000))
    data = codec.encode(odd, deviations=True)
    _, findings = found(data)
    (one,) = findings
    path = "V2G_Message/Body/ServiceDetailReq/ServiceID"
    assert (one.name, one.path, one.bit) == ("not-of-schema", path, 45)
    with pytest.raises(codec.ValidationError, match="ServiceID: must be 0 to 65535, not 70000"):
        codec.encode(codec.decode("iso2", data))


def test_code_of_the_end_of_a_fragment() -> None:
    value = iso2.AuthorizationReq(GenChallenge=bytes(16))
    data = bytearray(codec.encode(value, "iso2", fragment=True))
    places = codec.productions("iso2", bytes(data), fragment=True)
    width = places[0].width
    known = codec._set("iso2").grammars
    end = len(known.fragment) + 1
    assert end < (1 << width) - 1
    whole = int.from_bytes(data, "big")
    bits = len(data) * 8
    # The last full code in the stream is that of the end.
    shift = next(s for s in range(8) if whole >> s & ((1 << width) - 1) == end)
    whole |= ((1 << width) - 1) << shift
    read, findings = found(whole.to_bytes(bits // 8, "big"), fragment=True)
    assert read == value
    assert [each.name for each in findings] == ["fragment-end"]


@pytest.mark.parametrize(
    ("data", "schema", "path", "bit", "expected"),
    [
        (DATA[:4], "iso2", "V2G_Message/Header/SessionID", 26, "1 bytes, 0 are left"),
        (b"\xa0" + DATA[1:], "iso2", "", 2, "an EXI header without options (80), not a0"),
        (b"", "iso2", "", 0, "an EXI header"),
        (b"\x80\xfe", "iso2", "", 8, "a root element; code 127 is none of the 80"),
        (bytes.fromhex("8098004053f000"), "iso2", "V2G_Message/Body", 38, "event code 63 means nothing here"),
    ],
)
def test_errors_say_where_and_what(data: bytes, schema: str, path: str, bit: int, expected: str) -> None:
    with pytest.raises(DecodeError) as error:
        codec.decode(schema, data)
    assert (error.value.schema, error.value.path, error.value.bit) == (schema, path, bit)
    assert expected in error.value.expected
    assert str(error.value).startswith(f"{schema}: {path or 'document'} at bit {bit} (byte {bit // 8}): ")


def test_index_of_an_enumeration_without_that_many_members() -> None:
    response = message(iso2.SessionStopRes(ResponseCode=iso2.responseCode.OK))
    data = codec.encode(response)
    place = next(p for p in codec.productions("iso2", data) if p.path.endswith("ResponseCode"))
    width = (len(iso2.responseCode) - 1).bit_length()
    assert len(iso2.responseCode) < 1 << width
    start = place.bit + place.width
    value = int.from_bytes(data, "big") | ((1 << width) - 1) << (len(data) * 8 - start - width)
    with pytest.raises(DecodeError, match=f"index below {len(iso2.responseCode)} of responseCode") as error:
        codec.decode("iso2", value.to_bytes(len(data), "big"))
    assert error.value.bit == start


def test_names_from_the_stream_do_not_fill_the_error() -> None:
    with pytest.raises(DecodeError) as error:
        codec.decode("iso2", b"\x80\x98" + b"\x55" * 60_000)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<b:SessionSetupReq/>", "SessionSetupReq/EVCCID: is required"),
        (
            "<b:SessionSetupReq><b:EVCCID>00</b:EVCCID><b:Foo/></b:SessionSetupReq>",
            "element Foo is not allowed",
        ),
        (
            "<b:SessionSetupReq><b:EVCCID>0g</b:EVCCID></b:SessionSetupReq>",
            "must be hexadecimal bytes, not '0g'",
        ),
        (
            "<b:SessionSetupReq><b:EVCCID>00112233445566</b:EVCCID></b:SessionSetupReq>",
            "must be 0 to 6 bytes long",
        ),
        (
            "<b:SessionStopReq><b:ChargingSession>x</b:ChargingSession></b:SessionStopReq>",
            "one of Terminate, Pause",
        ),
        ("<b:ServiceDetailReq><b:ServiceID>70000</b:ServiceID></b:ServiceDetailReq>", "must be 0 to 65535"),
        ("<b:FooReq/>", "element FooReq is not allowed here; expected AuthorizationReq, "),
    ],
)
def test_invalid_xml_is_refused_with_schema_path_and_expectation(body: str, said: str) -> None:
    text = (
        '<a:V2G_Message xmlns:a="urn:iso:15118:2:2013:MsgDef" xmlns:b="urn:iso:15118:2:2013:MsgBody"'
        ' xmlns:h="urn:iso:15118:2:2013:MsgHeader"><a:Header><h:SessionID>00</h:SessionID></a:Header>'
        f"<a:Body>{body}</a:Body></a:V2G_Message>"
    )
    with pytest.raises(codec.ValidationError) as error:
        codec.encode(codec.from_xml("iso2", text))
    assert error.value.schema == "iso2" and error.value.path.startswith("V2G_Message/Body")
    assert str(error.value).startswith("iso2: V2G_Message/Body") and said in str(error.value)


def test_an_unknown_root_is_refused_unless_deviations_are_allowed() -> None:
    strange = codec.from_xml("iso2", "<Foo/>")
    with pytest.raises(codec.ValidationError, match="iso2: Foo: no element of iso2"):
        codec.encode(strange, "iso2")
    assert (
        codec.to_xml(codec.decode("iso2", codec.encode(strange, "iso2", deviations=True)), "iso2") == "<Foo/>"
    )


def test_classes_say_their_limits_and_units() -> None:
    assert "EVMaximumPowerLimit: PhysicalValue, W, optional" in (iso2.DC_EVChargeParameter.__doc__ or "")
    assert "Multiplier: unitMultiplierType, -3 to 3" in (iso2.PhysicalValue.__doc__ or "")
    assert "SessionID: sessionIDType, exactly 8 bytes" in (commontypes.MessageHeader.__doc__ or "")
    assert "PresentSOC: percentValueType, 0 to 100, %, optional" in (
        commontypes.DisplayParameters.__doc__ or ""
    )
    for schema in codec.SCHEMAS:
        known = codec._set(schema).grammars
        for cls in known.set.classes:
            shown = cls.__doc__ or ""
            assert all(f"{name}: " in shown for name in cls._fields), cls


def test_state_of_a_grammar_in_words() -> None:
    known = codec._set("din").grammars
    state = g.state_of(known.type_grammar(din.SessionSetupReq).start)
    from bench.exi.words import allowed

    assert allowed(state.events) == "EVCCID"
    assert allowed([]) == "nothing"

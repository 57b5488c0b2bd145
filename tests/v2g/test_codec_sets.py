"""The sets of DIN SPEC 70121 and ISO 15118-20: hand-derived streams, the typed API, round trips, fuzz."""

from __future__ import annotations

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
from bench.v2g.messages import din
from bench.v2g.messages.iso20 import ac, acdp, common, dc, wpt
from bench.v2g.messages.iso20 import commontypes as c
from tests.v2g.strategies import leaves, messages, roots

SETS = (
    "din",
    "iso20-common",
    "iso20-ac",
    "iso20-dc",
    "iso20-acdp",
    "iso20-wpt",
    "iso20-ac-der-iec",
    "iso20-ac-der-sae",
)
HEADER = c.MessageHeader(SessionID=b"\x00\x00\x00\x00\x00\x00\x00\x01", TimeStamp=5)
Q = c.RationalNumber.of


def bits(text: str) -> bytes:
    """Bytes of a bit string with spaces, padded with zeros."""
    plain = text.replace(" ", "")
    plain += "0" * (-len(plain) % 8)
    return int(plain, 2).to_bytes(len(plain) // 8, "big")


# SessionID: 1 bit for its start and for its value, length 8 and 8 bytes, 1 bit for its end; TimeStamp a
# varint; then Signature or the end of the header: 2 bits.
HEADER_BITS = "0 0 0 00001000" + " 00000000" * 7 + " 00000001 0" + " 0 0 00000101 0" + " 01"


def test_hand_derived_din_session_stop() -> None:
    # V2G_Message is document event 77 of 82; SessionID is one byte; SessionStopReq is number 33 of the body's
    # 35 members, so that 36 events are possible: 6 bits.
    names = [d.name for d in codec._set("din").grammars.document]
    members = [m.__name__ for m in codec._set("din").grammars.substitutes(din.BodyElement)]
    code, member = names.index("V2G_Message"), members.index("SessionStopReq")
    stream = bits(f"10000000 {code:07b} 0 0 0 00000001 00000001 0 10 0 {member:06b} 0 0 0")
    header = din.MessageHeader(SessionID=b"\x01")
    stop = din.V2G_Message(Header=header, Body=din.Body(BodyElement=din.SessionStopReq()))
    assert codec.encode(stop) == stream
    assert codec.decode("din", stream) == stop


def test_hand_derived_cable_check() -> None:
    # DC_CableCheckReq is document event 11 of 49: 6 bits. Nothing but the header is in it.
    stream = bits("10000000 001011" + HEADER_BITS + " 0")
    message = dc.DC_CableCheckReq(Header=HEADER)
    assert codec.encode(message) == stream
    assert codec.decode("iso20-dc", stream) == message


def test_the_same_type_is_coded_differently_in_each_set() -> None:
    """CLReqControlMode has other members in AC than in DC: the same codes, other elements."""
    request = dc.DC_ChargeLoopReq(
        Header=HEADER,
        MeterInfoRequested=False,
        EVPresentVoltage=Q(400),
        CLReqControlMode=dc.Scheduled_DC_CLReqControlMode(EVTargetCurrent=Q(10), EVTargetVoltage=Q(400)),
    )
    assert codec.decode("iso20-dc", codec.encode(request)) == request
    wrong = request.copy(CLReqControlMode=ac.Scheduled_AC_CLReqControlMode(EVPresentActivePower=Q(1)))
    with pytest.raises(codec.ValidationError, match="Scheduled_DC_CLReqControlMode"):
        codec.encode(wrong)


def test_a_replaceable_element_and_its_replacement() -> None:
    plain = dict.fromkeys(dc.DC_CPDReqEnergyTransferMode._fields, Q(1)) | {"TargetSOC": 80}
    both = dict.fromkeys(dc.BPT_DC_CPDReqEnergyTransferMode._fields, Q(2)) | {"TargetSOC": None}
    for mode in (dc.DC_CPDReqEnergyTransferMode(**plain), dc.BPT_DC_CPDReqEnergyTransferMode(**both)):  # type: ignore[arg-type]
        request = dc.DC_ChargeParameterDiscoveryReq(Header=HEADER, DC_CPDReqEnergyTransferMode=mode)
        assert codec.decode("iso20-dc", codec.encode(request)) == request
        assert f"{type(mode).__name__}>" in codec.to_xml(request)
        shown = json.loads(codec.to_json(request))["DC_ChargeParameterDiscoveryReq"]
        assert list(shown["DC_CPDReqEnergyTransferMode"]) == [type(mode).__name__]


def test_a_choice_takes_one_of_its_fields() -> None:
    request = common.AuthorizationReq(
        Header=HEADER,
        SelectedAuthorizationService=common.authorization.EIM,
        EIM_AReqAuthorizationMode=common.EIM_AReqAuthorizationMode(),
    )
    assert codec.decode("iso20-common", codec.encode(request)) == request
    with pytest.raises(codec.ValidationError, match="EIM_AReqAuthorizationMode"):
        codec.encode(request.copy(EIM_AReqAuthorizationMode=None))
    findings: list[str] = []
    sent = codec.encode(request.copy(EIM_AReqAuthorizationMode=None), deviations=True)
    codec.decode("iso20-common", sent, findings=findings)
    assert findings == ["content that the schema does not allow"]


def test_two_elements_of_one_type() -> None:
    status = acdp.electricalChargingDeviceStatus.State_B
    connect = acdp.ACDP_ConnectReq(Header=HEADER, EVElectricalChargingDeviceStatus=status)
    disconnect = acdp.ACDP_DisconnectReq(Header=HEADER, EVElectricalChargingDeviceStatus=status)
    assert codec.encode(connect) != codec.encode(disconnect)
    assert codec.decode("iso20-acdp", codec.encode(disconnect)) == disconnect


def test_at_least_two_items() -> None:
    def setup(count: int) -> wpt.WPT_FinePositioningSetupRes:
        point = wpt.WPT_CoordinateXYZ(Coord_X=1, Coord_Y=-2, Coord_Z=3)
        one = wpt.WPT_TxRxSpecData(TxRxIdentifier=1, TxRxPosition=point, TxRxOrientation=point)
        receiver = wpt.WPT_LF_ReceiverData(NumberOfReceivers=2, RxSpecData=[one] * count)
        alignment = wpt.WPT_AlignmentCheckMethodList(
            WPT_AlignmentCheckMethod=[wpt.WPT_AlignmentCheckMethod.PowerCheck]
        )
        return wpt.WPT_FinePositioningSetupRes(
            Header=HEADER,
            ResponseCode=c.responseCode.OK,
            PrimaryDeviceFinePositioningMethodList=wpt.WPT_FinePositioningMethodList(
                WPT_FinePositioningMethod=[wpt.WPT_FinePositioningMethod.Manual]
            ),
            PrimaryDevicePairingMethodList=wpt.WPT_PairingMethodList(
                WPT_PairingMethod=[wpt.WPT_PairingMethod.External_confirmation]
            ),
            PrimaryDeviceAlignmentCheckMethodList=alignment,
            NaturalOffset=0,
            LF_SystemSetupData=wpt.WPT_LF_SystemSetupData(LF_ReceiverSetupData=receiver),
        )

    for count in (2, 3, 254, 255):
        assert codec.decode("iso20-wpt", codec.encode(setup(count))) == setup(count)
    for count in (1, 256):
        with pytest.raises(codec.ValidationError, match="2 to 255 items"):
            codec.encode(setup(count))


@pytest.mark.parametrize(
    ("number", "exponent", "value"),
    [(400.0, 0, 400), (0.5, -1, 5), (150_000, 1, 15_000), (-3.25, -2, -325), (0, 0, 0)],
)
def test_rational_number_and_physical_value(number: float, exponent: int, value: int) -> None:
    made = Q(number)
    assert (made.Exponent, made.Value) == (exponent, value)
    assert made.value == pytest.approx(number)
    quantity = din.PhysicalValue.of(number, "W")
    assert (quantity.Multiplier, quantity.Value, quantity.Unit) == (exponent, value, "W")
    assert quantity.value == made.value
    assert din.PhysicalValue.of(number).Unit is None


def test_numbers_that_do_not_fit() -> None:
    for attempt in (lambda: Q(1e9), lambda: din.PhysicalValue.of(-1e9, "V")):
        with pytest.raises(ValueError, match="does not fit"):
            attempt()


def test_json_shows_quantities_and_times() -> None:
    message = dc.DC_PreChargeRes(Header=HEADER, ResponseCode=c.responseCode.OK, EVSEPresentVoltage=Q(399.5))
    shown = json.loads(codec.to_json(message))["DC_PreChargeRes"]
    assert shown["EVSEPresentVoltage"] == "399.5 V"
    assert shown["Header"]["TimeStamp"].startswith("5 (1970-01-01")
    huge = c.RationalNumber(Exponent=10**12, Value=1)
    assert "1000000000000" in codec.to_json(huge)
    assert json.loads(codec.to_json(din.PhysicalValue.of(16, "A"))) == "16 A"
    assert json.loads(codec.to_json(din.PhysicalValue.of(16))) == "16"


def test_types_common_to_the_sets_need_the_schema() -> None:
    for value in (Q(1), Named("RationalNumber", Q(1), c.COMMON_TYPES)):
        with pytest.raises(codec.CodecError, match="belongs to no message set"):
            codec.encode(value, fragment=True)
    target = Named("EVTargetVoltage", Q(400), dc.DC)
    data = codec.encode(target, "iso20-dc", fragment=True)
    assert codec.decode("iso20-dc", data, fragment=True) == target
    node = codec.Node(wpt.WPT, "WPT_PairingReq")
    assert codec.encode(node, deviations=True) == codec.encode(node, "iso20-wpt", deviations=True)


def test_the_end_of_a_fragment_is_taken_leniently() -> None:
    mode = common.PnC_AReqAuthorizationMode(
        Id="id1",
        GenChallenge=bytes(16),
        ContractCertificateChain=common.ContractCertificateChain(
            Certificate=b"c", SubCertificates=common.SubCertificates(Certificate=[b"s"])
        ),
    )
    data = codec.encode(mode, fragment=True)
    # The last 9 bits of content are the end's code, 282 of 283; the padding follows.
    value, pad = int.from_bytes(data, "big"), 0
    while (value >> pad & 0x1FF) != 282:
        pad += 1
    assert pad < 8
    findings: list[str] = []
    other = (value + (1 << pad)).to_bytes(len(data), "big")
    assert codec.decode("iso20-common", other, True, findings=findings) == mode
    assert findings == ["the fragment ends with code 283 instead of 282"]
    with pytest.raises(codec.DecodeError, match="the end of the fragment"):
        codec.decode("iso20-common", (value - (1 << pad)).to_bytes(len(data), "big"), True)


def test_sets_are_loaded_when_used() -> None:
    program = (
        "import sys; from bench.v2g import codec; codec._set('sap').grammars.document;"
        "print([m for m in sys.modules if m.startswith('bench.v2g.messages.')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "['bench.v2g.messages.sap']"


QUIET = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("schema", SETS)
def test_any_valid_message_survives_exi_and_xml(schema: str) -> None:
    known = codec._set(schema)

    @QUIET
    @given(messages(schema))
    def survives(original: Any) -> None:
        data = codec.encode(original, schema)
        assert codec.decode(schema, data) == original
        assert codec._decode_any(known, data, False, []) == original
        assert codec.from_xml(schema, codec.to_xml(original, schema)) == original
        assert codec.decode(schema, codec.encode(original, schema, empty_as_end=True)) == original
        json.loads(codec.to_json(original))

    survives()


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
    Q(1),
]


@pytest.mark.parametrize("schema", SETS)
def test_wrong_values_are_sent_or_refused_clearly(schema: str) -> None:
    @QUIET
    @given(messages(schema), st.data())
    def sent_or_refused(original: Any, data: st.DataObject) -> None:
        record, key = data.draw(st.sampled_from(leaves(original)))
        setattr(record, key, data.draw(st.sampled_from(WRONG)))
        try:
            stream = codec.encode(original, schema, deviations=True)
        except codec.CodecError:
            return
        codec.decode(schema, stream)
        try:
            strict = codec.encode(original, schema)
        except codec.CodecError:
            return
        assert strict == stream

    sent_or_refused()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The stream with a few bits flipped, a tail replaced or cut."""
    mutable = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        action = rng.random()
        place = rng.randrange(1, len(mutable))
        if action < 0.6:
            mutable[place] ^= 1 << rng.randrange(8)
        elif action < 0.8:
            mutable[place:] = rng.randbytes(rng.randint(1, 30))
        else:
            mutable[place:] = b"\x80"
    return bytes(mutable)


@pytest.mark.parametrize("schema", SETS)
def test_fuzzed_streams_give_a_message_or_a_decode_error(schema: str) -> None:
    rng = random.Random(1511820)
    start = time.monotonic()

    @settings(QUIET, max_examples=10, derandomize=True)
    @given(messages(schema))
    def fuzz(seed: Any) -> None:
        data = codec.encode(seed, schema)
        for _ in range(20):
            if time.monotonic() - start > 3:
                return
            for fragment in (False, True):
                try:
                    found = codec.decode(schema, mutated(data, rng), fragment)
                except codec.DecodeError:
                    continue
                codec.to_xml(found, schema)
                codec.to_json(found)

    fuzz()
    assert time.monotonic() - start < 10


def test_every_message_is_a_root() -> None:
    assert [r.__name__ for r in roots("din")] == ["V2G_Message"]
    count = {"iso20-common": 26, "iso20-ac": 4, "iso20-dc": 10, "iso20-acdp": 8, "iso20-wpt": 12}
    for schema, expected in count.items():
        names = [r.__name__ for r in roots(schema) if r.__name__.endswith(("Req", "Res"))]
        assert len(names) == expected, names

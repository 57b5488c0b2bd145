"""The general way into a stream: what it reads in one step it reads as event by event, and it reads once."""

from __future__ import annotations

from typing import Any

import pytest

from bench.exi import bits, reader
from bench.exi.bits import BitReader, BitWriter
from bench.exi.reader import Reader
from bench.exi.writer import Writer
from bench.v2g import codec
from bench.v2g.messages import iso2, sap
from bench.v2g.messages.iso20 import common
from bench.v2g.messages.iso20 import commontypes as c
from benchmarks.exi_messages import messages


def schedules(count: int, entries: int) -> common.ScheduleExchangeRes:
    """A message as long as they get: so many schedules of so many entries."""
    tuples = []
    for number in range(1, count + 1):
        made = [
            common.PowerScheduleEntry(
                Duration=n % 900,
                Power=c.RationalNumber(Exponent=n % 3, Value=n),
                Power_L2=None,
                Power_L3=None,
            )
            for n in range(entries)
        ]
        power = common.PowerSchedule(
            TimeAnchor=0,
            PowerScheduleEntries=common.PowerScheduleEntryList(PowerScheduleEntry=made),
        )
        charging = common.ChargingSchedule(PowerSchedule=power)
        tuples.append(common.ScheduleTuple(ScheduleTupleID=number, ChargingSchedule=charging))
    return common.ScheduleExchangeRes(
        Header=c.MessageHeader(SessionID=bytes(8), TimeStamp=1),
        ResponseCode=c.responseCode.OK,
        EVSEProcessing=c.processing.Finished,
        Scheduled_SEResControlMode=common.Scheduled_SEResControlMode(ScheduleTuple=tuples),
    )


def tariff(entries: int) -> iso2.SalesTariff:
    """A tariff with all that an entry may hold."""
    watts = iso2.PhysicalValue(Multiplier=0, Unit=iso2.unitSymbol.W, Value=0)
    cost = iso2.Cost(costKind=iso2.costKind.relativePricePercentage, amount=50)
    one = iso2.SalesTariffEntry(
        TimeInterval=iso2.RelativeTimeInterval(start=900, duration=900),
        EPriceLevel=1,
        ConsumptionCost=[iso2.ConsumptionCost(startValue=watts, Cost=[cost])] * 3,
    )
    return iso2.SalesTariff(SalesTariffID=1, NumEPriceLevels=3, SalesTariffEntry=[one] * entries)


def by_event(schema: str, data: bytes) -> tuple[Any, str]:
    """Message or error of a reader that takes every event by itself."""
    known = codec._set(schema)
    try:
        return known.converter.from_node(Reader(known.grammars, data, 8, []).read(False)), ""
    except codec.DecodeError as error:
        return None, str(error)


def in_steps(schema: str, data: bytes) -> tuple[Any, str]:
    known = codec._set(schema)
    try:
        return known.converter.from_node(Reader(known.grammars, data, 8).read(False)), ""
    except codec.DecodeError as error:
        return None, str(error)


@pytest.mark.parametrize("name", ["SAP req", "CurrentDemandRes", "-20 DC_ChargeLoopReq"])
def test_every_flipped_bit_is_read_as_event_by_event(name: str) -> None:
    schema, message = messages()[name]
    data = codec.encode(message, schema)
    refused = 0
    for bit in range(8, len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        expected = by_event(schema, bytes(damaged))
        assert in_steps(schema, bytes(damaged)) == expected, bit
        refused += bool(expected[1])
    assert 0 < refused < len(data) * 8


@pytest.mark.parametrize("length", [2, 20, 45, 70])
def test_a_stream_that_ends_early_is_refused_at_the_same_place(length: int) -> None:
    schema, message = messages()["CurrentDemandRes"]
    data = codec.encode(message, schema)[:length]
    found = in_steps(schema, data)
    assert found[1] and found == by_event(schema, data)


def test_the_longest_schedules_are_read_either_way() -> None:
    message = schedules(3, 1024)
    data = codec.encode(message)
    known = codec._set("iso20-common")
    # Longer than what the generated code keeps in one integer: the writer that knows no such thing agrees.
    assert data == Writer(known.grammars).write(known.converter.to_node(message), False)
    assert codec.decode("iso20-common", data) == message
    findings: list[codec.Finding] = []
    assert codec.decode("iso20-common", data + b"\x00", findings=findings) == message
    assert [each.name for each in findings] == ["trailing-bytes"]


def test_the_densest_legal_content_stays_within_the_events_allowed() -> None:
    message = tariff(1024)
    data = codec.encode(message, "iso2", fragment=True)
    assert codec.decode("iso2", data + b"\x00", fragment=True) == message
    # That of 64 KiB too, in proportion: it has so many events a byte.
    read = Reader(codec._set("iso2").grammars, data, 8)
    read.read(True)
    assert read.events / len(data) * 65_536 < reader.MAX_EVENTS + 65_536 * 5 / 8


def test_the_end_of_a_full_array_in_the_other_dialect() -> None:
    message = schedules(1, 1024)
    known = codec._set("iso20-common")
    data = Writer(known.loose).write(known.converter.to_node(message), False)
    assert data != codec.encode(message)
    findings: list[codec.Finding] = []
    assert codec.decode("iso20-common", data, findings=findings) == message
    (one,) = findings
    assert one.name == "array-as-unbounded" and one.path.endswith("PowerSchedule/PowerScheduleEntries")


def test_a_number_out_of_bounds_is_placed_in_its_own_entry() -> None:
    message = schedules(1, 3)
    plain = codec.encode(message)
    mode: Any = message.Scheduled_SEResControlMode
    entries = mode.ScheduleTuple[0].ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry
    entries[2].Power.Value = 70_000
    data = codec.encode(message, deviations=True)
    findings: list[codec.Finding] = []
    assert codec.decode("iso20-common", data, findings=findings) == message
    (one,) = findings
    places = [p.bit for p in codec.productions("iso20-common", plain) if p.path.endswith("/Power/Value")]
    # Two events an element, its value and its end.
    assert one.name == "not-of-schema" and one.path.endswith("/Power/Value") and one.bit == places[4]


@pytest.mark.parametrize("wanted", [False, True])
def test_a_stream_is_read_once_with_findings_or_without(
    monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    made = []

    class Counting(Reader):
        def __init__(self, *args: Any) -> None:
            made.append(args)
            super().__init__(*args)

    monkeypatch.setattr(codec, "Reader", Counting)
    message = schedules(1, 20)
    mode: Any = message.Scheduled_SEResControlMode
    mode.ScheduleTuple[0].ScheduleTupleID = 2**33
    data = codec.encode(message, deviations=True)
    findings: list[codec.Finding] | None = [] if wanted else None
    assert codec.decode("iso20-common", data, findings=findings) == message
    assert len(made) == 1
    assert not wanted or [each.name for each in findings or []] == ["not-of-schema"]
    # What is plain needs none at all.
    codec.decode("iso20-common", codec.encode(schedules(1, 20)), findings=findings)
    assert len(made) == 1


def test_a_repeated_piece_meets_the_limit_of_events() -> None:
    request = sap.supportedAppProtocolReq(
        AppProtocol=[
            sap.AppProtocol(
                ProtocolNamespace="u", VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=1, Priority=1
            )
        ]
    )
    data = codec.encode(request)
    known = codec._set("sap")
    read = Reader(known.grammars, data, 8)
    read.most_events = 3
    with pytest.raises(codec.DecodeError, match="at most 3 events"):
        read.read(False)


def written(points: list[int], octets: int = 0) -> BitReader:
    """Characters at an odd place; each takes at least ``octets``."""
    sink = BitWriter()
    sink.bits(0, 3)
    for point in points:
        needed = [point >> shift & 0x7F for shift in range(0, max(point.bit_length(), 1), 7)]
        needed += [0] * (octets - len(needed))
        for octet in needed[:-1]:
            sink.bits(octet | 0x80, 8)
        sink.bits(needed[-1], 8)
    return BitReader(sink.getvalue(), 3)


@pytest.mark.parametrize("octets", [0, 2, 3, 5])
def test_characters_of_any_length(octets: int) -> None:
    text = "aé€😀\x00z\U0010ffff" * 3
    source = written([ord(each) for each in text], octets)
    assert source.characters(len(text)) == text
    assert source.end - source.position < 8


@pytest.mark.parametrize("point", [0xD800, 0xDFFF, 0x110000, 2**70])
def test_what_is_no_character(point: int) -> None:
    with pytest.raises(bits.Malformed, match="a Unicode code point"):
        written([0xE9, point, 0xE9]).characters(3)
    with pytest.raises(bits.EndOfStream):
        written([0xE9, 0xE9]).characters(3)

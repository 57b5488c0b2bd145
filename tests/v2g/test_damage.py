"""Damage to streams by name: exactly where it was asked for, in the API, a test case and the command line."""

from __future__ import annotations

import argparse
import io

import pytest

from bench.cli import exi
from bench.ev import faults
from bench.ev.errors import PlanMistake
from bench.v2g import codec, damage
from bench.v2g.messages import iso2, sap

HEADER = iso2.MessageHeader(SessionID=b"\x01")
STOP = iso2.V2G_Message(
    Header=HEADER,
    Body=iso2.Body(BodyElement=iso2.SessionStopReq(ChargingSession=iso2.chargingSession.Terminate)),
)
DATA = codec.encode(STOP)


def test_truncate_and_trailing() -> None:
    assert damage.truncate(DATA, 3) == DATA[:3]
    assert damage.truncate(DATA, -1) == DATA[:-1]
    assert damage.trailing(DATA, b"\x01\x02") == DATA + b"\x01\x02"
    with pytest.raises(damage.DamageError, match="has 7 bytes, not 8"):
        damage.truncate(DATA, 8)


def test_flip_counts_from_both_ends() -> None:
    assert damage.flip(DATA, 0)[0] == DATA[0] ^ 0x80
    assert damage.flip(DATA, -1)[-1] == DATA[-1] ^ 0x01
    assert damage.flip(damage.flip(DATA, 17, 3), 3, 17) == DATA
    with pytest.raises(damage.DamageError, match="bit 56 is outside the 7 bytes"):
        damage.flip(DATA, 56)


def test_wrong_header_is_refused_by_the_decoder() -> None:
    with pytest.raises(codec.DecodeError, match="without options") as error:
        codec.decode("iso2", damage.wrong_header(DATA))
    assert error.value.bit == 2
    with pytest.raises(damage.DamageError):
        damage.wrong_header(b"")


@pytest.mark.parametrize(
    ("path", "bit", "width", "where"),
    [
        # V2G_Message is one of 81 productions of a document, in 7 bits after the header.
        ("", 8, 7, "document"),
        # The Body has 36 members and the end: 6 bits.
        ("V2G_Message/Body", 38, 6, "V2G_Message/Body"),
        (None, 38, 6, "V2G_Message/Body"),
    ],
)
def test_unknown_event_code_stands_where_it_was_asked_for(
    path: str | None, bit: int, width: int, where: str
) -> None:
    broken = damage.unknown_event_code(DATA, "iso2", path)
    changed = int.from_bytes(DATA, "big") ^ int.from_bytes(broken, "big")
    shift = len(DATA) * 8 - bit - width
    assert changed and changed >> shift << shift == changed and changed >> shift < 1 << width
    with pytest.raises(codec.DecodeError) as error:
        codec.decode("iso2", broken)
    assert (error.value.bit, error.value.path or "document") == (bit, where)


@pytest.mark.parametrize("schema", ["sap", "din", "iso2", "iso20-common", "iso20-dc", "iso20-ac-der-iec"])
def test_every_set_has_codes_to_spare(schema: str) -> None:
    known = codec._set(schema).grammars
    spare = (1 << (len(known.document)).bit_length()) - len(known.document) - 1
    # SAP has two messages and SE(*) in two bits: the only one that leaves little room.
    assert spare > 0


def test_unknown_event_code_in_a_handshake() -> None:
    offer = sap.AppProtocol(
        ProtocolNamespace="a", VersionNumberMajor=2, VersionNumberMinor=0, SchemaID=1, Priority=1
    )
    data = codec.encode(sap.supportedAppProtocolReq(AppProtocol=[offer]))
    broken = damage.unknown_event_code(data, "sap")
    with pytest.raises(codec.DecodeError, match="means nothing here"):
        codec.decode("sap", broken)


def test_a_place_without_spare_codes_is_a_mistake() -> None:
    with pytest.raises(damage.DamageError, match="V2G_Message has no event code to spare"):
        damage.unknown_event_code(DATA, "iso2", "V2G_Message")
    with pytest.raises(codec.DecodeError):
        damage.unknown_event_code(DATA[:3], "iso2")


def sent(fault: faults.Fault) -> bytes:
    body = STOP.Body.BodyElement
    out = faults.Outgoing("SessionStopReq", body, HEADER, exi=DATA)
    assert fault.stage == "exi"
    fault.apply(out)
    return out.exi


def test_a_test_case_needs_one_line() -> None:
    assert sent(faults.unknown_event_code("V2G_Message/Body")) == damage.unknown_event_code(
        DATA, "iso2", "V2G_Message/Body"
    )
    assert sent(faults.exi_header(0x90)) == b"\x90" + DATA[1:]
    assert sent(faults.flip_bits(9)) == damage.flip(DATA, 9)
    for wrong in (faults.unknown_event_code("V2G_Message"), faults.flip_bits(1000)):
        with pytest.raises(PlanMistake):
            sent(wrong)


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    parser = argparse.ArgumentParser(prog="plugbench")
    exi.register(parser.add_subparsers())
    text = codec.to_xml(STOP).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    args = parser.parse_args(["exi", "encode", "--schema", "iso2", *words])
    code = args.func(args)
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["truncate:4"], DATA[:4]),
        (["flip:9,-1"], damage.flip(DATA, 9, -1)),
        (["header:90"], damage.wrong_header(DATA, 0x90)),
        (["header"], damage.wrong_header(DATA)),
        (["event-code"], damage.unknown_event_code(DATA, "iso2")),
        (
            ["event-code:V2G_Message/Body", "trailing:0a0b"],
            damage.unknown_event_code(DATA, "iso2") + b"\x0a\x0b",
        ),
    ],
)
def test_command_line(
    words: list[str], expected: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part for word in words for part in ("--damage", word)]
    assert call(monkeypatch, *given) == 0
    assert bytes.fromhex(capsys.readouterr().out) == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("truncate:x", "give truncate:N"),
        ("truncate:99", "has 7 bytes"),
        ("bogus", "known: truncate, flip, header, event-code, trailing"),
        ("trailing:0", "give trailing:HEX"),
        ("event-code:V2G_Message", "no event code to spare"),
    ],
)
def test_command_line_mistakes(
    word: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--damage", word) == 2
    shown = capsys.readouterr()
    assert said in shown.err and shown.err.count("\n") == 1 and not shown.out

"""The parts of the report on their own: time scale, ladder, timing, decoding, certificates, support,
junit."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import report_runs as synthetic

from bench.report import (
    certificates,
    clean,
    decoding,
    findings,
    junit,
    ladder,
    show,
    support,
    timescale,
    timing,
)
from bench.report.model import parse


def parsed(**fields: Any) -> Any:
    return parse(synthetic.run([synthetic.case(**fields)])).cases[0]


def test_time_scale_keeps_rows_apart_and_time_in_order() -> None:
    times = [0.0, 0.0, 0.001, 0.002, 5.0, 5.001, 4000.0]
    scale = timescale.build(times, 4001.0)
    assert all(after - before >= timescale.ROW for before, after in pairwise(scale.ys))
    assert all(after - before <= timescale.WIDEST for before, after in pairwise(scale.ys))
    probes = [scale.y(n * 0.5) for n in range(9000)]
    assert probes == sorted(probes)
    assert scale.y(-1) == scale.ys[0]
    assert scale.y(1e9) <= scale.height
    assert [round(gap.duration_s) for gap in scale.gaps()] == [5, 3995, 1]


def test_time_scale_without_exchanges() -> None:
    assert timescale.build([]).height > 0
    assert timescale.build([], 10.0).y(5.0) < timescale.build([], 10.0).y(10.0)


def test_ladder_is_cut_into_pieces_that_fit_a_page_and_hold_every_exchange() -> None:
    exchanges = [synthetic.exchange(n * 0.2, "EV", "charger", "v2g", f"M{n}") for n in range(120)]
    trace = [[n * 0.1, 1.0] for n in range(240)]
    picture = ladder.draw(parsed(session={"exchanges": exchanges, "traces": {"pilot_v": trace}}))
    assert picture is not None
    assert len(picture.pieces) > 2
    assert all(piece.height < ladder.PIECE_HEIGHT + 200 for piece in picture.pieces)
    assert [arrow.exchange.name for piece in picture.pieces for arrow in piece.arrows] == [
        f"M{n}" for n in range(120)
    ]
    assert all(path for piece in picture.pieces for path in piece.paths)


def test_ladder_survives_many_lanes_and_notes() -> None:
    exchanges = [synthetic.exchange(0, f"lane{n}", f"lane{n}", "bench", "note") for n in range(50)]
    picture = ladder.draw(parsed(session={"exchanges": exchanges}))
    assert picture is not None
    assert len(picture.lanes) == 6
    assert picture.pieces[0].arrows[0].is_note
    assert ladder.draw(parsed(session={})) is None


def test_timing_takes_the_handshake_case_and_its_budget() -> None:
    steps = [
        {"name": "a", "t_s": 1.0, "duration_s": 0.5, "limit_s": 0.4},
        {"name": "b", "t_s": 1.5, "duration_s": 2.0},
    ]
    found = timing.of(parse(synthetic.run([synthetic.case("X"), synthetic.case("PNC-009", steps=steps)])))
    assert found is not None
    assert (found.case.id, found.total_s, found.budget_s, found.within) == ("PNC-009", 2.5, 3.0, True)
    assert found.bars[0].late
    assert found.slowest == "b"
    assert timing.of(parse({})) is None


def fake_codec(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Put a codec in place of the real one; return the list of what it was asked to decode."""
    asked: list[bytes] = []

    def decode(schema: str, data: bytes, *, findings: list[str]) -> dict[str, str]:
        asked.append(data)
        if data == b"\xff":
            raise LookupError("no such production")
        findings.append("2 trailing bytes")
        return {"schema": schema}

    module = ModuleType("bench.v2g.codec")
    vars(module).update(decode=decode, to_xml=lambda _: "<a><b>1</b><c/></a>", to_json=json.dumps)
    monkeypatch.setitem(sys.modules, "bench.v2g.codec", module)
    decoding._exi.cache_clear()
    return asked


def exchange(**fields: Any) -> Any:
    return parsed(
        session={"exchanges": [synthetic.exchange(0, "EV", "charger", "v2g", "X", **fields)]}
    ).exchanges[0]


def test_exi_is_decoded_once_and_shown_as_xml_and_json(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake_codec(monkeypatch)
    for _ in range(3):
        seen = decoding.of(exchange(schema="iso2", exi="8098"))
    assert len(asked) == 1
    assert seen.xml == "<a>\n  <b>1</b>\n  <c/>\n</a>"
    assert json.loads(seen.json) == {"schema": "iso2"}
    assert (seen.octets, seen.hex, seen.oddities) == (2, "8098", ("2 trailing bytes",))


@pytest.mark.parametrize(
    ("exi", "said"),
    [("ff", "LookupError: no such production"), ("xyz", "not a hexadecimal"), ("00" * 100_000, "too long")],
)
def test_what_cannot_be_decoded_is_shown_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, exi: str, said: str
) -> None:
    fake_codec(monkeypatch)
    seen = decoding.of(exchange(schema="iso2", exi=exi))
    assert said in seen.problem
    assert seen.hex
    assert not seen.xml


def test_the_real_codec_fits() -> None:
    from bench.v2g import codec

    decoding._exi.cache_clear()
    xml = (
        '<m:V2G_Message xmlns:m="urn:iso:15118:2:2013:MsgDef" xmlns:h="urn:iso:15118:2:2013:MsgHeader"'
        ' xmlns:b="urn:iso:15118:2:2013:MsgBody"><m:Header>'
        "<h:SessionID>69B6D262E2B784F1</h:SessionID></m:Header>"
        "<m:Body><b:AuthorizationReq/></m:Body></m:V2G_Message>"
    )
    octets = codec.encode(codec.from_xml("iso2", xml), schema="iso2")
    seen = decoding.of(exchange(schema="iso2", exi=octets.hex()))
    assert seen.problem == ""
    assert "AuthorizationReq" in seen.xml
    assert len(seen.xml.splitlines()) > 4
    assert "AuthorizationReq" in seen.json


@pytest.mark.parametrize("payload", ['[2,"1","A",{"b":1}]', [2, "1", "A", {"b": 1}]])
def test_ocpp_payloads_are_pretty_printed(payload: object) -> None:
    assert '"b": 1' in decoding.of(exchange(payload=payload)).json
    assert decoding.of(exchange(payload="no {json")).json == "no {json"


def test_certificates_are_described() -> None:
    chain, root = synthetic.secc_chain()
    leaf = certificates.describe(chain[0])
    assert (leaf.rank, leaf.domain_component, leaf.problem) == ("leaf", "CPO", "")
    assert "digital signature" in leaf.key_usage
    assert certificates.describe(root).rank == "root"
    assert leaf.ends is not None
    assert leaf.remarks(leaf.ends.replace(year=leaf.ends.year + 1)) == ["expired at the time of the run"]
    assert (
        "not readable"
        in certificates.describe("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").problem
    )


def test_support_text_is_derived_from_refusals_and_failures_unless_given() -> None:
    refused = synthetic.case("PNC-030", session=synthetic.session(refused="FAILED_CertificateExpired"))
    rows, derived = support.of(
        parse(synthetic.run([refused, synthetic.case("PNC-016", "fail", title="voltage stays")]))
    )
    assert derived
    assert [(row.failure_mode, row.cases) for row in rows] == [
        ("Failed: voltage stays", ("PNC-016",)),
        ("Contract certificate has expired (FAILED_CertificateExpired)", ("PNC-030",)),
    ]
    given = [{"failure_mode": "f", "case": "c", "what_the_driver_sees": "s", "what_to_do": "t"}]
    rows, derived = support.of(parse(synthetic.run([refused], support=given)))
    assert (rows[0].failure_mode, derived) == ("f", False)


def test_tone_tells_expected_refusals_from_faults() -> None:
    session = synthetic.session(refused="FAILED_CertificateRevoked")
    session["exchanges"][-2]["summary"] = "deviation: bad signature"
    met = {"text": "PaymentDetailsRes is a refusal", "outcome": "pass", "actual": "FAILED_CertificateRevoked"}
    missed = {"text": "SessionSetupRes is accepted", "outcome": "fail", "actual": "OK", "t_s": 9.0}

    def tones(verdict: str, expectations: list[dict[str, Any]]) -> dict[str, str]:
        case = parsed(verdict=verdict, session=session, expectations=expectations)
        return {each.name: show.tone(each, case) for each in case.exchanges}

    passed = tones("pass", [])
    assert (passed["PaymentDetailsRes"], passed["SessionSetupRes"]) == ("refused", "v2g")
    assert "changed" in passed.values()
    assert tones("fail", [met, missed])["PaymentDetailsRes"] == "refused"
    failed = tones("fail", [missed])
    assert (failed["PaymentDetailsRes"], failed["SessionSetupRes"]) == ("bad", "bad")


def test_certificates_in_messages_and_payloads_are_found() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    asked = synthetic.exchange(
        0.1, "charger", "CSMS", "ocpp", "Authorize", payload={"certificate": f"{pem}\n{pem}", "idToken": {}}
    )
    case = parsed(session={"exchanges": [asked]})
    assert decoding.of(case.exchanges[0]).certificates == (pem, pem)


def test_a_warning_is_told_once() -> None:
    """A rule's record repeats the findings of its cases."""
    finding = {"rule": "RUL-02", "severity": "warning", "message": "slow", "requirements": [], "t_s": 0.1}
    document = synthetic.run([synthetic.case("PNC-061", findings=[finding])])
    document["rules"] = [synthetic.case("RUL-02", findings=[finding, finding | {"message": "between cases"}])]
    told = [(case.id, message) for case, _, message in findings.warned(parse(document))]
    assert told == [("PNC-061", "slow"), ("RUL-02", "between cases")]


def test_noise_at_rest_is_no_signal() -> None:
    """A voltage of some millivolts does not fill its panel, and is not drawn below zero."""
    case = parsed(session={"exchanges": [], "traces": {"voltage_v": [[0.0, -0.002], [1.0, 0.003]]}})
    picture = ladder.draw(case)
    assert picture is not None
    panel = picture.panels[0][0]
    assert (panel.low, panel.high) == (0.0, 60.0)
    assert max(x for x, _ in panel.points) < 1
    assert sum(piece.dots[0].count("M") for piece in picture.pieces) == 2


@pytest.mark.parametrize(
    ("value", "unit", "high", "shown"),
    [
        (0.0017396, "s", 7.0, "1.74 ms"),
        (0.25, "s", 7.0, "0.25 s"),
        (8.98e-06, "A", 2.5, "≈ 0 A"),
        (40.0015, "A", 42.5, "40 A"),
    ],
)
def test_measured_values(value: float, unit: str, high: float, shown: str) -> None:
    given = {"name": "m", "value": value, "unit": unit, "high": high}
    assert show.value(parsed(measurements=[given]).measurements[0]) == shown


def test_junit(tmp_path: Path) -> None:
    cases = [
        synthetic.case(f"PNC-{n}", verdict)
        for n, verdict in enumerate(("pass", "fail", "error", "inconclusive"))
    ]
    cases[1]["reason"] = "bad \x00 <&>\ud800"
    not_run = [
        {"id": "PNC-098", "title": "slow", "reason": "--slow", "requirements": ["V2G2-443"], "areas": []}
    ]
    junit.write(synthetic.run(cases, not_run=not_run), tmp_path / "junit.xml")
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
    }
    properties = [(each.get("name"), each.get("value")) for each in suite[1].iter("property")]
    assert properties == [
        ("id", "PNC-1"),
        ("verdict", "fail"),
        ("requirement", "V2G2-143"),
        ("requirement", "V2G2-475"),
    ]
    assert [each.tag for case in suite for each in case if each.tag != "properties"] == [
        "failure",
        "error",
        "error",
        "skipped",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0004, "< 1 ms"),
        (0.0214, "21 ms"),
        (0.25, "0.25 s"),
        (12.34, "12.3 s"),
        (245, "4 min 05 s"),
    ],
)
def test_durations(value: float | None, shown: str) -> None:
    assert show.seconds(value) == shown


def test_nested_values_are_printed_without_brackets() -> None:
    limits = {"voltage_v": 500, "modes": ["ac", "dc"], "on": True, "none": None}
    assert show.plain(limits) == "voltage_v 500, modes (ac, dc), on yes"
    assert show.plain(["a", {"b": 1}]) == "a, (b 1)"
    assert show.plain(None) == ""


def test_texts_are_cleaned_and_bounded() -> None:
    assert clean.text("a\x00b\u202ec\ud800\r\n") == "a␀b⟨U+202E⟩c⟨U+D800⟩\n"
    assert clean.text("x" * 50, 10) == "xxxxxxxxxx … (40 more characters left out)"
    assert clean.number(float("inf")) is None
    assert clean.number(True) is None
    assert clean.number(10**400) is None

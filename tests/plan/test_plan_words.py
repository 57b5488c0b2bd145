"""The words of a plan: expectations, measurements, docstrings, the ladder."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fake_bench import FakeCsms, ended, timeout

from bench.plan import BenchTrouble, Expect, ExpectationFailed, Measure, PlanError, testcase
from bench.plan.case import read_docstring
from bench.plan.ladder import fold, session, thin
from bench.plan.power import energy_wh, samples
from bench.timeline import Timeline

Limit = SimpleNamespace


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()


@pytest.fixture
def expect(timeline: Timeline) -> Expect:
    return Expect(timeline, since=0, csms=FakeCsms(timeline))


@pytest.mark.parametrize(
    ("word", "good", "bad", "arguments"),
    [
        ("to_be", 5, 6, (5,)),
        ("not_to_be", 6, 5, (5,)),
        ("to_be_one_of", "OK", "FAILED", ("OK", "OK_NewSessionEstablished")),
        ("to_be_between", 5.0, None, (4, 6)),
        ("to_start_with", "FAILED_X", "OK", ("FAILED",)),
        ("to_contain", [1, 2], None, (1,)),
        ("to_be_present", [0], [], ()),
    ],
)
def test_each_word_holds_or_fails_and_is_recorded(
    word: str, good: Any, bad: Any, arguments: tuple[Any, ...], expect: Expect
) -> None:
    getattr(expect(good, "it"), word)(*arguments)
    with pytest.raises(ExpectationFailed, match="it: "):
        getattr(expect(bad, "it"), word)(*arguments)
    outcomes = [event.data["outcome"] for event in expect.timeline.since() if event.kind == "expect"]
    assert outcomes == ["pass", "fail"]


def test_refusals(expect: Expect) -> None:
    expect.refused(SimpleNamespace(ResponseCode="FAILED_X"))
    with pytest.raises(ExpectationFailed):
        expect.refused(SimpleNamespace(ResponseCode="OK"))
    with pytest.raises(ExpectationFailed):
        expect.refused(SimpleNamespace(ResponseCode="FAILED"), "FAILED_X")


def test_a_session_may_end_where_the_case_says_so(expect: Expect) -> None:
    with expect.session_may_end() as ending:
        raise ended()
    assert ending.reason == "the charger closed the connection"
    with pytest.raises(KeyError), expect.session_may_end():
        raise KeyError("x")


def test_closing_is_a_refusal_and_silence_is_not(expect: Expect) -> None:
    def sending(error: Exception) -> Any:
        def send_next() -> None:
            raise error

        return SimpleNamespace(send_next=send_next, pending=None)

    assert expect.refused_or_closed(sending(ended())) is None
    with pytest.raises(ExpectationFailed):
        expect.refused_or_closed(sending(timeout()))
    with pytest.raises(ExpectationFailed, match="is answered"):
        expect.answered(sending(ended()))


def test_no_sample_is_the_fault_of_the_bench(expect: Expect) -> None:
    with pytest.raises(BenchTrouble):
        expect.next_sample(within_s=0.05)


def test_energy_by_integrator_and_by_power(timeline: Timeline) -> None:
    for t_s, wh in ((0, 5.0), (1, 7.0), (2, 1.0)):  # reset in between
        timeline.append("analyzer", "power", "sample", {"energy_wh": wh, "power_w": 0}, t_ns=t_s * 10**9)
    assert energy_wh(samples(timeline.since())) == pytest.approx(3.0)
    other = Timeline()
    for t_s in (0, 1800, 3600):
        other.append("analyzer", "power", "sample", {"power_w": 100.0}, t_ns=t_s * 10**9)
    assert energy_wh(samples(other.since())) == pytest.approx(100.0)


def test_a_transaction_with_token_and_energy(expect: Expect) -> None:
    def meter(wh: float) -> list[Any]:
        return [{"sampledValue": [{"value": wh}]}]

    csms = expect._csms
    csms.transaction_event("Started", 0, idToken={"idToken": "DE1", "type": "eMAID"}, meterValue=meter(10))
    csms.transaction_event("Ended", 1, meterValue=meter(35))
    found = expect.transaction(ended=True, id_token="DE1", token_type="eMAID", within_s=0.1)
    assert found.energy_wh == 25
    with pytest.raises(ExpectationFailed, match="token type"):
        expect.transaction(token_type="ISO14443", within_s=0.1)
    with pytest.raises(ExpectationFailed, match="reports no energy"):
        expect.no_transaction_with_energy()


def test_backend_saw(expect: Expect) -> None:
    expect._csms.transaction_event("Started", 0)
    assert expect.backend_saw("TransactionEvent")["seqNo"] == 0
    with pytest.raises(ExpectationFailed, match="1 TransactionEvent, none"):
        expect.backend_saw("TransactionEvent", where=lambda payload: payload["seqNo"] == 9)
    expect.backend_did_not_see("Authorize")


@pytest.mark.parametrize(
    ("value", "confidence", "outcome"),
    [(1.0, "source2", "pass"), (3.0, "source", "fail"), (3.0, "memory", "info"), (None, "source", "fail")],
)
def test_a_limit_decides_unless_it_is_a_recollection(
    value: float | None, confidence: str, outcome: str, timeline: Timeline
) -> None:
    limit = Limit(value=2.0, unit="s", source="table 109", confidence=confidence)
    if outcome == "fail":
        with pytest.raises(ExpectationFailed, match="at most 2 s"):
            Measure(timeline)("time", value, high=limit)
    else:
        Measure(timeline)("time", value, high=limit)
    data = timeline.since()[-1].data
    assert (data["outcome"], data["limit_source"], data["confidence"]) == (outcome, "table 109", confidence)


def test_docstrings_and_what_is_wrong_with_a_case() -> None:
    title, parts = read_docstring("A title.\n\nPrecondition: a\nb.\nStimulus: c.\nExpected: d.")
    assert (title, parts) == ("A title", {"Precondition": "a b.", "Stimulus": "c.", "Expected": "d."})
    for wrong in (
        {"id": "pnc1"},
        {"id": "PNC-001", "areas": ["moon"]},
        {"id": "PNC-001", "confidence": "sure"},
    ):
        with pytest.raises(PlanError):
            testcase(**wrong)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="title"):
        testcase("PNC-001")(lambda: None)


def test_the_charge_loop_is_folded_and_peaks_stay(timeline: Timeline) -> None:
    for number in range(50):
        for name, direction in (("CurrentDemandReq", "tx"), ("CurrentDemandRes", "rx")):
            timeline.append(
                "ev", "v2g", name, {"dir": direction, "response_code": "OK" if direction == "rx" else None}
            )
        watts = 900.0 if number == 30 else 1.0
        for _ in range(20):
            timeline.append(
                "analyzer", "power", "sample", {"power_w": watts, "voltage_v": 1.0, "current_a": 1.0}
            )
    told = session(timeline.since(), 0)
    assert told is not None
    assert [one["repeat"] for one in told["exchanges"]] == [None, None, 48, 48, None, None]
    assert max(point[1] for point in told["traces"]["power_w"]) == 900.0
    assert len(told["traces"]["power_w"]) <= 400
    assert fold([]) == [] and thin([]) == []

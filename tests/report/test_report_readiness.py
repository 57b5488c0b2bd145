"""Each state of the readiness verdict is reachable, and none is green without evidence or signature."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import report_runs as synthetic

from bench.report import assess
from bench.report.checklist import declaration_key

Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    run = copy.deepcopy(synthetic.ready_run())
    change(run)
    return run


def state(run: dict[str, Any], key: str) -> str:
    readiness = assess(run)
    states = {each.state for each in readiness.checklist + readiness.dependencies if each.item.key == key}
    return "/".join(sorted(states))


def _sign(run: dict[str, Any], key: str, **fields: str) -> None:
    run["charger"]["declarations"].setdefault(key, {}).update(fields)


def _drop(run: dict[str, Any], area: str) -> None:
    run["cases"] = [case for case in run["cases"] if area not in case["areas"]]


def _verdict(run: dict[str, Any], verdict: str) -> None:
    run["cases"][0]["verdict"] = verdict


def _not_run(run: dict[str, Any], **fields: Any) -> None:
    run["not_run"] = [
        {"id": "PNC-098", "title": "t", "reason": "left out", "requirements": [], "areas": ["charger"]}
        | fields
    ]


def test_everything_proved_and_signed_is_ready() -> None:
    readiness = assess(synthetic.ready_run())
    assert (readiness.level, readiness.word) == ("ready", "Ready for pilot")
    assert {each.state for each in readiness.checklist + readiness.dependencies} == {"met"}
    assert not readiness.warnings


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        (lambda run: run.update(cases=[], rules=[]), "not-ready", "Nothing was tested"),
        (lambda run: _verdict(run, "fail"), "not-ready", "broke 1 case: PNC-000"),
        (lambda run: _verdict(run, "error"), "not-ready", "bench broke"),
        (lambda run: _verdict(run, "inconclusive"), "not-ready", "inconclusive"),
        (lambda run: _verdict(run, "splendid"), "not-ready", "bench broke"),
        (lambda run: run.update(rules=[synthetic.case("RUL-01", "fail", areas=[])]), "not-ready", "RUL-01"),
        (lambda run: run["run"].update(interrupted=True), "not-ready", "interrupted"),
        (lambda run: run["run"].update(ended=None), "not-ready", "controller was killed"),
        (lambda run: run["run"].update(stop_cause="analyzer lost"), "not-ready", "analyzer lost"),
        (lambda run: run["run"].update(defects=["x"]), "not-ready", "Defects were injected"),
        (_not_run, "not-ready", "1 essential case not run: PNC-098"),
        (lambda run: run["trust"][0].update(problems=["expired"]), "not-ready", "expired"),
        (lambda run: _not_run(run, slow=True), "pilot", "PNC-098"),
        (lambda run: _not_run(run, areas=[]), "pilot", "PNC-098"),
        (lambda run: _not_run(run, areas=[], applicable=False), "ready", ""),
        (lambda run: _not_run(run, applicable=False), "ready", ""),
        (lambda run: run.update(trust=[]), "pilot", "none to audit"),
        (lambda run: run["charger"].update(vendor="", model=None), "pilot", "names no vendor or model"),
        (lambda run: run["charger"]["declarations"].clear(), "pilot", "No owner is declared"),
        (lambda run: _sign(run, "support", status="open"), "pilot", "not signed off; the owner is A. Owner"),
        (lambda run: _sign(run, "commercial", signed_by=""), "pilot", "nobody's name"),
        (lambda run: _sign(run, "commercial", date="soon"), "pilot", "without a date"),
        (lambda run: _sign(run, "commercial", owner=""), "pilot", "without an owner"),
        (lambda run: _sign(run, "commercial", date="2027-01-01"), "pilot", "after this run"),
        (lambda run: _sign(run, "charger", owner="B", status="open"), "pilot", "owner is B"),
        *[
            (lambda run, area=area: _drop(run, area), "not-ready", "No case of this run tests it")
            for area in synthetic.AREAS
        ],
    ],
)
def test_verdict_and_reason(change: Change, level: str, said: str) -> None:
    readiness = assess(changed(change))
    assert readiness.level == level
    assert said in " ".join((readiness.headline, *readiness.reasons))


@pytest.mark.parametrize("verdict", ["fail", "error", "inconclusive"])
@pytest.mark.parametrize("area", synthetic.AREAS)
def test_no_item_is_met_with_a_case_that_did_not_pass(area: str, verdict: str) -> None:
    run = synthetic.ready_run()
    next(case for case in run["cases"] if case["areas"] == [area])["verdict"] = verdict
    readiness = assess(run)
    concerned = [each for each in readiness.checklist + readiness.dependencies if area in each.item.areas]
    assert concerned
    assert {each.state for each in concerned} == {"not met" if verdict == "fail" else "open"}
    assert all(missing.who for each in concerned for missing in each.missing)


def test_an_item_without_evidence_or_signature_is_never_met() -> None:
    for run in ({}, {"cases": [{}]}, synthetic.run([]), synthetic.run([synthetic.case(areas=[])])):
        readiness = assess(run)
        assert readiness.level == "not-ready"
        assert not [each for each in readiness.checklist + readiness.dependencies if each.state == "met"]
        assert all(each.missing for each in readiness.checklist + readiness.dependencies)


@pytest.mark.parametrize("key", ["support", "commercial", "reconciliation"])
def test_what_no_test_can_know_needs_a_signature(key: str) -> None:
    assert state(changed(lambda run: run["charger"]["declarations"].pop(key)), key) == "open"
    assert state(synthetic.ready_run(), key) == "met"


def test_a_chain_that_had_expired_when_the_run_began_is_not_met() -> None:
    run = changed(lambda run: run["run"].update(started="2300-01-01T00:00:00Z"))
    assert state(run, "trust") == "not met"
    assert assess(run).level == "not-ready"


def test_simulation_and_defects_are_said() -> None:
    run = synthetic.ready_run()
    run["charger"]["simulated"] = run["bench"]["simulated"] = True
    run["run"]["defects"] = ["accepts-revoked-contract"]
    said = " ".join(assess(run).warnings)
    assert "accepts-revoked-contract" in said
    assert "charger was simulated" in said
    assert "instruments were simulated" in said


def test_not_saying_whether_it_is_simulated_counts_as_simulated() -> None:
    run = synthetic.ready_run()
    del run["charger"]["simulated"]
    assert any("charger was simulated" in warning for warning in assess(run).warnings)


def test_faulty_contracts_of_negative_cases_do_not_count_against_the_charger() -> None:
    run = changed(lambda run: run["trust"].append(synthetic.trust(role="contract", problems=["expired"])))
    assert assess(run).level == "ready"


def test_counts() -> None:
    run = synthetic.run(
        [synthetic.case("A"), synthetic.case("B", "fail")], rules=[synthetic.case("R", "inconclusive")]
    )
    _not_run(run)
    assert assess(run).counts == {"pass": 1, "fail": 1, "inconclusive": 1, "error": 0, "not run": 1}


@pytest.mark.parametrize(
    "name", ["Commercial ownership", "commercial_ownership", "COMMERCIAL-OWNERSHIP", "commercial"]
)
def test_names_of_declarations_are_read_leniently(name: str) -> None:
    assert declaration_key(name) == "commercial"


def test_assess_leaves_the_document_alone_and_is_repeatable() -> None:
    run = synthetic.ready_run()
    before = copy.deepcopy(run)
    assert assess(run) == assess(run)
    assert run == before


def test_a_charger_that_is_not_the_one_of_its_file_is_said() -> None:
    document = synthetic.run([synthetic.case()])
    document["charger"] |= {
        "model": "DC 50",
        "firmware": "1.0",
        "ocpp_boot": {"chargingStation": {"model": "DC 150", "firmwareVersion": "1.0"}},
    }
    said = [each for each in assess(document).warnings if "otherwise than its file" in each]
    assert len(said) == 1 and "'DC 150'" in said[0] and "firmware" not in said[0]


def test_an_interrupt_is_no_cause_of_its_own() -> None:
    document = synthetic.run([synthetic.case()])
    document["run"] |= {"interrupted": True, "stop_cause": "KeyboardInterrupt"}
    assert "KeyboardInterrupt" not in " ".join(assess(document).reasons)
    assert any("interrupted" in each for each in assess(document).reasons)

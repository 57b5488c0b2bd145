"""Cases on a fake bench: verdicts, records, rules, a bench that breaks."""

from __future__ import annotations

from typing import Any

import pytest


def verdicts(content: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["verdict"] for one in content["cases"]}


def test_each_kind_of_end_has_its_verdict(bench_run: Any) -> None:
    result, content, bench = bench_run(
        '''
from bench.csms.errors import CallError
from fake_bench import ended
@testcase("AAA-01", requires=["R-1"], defects=["d"], areas=["trust"])
def test_pass(ev, expect):
    """Passes.

    Precondition: none.
    Stimulus: nothing
    at all.
    Expected: 1 is 1.
    """
    expect(1, "one").to_be(1)

@testcase("AAA-02")
def test_fail(expect):
    """Fails."""
    expect("OK", "ResponseCode").to_start_with("FAILED")

@testcase("AAA-03")
def test_inconclusive(ev):
    """Does not get there."""
    raise ended()

@testcase("AAA-04")
def test_plan_bug(ev):
    """Has a bug."""
    {}["x"]

@testcase("AAA-05")
def test_refused_call():
    """Charger refuses a call."""
    raise CallError("SetVariables", "NotSupported", "", {})

@testcase("AAA-06", slow=True)
def test_slow():
    """Is slow."""
'''
    )
    assert verdicts(content) == {
        "AAA-01": "pass",
        "AAA-02": "fail",
        "AAA-03": "inconclusive",
        "AAA-04": "error",
        "AAA-05": "inconclusive",
    }
    first, second, _, bug, _ = content["cases"]
    assert (first["title"], first["stimulus"], first["requirements"]) == (
        "Passes",
        "nothing at all.",
        ["R-1"],
    )
    assert first["areas"] == ["trust"]
    assert first["expectations"][0]["outcome"] == "pass"
    assert second["reason"] == "ResponseCode: OK, expected FAILED..."
    assert "test_plan.py" in bug["reason"] and "KeyError" in bug["reason"]
    assert [one["id"] for one in content["not_run"]] == ["AAA-06"]
    assert content["run"]["exit_code"] == 1
    assert len(content["rules"]) == 9
    assert bench.station.closed == 1
    assert bench.hooks[:2] == [("case", "AAA-01"), ("pass", "AAA-01")]
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*inconclusive*"])


def test_timeline_lines_are_the_evidence(bench_run: Any) -> None:
    _, content, bench = bench_run(
        '''
@testcase("AAA-01")
def test_pass(ev, expect):
    """Passes."""
    ev.plug_in().exchange("SessionSetup")
'''
    )
    case = content["cases"][0]
    first, last = case["evidence"][0]["lines"]
    lines = (bench.station.run.path / "timeline.jsonl").read_text().splitlines()[first - 1 : last]
    assert '"phase":"begin"' in lines[0]
    assert any('"SessionSetupRes"' in line for line in lines)
    names = [exchange["name"] for exchange in case["session"]["exchanges"]]
    assert names == ["pilot B", "SessionSetupReq", "SessionSetupRes", "pilot A"]


def test_a_broken_bench_stays_broken_and_no_charger_is_blamed(bench_run: Any) -> None:
    _, content, bench = bench_run(
        '''
@testcase("AAA-01")
def test_breaks(station, expect):
    """Breaks the bench."""
    station.broken = "analyzer: no answer"
    expect(1, "x").to_be(2)

@testcase("AAA-02")
def test_later(ev):
    """Comes later."""
'''
    )
    first, later = content["cases"]
    assert (first["verdict"], first["reason"]) == ("error", "bench: analyzer: no answer")
    assert (later["verdict"], later["reason"]) == ("error", "bench: bench broke before: analyzer: no answer")
    assert bench.station.safe_states == 0 or later["session"] is None or not later["session"]["exchanges"]
    assert content["run"]["exit_code"] == 3


def test_unanswered_stimulus_fails_and_unreached_precondition_does_not(bench_run: Any) -> None:
    _, content, _ = bench_run(
        '''
import types
from fake_bench import timeout
ev_room = types.ModuleType("bench.ev.fake")
exec("""
def send_next(error): raise error
def until(error): send_next(error)
""", ev_room.__dict__)

@testcase("AAA-01")
def test_stimulus():
    """Stimulus without answer."""
    ev_room.send_next(timeout())

@testcase("AAA-02")
def test_precondition():
    """Precondition without answer."""
    ev_room.until(timeout())
'''
    )
    assert verdicts(content) == {"AAA-01": "fail", "AAA-02": "inconclusive"}


def test_rules_judge_every_session_and_leave_the_verdict_of_the_case(bench_run: Any) -> None:
    _, content, _ = bench_run(
        '''
@testcase("AAA-01")
def test_pass(ev):
    """Passes."""
    session = ev.plug_in()
    session.exchange("SessionSetup")
    session.say("ServiceDiscoveryReq", "tx")
    session.say("SessionSetupRes", "rx", response_code="OK", session_id="01")
'''
    )
    case = content["cases"][0]
    assert case["verdict"] == "pass"
    assert case["findings"][0]["rule"] == "RUL-01"
    rules = {one["id"]: one for one in content["rules"]}
    assert rules["RUL-01"]["verdict"] == "fail"
    assert "AAA-01" in rules["RUL-01"]["reason"]
    assert rules["RUL-03"]["verdict"] == "pass"
    assert rules["RUL-06"]["verdict"] == "inconclusive"
    assert content["run"]["exit_code"] == 1


def test_selection_by_id_and_what_is_left_out(bench_run: Any) -> None:
    _, content, _ = bench_run(
        '''
@testcase("AAA-01")
def test_one():
    """One."""

@testcase("AAA-02")
def test_two():
    """Two."""
''',
        "-k",
        "AAA-02",
    )
    assert verdicts(content) == {"AAA-02": "pass"}
    assert [(one["id"], one["reason"]) for one in content["not_run"]] == [("AAA-01", "not selected")]


def test_interrupt_leaves_a_record_and_a_safe_bench(bench_run: Any) -> None:
    _, content, bench = bench_run(
        '''
@testcase("AAA-01")
def test_one():
    """One."""

@testcase("AAA-02")
def test_two(ev):
    """Two."""
    raise KeyboardInterrupt

@testcase("AAA-03")
def test_three():
    """Three."""
'''
    )
    assert verdicts(content) == {"AAA-01": "pass", "AAA-02": "inconclusive"}
    assert content["run"]["interrupted"] is True
    assert content["run"]["exit_code"] == 4
    assert {one["id"] for one in content["not_run"]} >= {"AAA-03", "RUL-01"}
    assert bench.station.safe_states >= 2
    assert bench.station.closed == 1


def test_first_failure_stops_with_x(bench_run: Any) -> None:
    _, content, _ = bench_run(
        '''
@testcase("AAA-01")
def test_one(expect):
    """One."""
    expect(1).to_be(2)

@testcase("AAA-02")
def test_two():
    """Two."""
''',
        "-x",
    )
    assert verdicts(content) == {"AAA-01": "fail"}
    assert "AAA-02" in {one["id"] for one in content["not_run"]}
    assert content["run"]["stop_cause"]


def test_a_bench_that_does_not_open_ends_the_run_in_one_line(bench_run: Any) -> None:
    result, content, _ = bench_run(
        '''
@testcase("AAA-01")
def test_one():
    """One."""
''',
        open_error=FileNotFoundError("benches/none.toml: there is no such bench file"),
    )
    assert content is None
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == "ERROR: bench: benches/none.toml: there is no such bench file"


def test_an_id_used_twice_is_refused(bench_run: Any) -> None:
    result, content, _ = bench_run(
        '''
@testcase("AAA-01")
def test_one():
    """One."""

@testcase("AAA-01")
def test_two():
    """Two."""
'''
    )
    assert content is None
    assert "AAA-01 is used twice" in result.stderr.str() + result.stdout.str()


def test_nothing_happens_without_cases(pytester: pytest.Pytester, tmp_path: Any) -> None:
    from fake_bench import FakeBench

    pytester.makepyfile("def test_plain(): pass")
    bench = FakeBench(tmp_path)
    result = pytester.runpytest_inprocess(plugins=[bench])
    result.assert_outcomes(passed=1)
    assert bench.station is None and not bench.hooks


def test_charger_state_is_put_back(bench_run: Any) -> None:
    _, content, _ = bench_run(
        '''
@testcase("AAA-01")
def test_one(charger_state, csms, expect):
    """One."""
    charger_state.set_variable("Ctrlr", "Enabled", False)
    expect(csms.variables["Ctrlr.Enabled"], "Enabled").to_be("false")

@testcase("AAA-02")
def test_two(charger_state, csms):
    """Two."""
    charger_state.set_variable("Ctrlr", "Enabled", False)
    csms.refuse_writes = True
'''
    )
    assert verdicts(content) == {"AAA-01": "pass", "AAA-02": "error"}
    assert "could not be put back: Ctrlr.Enabled = true" in content["cases"][1]["reason"]

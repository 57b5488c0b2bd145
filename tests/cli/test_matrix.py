"""The table defect x case: what counts as caught, and what as a hole."""

from __future__ import annotations

from pathlib import Path

from bench.cli import matrix
from bench.plan import Case


def row(verdicts: dict[str, str], named: tuple[str, ...] = ("PNC-031",)) -> matrix.Row:
    cases = [{"id": case, "verdict": verdict, "reason": ""} for case, verdict in verdicts.items()]
    return matrix.read_row("accepts-revoked-contract", named, {"cases": cases, "rules": []}, 1.0)


def test_caught_by_the_case_that_names_it_is_ok() -> None:
    assert row({"PNC-031": "fail", "PNC-030": "pass", "PNC-010": "inconclusive"}).ok


def test_caught_by_nobody_is_a_hole() -> None:
    found = row({"PNC-031": "pass"})
    assert not found.ok
    assert "nobody" in matrix.line(found)


def test_a_failing_case_that_does_not_name_it_is_a_hole() -> None:
    found = row({"PNC-031": "fail", "PNC-010": "fail"})
    assert found.strangers == ("PNC-010",)
    assert not found.ok


def test_a_bench_error_is_a_hole() -> None:
    assert not row({"PNC-031": "fail", "PNC-010": "error"}).ok


def test_a_rule_row_counts_as_a_case() -> None:
    run = {"cases": [{"id": "PNC-010", "verdict": "pass"}], "rules": [{"id": "RUL-03", "verdict": "fail"}]}
    assert matrix.read_row("session-id-changes", ["RUL-03"], run, 1.0).ok


def test_a_defect_that_only_a_rule_names_is_run_with_a_session() -> None:
    assert matrix.selection(["RUL-03"]) == "PNC-010"
    assert matrix.selection(["PNC-002", "PNC-003", "RUL-01"]) == "PNC-002 or PNC-003"


def test_the_markdown_table_has_a_line_a_defect() -> None:
    text = matrix.table([row({"PNC-031": "fail", "PNC-010": "inconclusive"})], only_named=False)
    assert "| `accepts-revoked-contract` | PNC-031 | PNC-031 | PNC-010 |" in text


def test_a_defect_is_run_with_the_plans_whose_cases_name_it() -> None:
    cases = {Path("first"): [Case("PNC-001", "one")], Path("slac"): [Case("SLAC-001", "two")]}
    assert matrix.plans_of(["SLAC-001"], cases) == ["slac"]
    assert matrix.plans_of(["PNC-001", "SLAC-001", "RUL-01"], cases) == ["first", "slac"]
    assert matrix.plans_of(["RUL-03"], cases) == ["first"]

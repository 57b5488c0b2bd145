"""What broke, when, and where the proof is."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.model import VERDICTS, Case, Expectation, Measurement, Run

SHOWN = 12


@dataclass(frozen=True)
class Broken:
    """One finding: the offending expectation or measurement (if one was recorded) of what did not pass."""

    case: Case
    expectation: Expectation | None
    measurement: Measurement | None
    message: str
    run_t_s: float | None
    mender: str


def broken(run: Run) -> list[Broken]:
    """Return all that did not pass, worst verdict first, then in order of time."""
    found = [_broken(case, run.interrupted) for case in run.judged if case.verdict != "pass"]
    return sorted(found, key=lambda each: (VERDICTS.index(each.case.verdict), each.run_t_s or 0.0))


def warned(run: Run) -> list[tuple[Case, str, str]]:
    """Return (case, rule, message) of each warning of a passive rule in what passed. The record of a rule
    repeats those of its cases: they are told once, with the case.
    """

    def of(cases: tuple[Case, ...]) -> list[tuple[Case, str, str]]:
        return [
            (case, finding.rule, finding.message)
            for case in cases
            if case.verdict == "pass"
            for finding in case.findings
            if finding.severity == "warning"
        ]

    found = of(run.cases)
    told = {(rule, message) for _, rule, message in found}
    return found + [each for each in of(run.rules) if each[1:] not in told]


def _broken(case: Case, interrupted: bool) -> Broken:
    expectation = next((each for each in case.expectations if each.outcome not in {"pass", ""}), None)
    measurement = next((each for each in case.measurements if each.outcome == "fail"), None)
    finding = next((each for each in case.findings if each.severity == "fail"), None)
    message = case.reason or (finding.message if finding else "") or (expectation.text if expectation else "")
    t_s = expectation.t_s if expectation else finding.t_s if finding else case.duration_s
    started = case.started_s
    mender = {"fail": "charger maker", "error": "lab", "inconclusive": "lab and charger maker"}[case.verdict]
    if interrupted and case.verdict == "inconclusive" and "interrupted" in case.reason:
        mender = "lab (run it again)"  # whoever stopped the run, the charger had no part in it
    return Broken(
        case,
        expectation,
        None if expectation else measurement,
        message or "no reason was recorded",
        None if started is None else started + (t_s or 0.0),
        mender,
    )

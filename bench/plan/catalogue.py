"""Which cases there are, without opening a bench: ids, requirements and the defects that each catches.

Plans are collected by pytest itself (`--collect-only`), so that whatever pytest would run is what is listed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import rules
from bench.plan.case import Case, case_of
from bench.plan.verdict import PlanError, one_line

_PLANS = Path(__file__).resolve().parents[2] / "testplans"
DEFAULT_PLAN = _PLANS / "plug_and_charge"


def own_plans() -> list[Path]:
    """The plans that come with plugbench, the default one first."""
    others = sorted(folder.parent for folder in _PLANS.glob("*/__init__.py"))
    return [DEFAULT_PLAN, *(folder for folder in others if folder != DEFAULT_PLAN)]


class _Collector:
    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.errors: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.cases = [case for item in session.items if (case := case_of(item)) is not None]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(f"{report.nodeid}: {last_line(report.longreprtext)}")


def all_cases(plan_dirs: Sequence[Path | str] = (DEFAULT_PLAN,)) -> list[Case]:
    """The cases of the plans (files or folders), slow ones included, in the order in which they would run.

    Raises PlanError, in one line, for a plan that cannot be imported, is not there, or uses an id twice.
    """
    for path in plan_dirs:
        if not Path(str(path).partition("::")[0]).exists():
            raise PlanError(f"{path}: there is no such plan")
    collector = _Collector()
    said = io.StringIO()
    arguments = [
        "--collect-only",
        "-q",
        "--slow",
        "-p",
        "no:cacheprovider",
        "--capture=no",
        "-W",  # a project may turn warnings into errors; reading plans is no place for them
        "default",
        *map(str, plan_dirs),
    ]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(arguments, plugins=[collector])
    if collector.errors:
        raise PlanError(collector.errors[0])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise PlanError(f"the plans cannot be collected: {last_line(said.getvalue())}")
    check_ids(collector.cases)
    return collector.cases


def check_ids(cases: Sequence[Case]) -> None:
    """Raise PlanError when two cases carry the same id (one case with pytest parameters counts once)."""
    seen: dict[str, str] = {}
    for case in cases:
        node = case.nodeid.partition("[")[0]
        if seen.setdefault(case.id, node) != node:
            raise PlanError(f"case id {case.id} is used twice: {seen[case.id]} and {node}")


def cases_by_defect(plan_dirs: Sequence[Path | str] = (DEFAULT_PLAN,)) -> dict[str, list[str]]:
    """For each defect of the charger the ids of the cases and rules that must fail with it."""
    found: dict[str, list[str]] = {}
    for case in all_cases(plan_dirs):
        for defect in case.defects:
            found.setdefault(defect, []).append(case.id)
    for rule in rules.RULES:
        for defect in rule.defects:
            found.setdefault(defect, []).append(rule.id)
    return found


def last_line(text: str) -> str:
    """The last line of a pytest text that says something: the error itself, not its traceback.

    A syntax error is told with its line in the plan.
    """
    lines = [
        line.removeprefix("ERROR:").removeprefix("E  ").strip()
        for line in text.splitlines()
        if line.strip(" =_-")
    ]
    if not lines:
        return "no text"
    if "SyntaxError" in lines[-1] or "IndentationError" in lines[-1]:
        places = [line.rpartition(", line ")[2] for line in lines if line.startswith("File ")]
        if places:
            return one_line(f"line {places[-1]}: {lines[-1]}")
    return one_line(lines[-1])

"""The pytest plugin `plugbench`: runs test functions that are cases (`@testcase`) on a bench.

In a pytest run without such cases it does nothing. With them it opens the bench at the first case, gives
every case a verdict, judges the rules at the end and writes run.json after each case. Fixtures for plans are
in the package `fixtures`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from bench.plan import hooks
from bench.plan.case import MARKER, Case, case_of
from bench.plan.verdict import Judgement, PlanError, Verdict, is_a, is_foreseen, judge, one_line, worst

FIXTURES = ("fixtures.bench", "fixtures.vehicle", "fixtures.card", "fixtures.charger_state")
DEFAULT_BENCH = "embedded"
REPORT_KEY = "plugbench"
_WORDS = {
    Verdict.PASS: ("passed", ".", "PASS"),
    Verdict.FAIL: ("failed", "F", "FAIL"),
    Verdict.INCONCLUSIVE: ("inconclusive", "I", ("INCONCLUSIVE", {"yellow": True})),
    Verdict.ERROR: ("error", "E", "ERROR"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run on a bench."""
    group = parser.getgroup("plugbench", "plugbench: test plans on a charger")
    group.addoption(
        "--bench", metavar="NAME|FILE", help=f"bench file, or the name of one (default: {DEFAULT_BENCH})"
    )
    group.addoption(
        "--charger", metavar="FILE", help="charger profile (default: the one the bench file names)"
    )
    group.addoption(
        "--defect", metavar="NAME", action="append", default=[], help="defect of the simulated charger"
    )
    group.addoption(
        "--results", metavar="DIR", default="results", help="where run folders go (default: results)"
    )
    group.addoption("--slow", action="store_true", help="also run what waits long by nature")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks of `bench.plan.hooks` known."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, the fixtures and the conductor of the run."""
    config.addinivalue_line("markers", f"{MARKER}(case): a plugbench case; set by @testcase")
    config.addinivalue_line("markers", "slow: waits long by nature; cases with it run with --slow only")
    for module in FIXTURES:
        config.pluginmanager.import_plugin(module)
    config.pluginmanager.register(Conductor(config), "plugbench-conductor")


@pytest.hookimpl(trylast=True)
def pytest_plugbench_open_station(config: pytest.Config) -> Any:
    """Open the bench that the options name."""
    from bench.station import Station

    charger = config.getoption("charger")
    return Station.open(
        config.getoption("bench") or DEFAULT_BENCH,
        charger_file=charger,
        defects=tuple(config.getoption("defect")),
        results=Path(config.getoption("results")),
        progress=conductor_of(config).progress,
    )


def conductor_of(config: pytest.Config) -> Conductor:
    """The conductor of this pytest run: where fixtures find the run in hand."""
    conductor = config.pluginmanager.get_plugin("plugbench-conductor")
    if not isinstance(conductor, Conductor):
        raise RuntimeError("the plugbench plugin is not active")
    return conductor


class Conductor:
    """Turns pytest's phases into cases with a verdict. `run` is the PlanRun once the bench is open."""

    def __init__(self, config: pytest.Config) -> None:
        from bench.plan.planrun import PlanRun

        self.config = config
        self.run: PlanRun | None = None
        self.exit_code: int | None = None
        self.progress: Callable[[str], None] | None = None
        """Who wants to hear what is being opened."""
        self.refusal: str | None = None
        """Why the bench could not be opened, in one line."""
        # pytest-html draws its header before anything is collected: only a run that names a bench gets our
        # columns.
        self._columns = config.getoption("bench") is not None
        self._left_out: list[tuple[Case, str]] = []
        self._waiting: dict[str, Case] = {}
        self._judgements: list[Judgement] = []
        self._log = ""
        self._interrupted = False
        self._stop_cause: str | None = None

    # -- selection
    # ---------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """`-k PNC-010` finds a case by its id."""
        if (case := case_of(item)) is not None:
            item.extra_keyword_matches.update({case.id, *case.areas})

    @pytest.hookimpl(tryfirst=True)
    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember what a selection leaves out, for the list of what was not run."""
        self._left_out += [(case, "not selected") for item in items if (case := case_of(item)) is not None]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Leave out slow cases unless asked for, refuse ids used twice, put the rules behind the cases."""
        from bench.plan.catalogue import check_ids
        from bench.plan.ruleitem import rule_items

        cases = [case for item in items if (case := case_of(item)) is not None]
        if not cases:
            return
        try:
            check_ids(cases)
        except PlanError as error:
            raise pytest.UsageError(str(error)) from error
        if not self.config.getoption("slow"):
            self._leave_out_slow(items)
        if not self.config.option.collectonly and any(case_of(item) for item in items):
            items += rule_items(session)
        selected = [case for item in items if (case := case_of(item)) is not None]
        self._waiting = {case.nodeid: case for case in selected}
        self.config.hook.pytest_plugbench_selected(config=self.config, cases=selected)

    def _leave_out_slow(self, items: list[pytest.Item]) -> None:
        slow = [item for item in items if (case := case_of(item)) is not None and case.slow]
        if slow:
            items[:] = [item for item in items if item not in slow]
            self.config.hook.pytest_deselected(items=slow)
            for item in slow:
                if (case := case_of(item)) is not None:
                    self._left_out.append((case, "slow: give --slow to run it"))

    # -- one case
    # ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """A case from beginning to verdict, around setup, call and teardown."""
        case = case_of(item)
        if case is None:
            return (yield)
        run = self._opened()
        self._judgements, self._log = [], ""
        self.config.hook.pytest_plugbench_case(config=self.config, case=case)
        try:
            result = yield
        except BaseException as error:
            if run.case is not None:
                self._judgements.append(judge(error))
                self._end(case)
            raise
        self._end(case)
        return result

    def _end(self, case: Case) -> None:
        run = self._opened()
        if case.group == "rules":
            judgement, duration_s = worst(self._judgements), 0.0
            run.finish_rule(case, judgement)
        else:
            judgement, duration_s = run.finish(self._judgements, self._log)
        self._waiting.pop(case.nodeid, None)
        self.config.hook.pytest_plugbench_verdict(
            config=self.config, case=case, judgement=judgement, duration_s=duration_s
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin a case on the bench before its fixtures are set up."""
        case = case_of(item)
        if case is not None and case.group != "rules":
            self._opened().begin(case)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge a phase; what pytest shows and counts follows the verdict."""
        report = yield
        case = case_of(item)
        if case is None:
            return report
        error = call.excinfo.value if call.excinfo is not None else None
        judgement = judge(error)
        if error is not None and self.run is not None and is_a(error, "drivers", "InstrumentLost"):
            self.run.lost(one_line(str(error)))
        if call.when == "call" and case.group != "rules" and self.run is not None:
            judgement = self.run.health_judgement() or judgement
        self._judgements.append(judgement)
        if judgement.verdict is not Verdict.PASS:
            self._log += f"{report.longreprtext}\n"
            report.outcome = "failed"
            if judgement.verdict is not Verdict.FAIL or case.group == "rules":
                report.longrepr = f"{str(judgement.verdict).upper()}: {judgement.reason}"
            if judgement.verdict is Verdict.INCONCLUSIVE and case.group == "rules":
                # A rule that a selection gave nothing to judge is no failure: `-k revoked -x` must pass.
                report.outcome = "skipped"
                report.longrepr = (str(item.path), 0, judgement.reason)
        setattr(report, REPORT_KEY, (case, judgement))
        if call.when == "call" or judgement.verdict is not Verdict.PASS:
            facts = [("case", case.id), ("verdict", str(judgement.verdict)), ("reason", judgement.reason)]
            facts += [("requirement", one) for one in case.requirements]
            item.user_properties[:] = facts
            report.user_properties = list(facts)
        return report

    def pytest_report_teststatus(self, report: object) -> tuple[str, str, Any] | None:
        """INCONCLUSIVE and ERROR are words of their own beside PASS and FAIL."""
        found = getattr(report, REPORT_KEY, None)
        if found is None:
            return None
        verdict = found[1].verdict
        if getattr(report, "when", "") != "call" and verdict is Verdict.PASS:
            return "", "", ""
        return _WORDS[verdict]

    # -- the run
    # -----------------------------------------------------------------------------------------------

    def _opened(self) -> Any:
        if self.run is not None:
            return self.run
        from bench.plan.describe import describe
        from bench.plan.planrun import PlanRun

        try:
            station = self.config.hook.pytest_plugbench_open_station(config=self.config)
        except Exception as error:
            usage = is_a(error, "bench.station", "BenchFileError") or isinstance(
                error, ValueError | FileNotFoundError
            )
            text = one_line(str(error)) or type(error).__name__
            if not is_foreseen(error) and not usage:
                raise  # a bug of the station: its traceback is what helps
            self.refusal = text
            if usage:
                raise pytest.UsageError(f"bench: {text}") from error
            raise pytest.exit.Exception(f"bench: {text}", returncode=2) from error
        plans = [str(one) for one in self.config.args]
        self.run = PlanRun(station, plans=plans, defects=list(self.config.getoption("defect")))
        self.run.record.describe(**describe(station))
        for case, reason in self._left_out:
            self.run.record.not_run(case, reason)
        self.run.record.write()
        self.config.hook.pytest_plugbench_opened(config=self.config, station=station)
        return self.run

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Ctrl-C, SIGTERM or pytest.exit: safe state at once; the records are closed at the end of the
        session.
        """
        self._interrupted = isinstance(excinfo.value, KeyboardInterrupt)
        self._stop_cause = one_line(str(excinfo.value)) or "interrupted"
        if self.run is not None:
            try:
                self.run.station.safe_state()
            except Exception as error:  # closing the station tries again and reports
                self._stop_cause += f"; safe state: {one_line(str(error))}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close run.json and the bench."""
        from bench.plan.describe import describe

        if self.run is None:
            return
        run, cause = self.run, self._stop_cause
        if cause is None and isinstance(session.shouldstop, str):
            cause = session.shouldstop
        elif cause is None and isinstance(session.shouldfail, str):
            cause = session.shouldfail
        for case in self._waiting.values():
            run.record.not_run(case, cause or "the run ended before")
        # The charger's BootNotification and the state of the capture may have changed since the bench was
        # opened.
        run.record.describe(**describe(run.station))
        run.record.content["run"]["notes"] = list(getattr(run.station, "notes", []))
        self.exit_code = run.record.end(interrupted=self._interrupted, stop_cause=cause or run.broken)
        try:
            run.station.close()
        except KeyboardInterrupt:  # it came while the bench was being closed, and waited until it was
            self._interrupted = True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Where the run lies, for those who started pytest themselves."""
        if self.run is not None:
            terminalreporter.write_line(f"run folder: {self.run.folder} (plugbench report makes its report)")

    # -- pytest's own report
    # -----------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Columns for the case id and its verdict in pytest.html."""
        if self._columns:
            cells.insert(1, '<th class="sortable" data-column-type="case">Case</th>')
            cells.insert(2, '<th class="sortable" data-column-type="verdict">Verdict</th>')

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: object, cells: list[str]) -> None:
        """Case id, linked to its page in the readiness report, and verdict."""
        if not self._columns:
            return
        found = getattr(report, REPORT_KEY, None)
        case_id, verdict = (found[0].id, str(found[1].verdict)) if found else ("", "")
        cells.insert(1, f'<td class="col-case"><a href="cases/{case_id}.html">{case_id}</a></td>')
        cells.insert(2, f'<td class="col-verdict">{verdict}</td>')

"""Run test plans on a charger and write the report."""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bench.cli._say import add_verb, complain, plan_path

if TYPE_CHECKING:
    from bench.cli._live import LiveView
    from bench.station.safety import SignalGuard

MEANINGS = {
    0: "every verdict pass (exit 0)",
    1: "the charger broke a requirement (exit 1)",
    2: "nothing was run (exit 2)",
    3: "the bench failed; the charger is not to blame (exit 3)",
    4: "inconclusive: not everything was judged, nothing failed (exit 4)",
}
_WORST_FIRST = (2, 1, 3, 4, 0)
EXAMPLES = """\
  plugbench run                                     the Plug & Charge plan on the embedded bench
  plugbench run -k PNC-010                          one case, by id or any part of a name
  plugbench run --defect accepts-revoked-contract   with a charger that is wrong in this way
  plugbench run --bench bench.toml --charger dc-50.toml --slow
  plugbench run -k handshake --repeat 5             five runs, and where their verdicts differ

exit code: 0 every verdict pass, 1 a fail, 2 bad usage or a bench that cannot be opened, 3 the bench broke in
the run, 4 inconclusive and nothing failed.
Ctrl-C takes the bench to its safe state and writes the report of what there is.
"""


def register(subparsers: Any) -> None:
    """Add the verb."""
    parser = add_verb(subparsers, "run", "Run test plans on a charger and write the report.", EXAMPLES)
    parser.add_argument("plans", nargs="*", metavar="PLAN", help="file or folder (default: plug_and_charge)")
    parser.add_argument(
        "--bench", metavar="NAME|FILE", default="embedded", help="the bench (default: embedded)"
    )
    parser.add_argument(
        "--charger", metavar="FILE", help="charger file (default: the one the bench file names)"
    )
    parser.add_argument(
        "--defect", metavar="NAME", action="append", default=[], help="defect of the simulated charger"
    )
    parser.add_argument(
        "-k", dest="select", metavar="EXPR", help="only cases whose id or name matches, as in pytest"
    )
    parser.add_argument(
        "--results", metavar="DIR", default="results", help="where run folders go (default: results)"
    )
    parser.add_argument(
        "--repeat", metavar="N", type=int, default=1, help="run N times and compare the verdicts"
    )
    parser.add_argument("--slow", action="store_true", help="also run cases that wait long by nature")
    parser.add_argument("--no-report", action="store_true", help="leave report.html and pytest.html out")
    parser.add_argument(
        "-x", dest="stop", action="store_true", help="stop at the first verdict that is no pass"
    )
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the plans; returns the exit code."""
    # A shell without job control starts `plugbench run &` with SIGINT ignored.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if arguments.repeat < 1:
        return complain("run: --repeat takes a number from 1 on")
    try:
        _check_defects(arguments.defect)
        plans = [plan_path(plan) for plan in arguments.plans or ["plug_and_charge"]]
    except ValueError as error:
        return complain(str(error))
    from bench.station.safety import SignalGuard

    guard = SignalGuard()
    guard.install()
    try:
        return _repeatedly(arguments, plans, guard)
    except KeyboardInterrupt:
        complain("interrupted before the bench was open")
        return 4
    finally:
        guard.restore()


def _repeatedly(arguments: argparse.Namespace, plans: list[str], guard: SignalGuard) -> int:
    codes: list[int] = []
    found: list[dict[str, str]] = []
    for index in range(1, arguments.repeat + 1):
        code, view = _once(arguments, plans, (index, arguments.repeat), guard)
        codes.append(code)
        found.append(view.verdicts)
        if view.folder is None or view.reason is not None:
            break
    if arguments.repeat > 1 and len(found) > 1:
        _differences(found)
    return next(code for code in _WORST_FIRST if code in codes)


def _check_defects(names: list[str]) -> None:
    """Raise ValueError, one line, for a defect that there is not: before the bench is opened."""
    if names:
        from bench.charger import defects

        defects.find(names)


def _once(
    arguments: argparse.Namespace, plans: list[str], repeat: tuple[int, int], guard: SignalGuard
) -> tuple[int, LiveView]:
    import pytest

    from bench.cli._live import LiveView

    terminal: TextIO = sys.stdout
    view = LiveView(terminal, repeat=repeat)
    said = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="plugbench-") as scratch:
        page = Path(scratch) / "pytest.html"
        # pytest's own talk is kept out of the way; `--capture=sys` leaves the terminal itself to the live
        # view.
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            pytest_code = int(pytest.main(_pytest_arguments(arguments, plans, page), plugins=[view]))
        view.stop()
        if view.folder is None:
            return _never_ran(arguments, pytest_code, view, said.getvalue()), view
        try:
            with guard:  # Ctrl-C waits until the report is written
                _keep_page(page, view)
                code = _conclude(arguments, pytest_code, view, said.getvalue())
        except KeyboardInterrupt:
            view.reason = view.reason or "interrupted"
    return code, view


def _keep_page(page: Path, view: LiveView) -> None:
    """pytest's own report, made in a folder of its own because it is begun before there is a run folder."""
    if view.folder is None or not page.exists():
        return
    target = view.folder / "pytest.html"
    try:
        shutil.copy(page, target)
    except OSError as error:
        target.unlink(missing_ok=True)  # half of it
        view.record_problem = view.record_problem or f"{target}: cannot be written: {error.strerror}"


def _conclude(arguments: argparse.Namespace, pytest_code: int, view: LiveView, said: str) -> int:
    """The run is over and the bench is closed: report, summary, exit code."""
    import pytest

    assert view.folder is not None
    code = view.exit_code if view.exit_code is not None else 3
    if pytest_code == int(pytest.ExitCode.INTERNAL_ERROR):
        (view.folder / "pytest.log").write_text(said, encoding="utf-8")
        code = 1 if code == 1 else 3
        print(
            f"plugbench: a flaw in plugbench or a plugin ended the run, see {view.folder}/pytest.log",
            file=sys.stderr,
        )
    report = _report(arguments, view)
    view.summary(f"stopped ({view.reason}); {MEANINGS[code]}" if view.reason else MEANINGS[code], report)
    return code


def _pytest_arguments(arguments: argparse.Namespace, plans: list[str], page: Path) -> list[str]:
    given = [*plans, "--capture=sys", "-p", "no:cacheprovider", "-p", "no:randomly"]
    # A plugin of the project's own tests that takes half a second to load.
    given += ["-p", "no:hypothesispytest", "-W", "default"]
    given += ["--bench", arguments.bench, "--results", arguments.results]
    if arguments.charger:
        given += ["--charger", arguments.charger]
    for defect in arguments.defect:
        given += ["--defect", defect]
    if arguments.select:
        given += ["-k", arguments.select]
    if not arguments.no_report:
        given += [f"--html={page}", "--self-contained-html"]
    return given + ["--slow"] * arguments.slow + ["-x"] * arguments.stop


def _never_ran(arguments: argparse.Namespace, pytest_code: int, view: LiveView, said: str) -> int:
    """The bench was never opened: one line that says why."""
    import pytest

    from bench.plan.catalogue import last_line

    if view.complaints:
        return complain(view.complaints[0])
    if pytest_code == int(pytest.ExitCode.NO_TESTS_COLLECTED):
        which = f"-k {arguments.select!r}" if arguments.select else "the plans"
        slow = "" if arguments.slow else " (slow cases need --slow)"
        return complain(f"no case matches {which}{slow}; `plugbench list` shows what there is")
    if view.refusal is not None:
        return complain(view.refusal)
    if view.reason is not None and pytest_code == int(pytest.ExitCode.INTERRUPTED):
        complain(f"{view.reason} before the bench was open")
        return 4
    if pytest_code in (int(pytest.ExitCode.OK), int(pytest.ExitCode.TESTS_FAILED)):
        return complain("no case in the plans; a case is a test function with @testcase")
    complain(_usage_error(said) or last_line(said))
    return 3 if pytest_code == int(pytest.ExitCode.INTERNAL_ERROR) else 2


def _usage_error(said: str) -> str | None:
    """What pytest refused, of its own words."""
    return next((line[7:] for line in said.splitlines() if line.startswith("ERROR: ")), None)


def _report(arguments: argparse.Namespace, view: LiveView) -> Path | None:
    from bench.cli.report import ReportFailed, write_reports

    path, whole = None, view.record_problem is None
    if view.folder is not None and not arguments.no_report:
        try:
            path = write_reports(view.folder)
        except ReportFailed as error:
            if whole:
                complain(f"{error} (the run itself is whole: {view.folder / 'run.json'})")
    try:
        view.station.run.write_manifest()
    except Exception as error:  # the verdicts stand without it
        if whole:
            complain(f"no manifest: {error}")
    if not whole:  # one line for one cause
        complain(f"{view.record_problem}; the report holds what was written before")
    return path


def _differences(found: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    ids = [case_id for case_id in found[0] if len({one.get(case_id) for one in found}) > 1]
    ids += [case_id for one in found[1:] for case_id in one if case_id not in found[0] and case_id not in ids]
    if not ids:
        print(f"\n{len(found)} runs, the same {len(found[0])} verdicts in each")
        return
    table = Table("case", *[f"run {n}" for n in range(1, len(found) + 1)], title="verdicts that differ")
    for case_id in ids:
        table.add_row(case_id, *[one.get(case_id, "-") for one in found])
    Console().print(table)

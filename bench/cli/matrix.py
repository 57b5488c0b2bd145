"""`plugbench charger matrix`: every defect of the simulated charger against the cases of the plan.

A case that no defect can fail proves nothing, and a defect that no case catches is a hole in the plan. Each
defect is one run of the plan on a bench of its own; the table says which cases failed, and whether those are
the ones that name the defect.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli._say import plan_path

if TYPE_CHECKING:
    from bench.plan.case import Case

SESSION_CASE = "PNC-010"
"""The case run for a defect that only a rule names: a rule judges the sessions of the cases that ran."""


@dataclass(frozen=True)
class Row:
    """What one defect did to the plan: the cases that name it, and the verdict of each case that ran."""

    defect: str
    named: tuple[str, ...]
    verdicts: Mapping[str, str]
    duration_s: float
    problem: str = ""
    """Why there are no verdicts (the run itself broke), or empty."""
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[str, ...]:
        """The cases with verdict `fail`."""
        return tuple(sorted(case for case, verdict in self.verdicts.items() if verdict == "fail"))

    @property
    def caught_by(self) -> tuple[str, ...]:
        """The failed cases that name the defect."""
        return tuple(case for case in self.failed if case in self.named)

    @property
    def strangers(self) -> tuple[str, ...]:
        """The failed cases that do not name the defect."""
        return tuple(case for case in self.failed if case not in self.named)

    @property
    def errors(self) -> tuple[str, ...]:
        """The cases in which the bench, not the charger, is said to have failed."""
        return tuple(sorted(case for case, verdict in self.verdicts.items() if verdict == "error"))

    @property
    def ok(self) -> bool:
        """Caught by a case that names it, and by no case that does not."""
        return bool(self.caught_by) and not self.strangers and not self.errors and not self.problem


def read_row(defect: str, named: Sequence[str], run: Mapping[str, Any], duration_s: float) -> Row:
    """The row of a finished run, from its run.json."""
    cases = [*run.get("cases", ()), *run.get("rules", ())]
    return Row(
        defect,
        tuple(named),
        {str(case["id"]): str(case["verdict"]) for case in cases},
        duration_s,
        reasons={str(case["id"]): str(case.get("reason") or "") for case in cases},
    )


def selection(named: Sequence[str]) -> str:
    """The `-k` expression that selects the cases naming a defect."""
    cases = [case for case in named if not case.startswith("RUL-")] or [SESSION_CASE]
    return " or ".join(cases)


def plans_of(named: Sequence[str], cases: Mapping[Path, Sequence[Case]]) -> list[str]:
    """The plans with a case among those that name a defect; the first plan for one that only a rule names."""
    found = [str(plan) for plan, each in cases.items() if any(case.id in named for case in each)]
    return found or [str(plan) for plan in list(cases)[:1]]


def run_defect(
    defect: str | None,
    named: Sequence[str],
    *,
    plan: Sequence[str],
    only_named: bool,
    first: bool,
    slow: bool,
    timeout_s: float,
    keep: Path | None,
) -> Row:
    """Run the plan once with a defect (None: without) on an embedded bench and in a process of its own."""
    from fixtures import benches_dir

    started = time.monotonic()
    label = defect or "none"

    def broken(problem: str) -> Row:
        return Row(label, tuple(named), {}, time.monotonic() - started, problem)

    with tempfile.TemporaryDirectory(prefix="plugbench-matrix-") as scratch_name:
        scratch = Path(scratch_name)
        bench = scratch / "bench.toml"
        text = (benches_dir() / "embedded.toml").read_text(encoding="utf-8")
        text = re.sub(r'(?m)^name = ".*"$', f'name = "matrix-{label}"', text, count=1)
        bench.write_text(text, encoding="utf-8")
        results = keep / label if keep is not None else scratch / "results"
        command = [sys.executable, "-m", "bench.cli", "run", *plan, "--bench", str(bench)]
        command += ["--results", str(results), "--no-report"]
        command += ["--defect", defect] if defect is not None else []
        command += ["-k", selection(named)] if only_named else []
        command += ["-x"] if first else []
        command += ["--slow"] if slow else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            return broken(f"no end after {timeout_s:.0f} s")
        files = sorted(results.glob("*/run.json"))
        if not files:
            lines = (done.stderr or done.stdout).strip().splitlines()
            return broken(lines[-1] if lines else "no run.json")
        run = json.loads(files[-1].read_text(encoding="utf-8"))
    row = read_row(label, named, run, time.monotonic() - started)
    if first and not row.ok:
        # The case that ended the run may have been inconclusive only: another may still catch the defect.
        return run_defect(
            defect,
            named,
            plan=plan,
            only_named=only_named,
            first=False,
            slow=slow,
            timeout_s=timeout_s,
            keep=keep,
        )
    return row


def line(row: Row) -> str:
    """One row as a line of text."""
    state = "ok  " if row.ok else "HOLE"
    text = (
        f"{state} {row.defect:<44} {row.duration_s:5.1f} s  caught by {', '.join(row.caught_by) or 'nobody'}"
    )
    if row.strangers:
        text += f"; also failed: {', '.join(row.strangers)}"
    if row.errors:
        text += f"; error: {', '.join(row.errors)}"
    if row.problem:
        text += f"; {row.problem}"
    if not row.caught_by and not row.problem:
        text += f" (named by {', '.join(row.named) or 'no case'})"
    return text


def table(rows: Sequence[Row], *, only_named: bool) -> str:
    """All rows as a Markdown table, for `docs/defect-matrix.md`."""
    scope = "the cases that name it" if only_named else "the whole plan"
    out = [
        "# Defect x case",
        "",
        f"Each defect of the simulated charger, run against {scope} (`plugbench charger matrix`).",
        "The plan is the one whose cases name the defect.",
        "`inconclusive` means that the charger, because of the defect, never reached what the case is about.",
        "",
        "| defect | named by | failed | inconclusive |",
        "|---|---|---|---|",
    ]
    for row in rows:
        stuck = sorted(case for case, verdict in row.verdicts.items() if verdict == "inconclusive")
        cells = (f"`{row.defect}`", ", ".join(row.named), ", ".join(row.failed), ", ".join(stuck) or "-")
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `matrix` beneath `plugbench charger`."""
    parser = subparsers.add_parser(
        "matrix",
        help="run the plan once per defect and print the table defect x case",
        description="Run the plan once for every defect of the simulated charger; say what caught it.",
        epilog="examples:\n"
        "  plugbench charger matrix --named --check     only the cases that name it; exit 1 on a hole\n"
        "  plugbench charger matrix --named --first --check --jobs 4      the quickest proof, as CI runs it\n"
        "  plugbench charger matrix --write docs/defect_matrix.md --jobs 2\n"
        "  plugbench charger matrix accepts-revoked-contract ignores-challenge\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("defects", nargs="*", metavar="DEFECT", help="only these defects (default: all)")
    parser.add_argument(
        "--plan", action="append", metavar="PLAN", help="plan (default: the one whose cases name the defect)"
    )
    parser.add_argument("--named", action="store_true", help="run only the cases that name it")
    parser.add_argument("--first", action="store_true", help="end each run with the first case that fails")
    parser.add_argument("--check", action="store_true", help="exit 1 unless all are caught")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="how many benches at once (default 1)"
    )
    parser.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="limit for one run, in seconds"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the run folders here")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the matrix; exit 0, or 1 when `--check` finds a hole, or 2 for an unknown defect."""
    from bench.charger import defects as registry
    from bench.plan import catalogue

    names = list(registry.all_defects())
    unknown = [name for name in args.defects if name not in names]
    if unknown:
        print(f"unknown defect {unknown[0]!r}; `plugbench charger defects` lists them", file=sys.stderr)
        return 2
    chosen = args.defects or names
    plans = [Path(plan_path(plan)) for plan in args.plan] if args.plan else catalogue.own_plans()
    by_defect = catalogue.cases_by_defect(plans)
    cases = {plan: catalogue.all_cases([plan]) for plan in plans}
    quick = {case.id for each in cases.values() for case in each if not case.slow}
    rows: list[Row] = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, args.jobs)) as pool:
        pending = [
            pool.submit(
                run_defect,
                name,
                by_defect.get(name, []),
                plan=plans_of(by_defect.get(name, []), cases),
                only_named=args.named,
                first=args.first,
                slow=not any(case in quick or case.startswith("RUL-") for case in by_defect.get(name, ())),
                timeout_s=args.timeout,
                keep=args.keep,
            )
            for name in chosen
        ]
        for done in concurrent.futures.as_completed(pending):
            rows.append(done.result())
            print(f"[{len(rows):>3}/{len(chosen)}] {line(rows[-1])}", flush=True)
    rows.sort(key=lambda row: chosen.index(row.defect))
    holes = [row for row in rows if not row.ok]
    print(f"{len(rows)} defects, {len(rows) - len(holes)} caught as they should be, {len(holes)} not")
    if args.write is not None:
        args.write.write_text(table(rows, only_named=args.named), encoding="utf-8")
        print(f"table: {args.write}")
    return 1 if holes and args.check else 0

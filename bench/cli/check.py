"""Check bench files, charger files and plans without running anything."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from bench.cli._say import add_verb, complain, plan_path

EXAMPLES = """\
  plugbench check bench.toml                     a bench file: every key, driver and limit
  plugbench check embedded --charger dc-50.toml  a named bench and a charger file
  plugbench check my_plans/                      plans: importable, ids unique, docstrings complete
"""


def register(subparsers: Any) -> None:
    """Add the verb."""
    parser = add_verb(subparsers, "check", "Check files without opening a bench.", EXAMPLES)
    parser.add_argument(
        "what", nargs="*", metavar="BENCH|PLAN", help="bench file or name, or a plan (file or folder)"
    )
    parser.add_argument("--charger", metavar="FILE", action="append", default=[], help="charger file")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Check each in turn; 2 when one of them is wrong."""
    if not arguments.what and not arguments.charger:
        return complain("check: name a bench file, a plan, or --charger FILE")
    jobs: list[tuple[Callable[[str], str], str]] = []
    for name in arguments.what:
        jobs.append((_plan if _is_plan(name) else _bench, name))
    jobs += [(_charger, name) for name in arguments.charger]
    code = 0
    for check, name in jobs:
        try:
            print(f"ok   {check(name)}")
        except (ValueError, *_errors()) as error:
            code = complain(str(error))
    return code


def _errors() -> Any:
    from bench.plan.verdict import PlanError
    from bench.station.errors import BenchError

    return (PlanError, BenchError)


def _is_plan(name: str) -> bool:
    try:
        return not plan_path(name).endswith(".toml")
    except ValueError:
        return False


def _bench(name: str) -> str:
    from bench.station.bench_file import load_bench

    config = load_bench(name)
    return f"bench {config.name}: {len(config.instruments)} instruments ({config.file})"


def _charger(name: str) -> str:
    from bench.station.charger_file import load_charger

    config = load_charger(name)
    return f"charger {config.vendor} {config.model} ({config.file})"


def _plan(name: str) -> str:
    from bench.plan.catalogue import all_cases
    from bench.plan.verdict import PlanError

    cases = all_cases([plan_path(name)])
    if not cases:
        raise PlanError(f"{name}: no case in it; a case is a test function with @testcase")
    for case in cases:
        missing = [part for part in ("precondition", "stimulus", "expected") if not getattr(case, part)]
        if missing:
            raise PlanError(f"{name}: {case.id} has no {missing[0].capitalize()} paragraph in its docstring")
    bare = [case.id for case in cases if not case.defects]
    note = f"; no defect named for {', '.join(bare)}" if bare else ""
    return f"plan {name}: {len(cases)} cases{note}"

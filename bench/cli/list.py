"""List the cases and rules: id, title, requirements, the defects that each catches."""

from __future__ import annotations

import argparse
import json
from typing import Any

from bench.cli._say import add_verb, complain, plan_path

EXAMPLES = """\
  plugbench list
  plugbench list plug_and_charge --json
  plugbench list my_plans/ --defect accepts-revoked-contract
"""


def register(subparsers: Any) -> None:
    """Add the verb."""
    parser = add_verb(subparsers, "list", "List cases and rules without opening a bench.", EXAMPLES)
    parser.add_argument("plans", nargs="*", metavar="PLAN", help="file or folder (default: plug_and_charge)")
    parser.add_argument("--defect", metavar="NAME", help="only what catches this defect")
    parser.add_argument("--json", action="store_true", help="all metadata as JSON")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the list; 2 for a plan that cannot be read."""
    from bench import rules
    from bench.plan.catalogue import all_cases
    from bench.plan.planrun import rule_case
    from bench.plan.verdict import PlanError

    try:
        cases = all_cases([plan_path(plan) for plan in arguments.plans or ["plug_and_charge"]])
    except (PlanError, ValueError) as error:
        return complain(str(error))
    cases += [rule_case(rule) for rule in rules.RULES]
    if arguments.defect:
        cases = [case for case in cases if arguments.defect in case.defects]
        if not cases:
            return complain(
                f"no case names the defect {arguments.defect!r}; `plugbench charger defects` lists them"
            )
    if arguments.json:
        print(json.dumps([case.as_json() for case in cases], indent=1, ensure_ascii=False))
        return 0
    group = ""
    for case in cases:
        if case.group != group:
            group = case.group
            print(f"\n{group.replace('_', ' ')}")
        print(f"  {case.id}  {case.title}{'  (slow)' if case.slow else ''}")
        required, caught = ", ".join(case.requirements) or "-", ", ".join(case.defects) or "-"
        print(f"           requires {required}; catches {caught}")
    print(f"\n{len(cases)} cases and rules")
    return 0

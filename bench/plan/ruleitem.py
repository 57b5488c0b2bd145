"""Rules as pytest items: they run last and judge every session of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import rules
from bench.plan.case import MARKER
from bench.plan.planrun import rule_case
from bench.rules.finding import Rule


class RuleItem(pytest.Item):
    """One rule, judged over all sessions that the cases of this run had."""

    def __init__(self, *, rule: Rule, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.rule = rule
        self.add_marker(getattr(pytest.mark, MARKER)(rule_case(rule)))

    def runtest(self) -> None:
        """Raise as the verdict of the rule has it."""
        from bench.plan.plugin import conductor_of

        run = conductor_of(self.config).run
        if run is not None:
            run.judge_rule(self.rule)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The finding itself; a traceback of the judge says nothing."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the rule is, and its id and title."""
        return Path("rules"), None, f"{self.rule.id} {self.rule.title}"


def rule_items(session: pytest.Session) -> list[pytest.Item]:
    """One item a rule."""
    return [
        RuleItem.from_parent(session, name=rule.id, nodeid=f"rules::{rule.id}", rule=rule)
        for rule in rules.RULES
    ]

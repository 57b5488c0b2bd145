"""Passive checks over a timeline, live or made of a capture: what must hold in every session, whatever a case
does.

A rule is a pure function of events: `rule.check(events, deviates=()) -> list[Finding]`. It must blame the
charger only for what the charger did: where the bench itself deviated (events with a `deviation`, or the
case's `deviates`) the rule looks away. One module a rule; `RULES` is the list of them, `by_id("RUL-05")`
finds one.
"""

from __future__ import annotations

from bench.rules.finding import Finding, Rule
from bench.rules.frames import RULE as FRAMES
from bench.rules.meter import RULE as METER
from bench.rules.order import RULE as ORDER
from bench.rules.pilot import RULE as PILOT
from bench.rules.sequence_numbers import RULE as SEQUENCE_NUMBERS
from bench.rules.session_id import RULE as SESSION_ID
from bench.rules.timing import RULE as TIMING
from bench.rules.voltage import RULE as VOLTAGE
from bench.rules.wire import RULE as WIRE

__all__ = ["RULES", "Finding", "Rule", "by_id"]

RULES: tuple[Rule, ...] = (
    ORDER,
    TIMING,
    SESSION_ID,
    PILOT,
    VOLTAGE,
    SEQUENCE_NUMBERS,
    METER,
    FRAMES,
    WIRE,
)


def by_id(rule_id: str) -> Rule:
    """The rule `rule_id`; KeyError when there is none."""
    return {rule.id: rule for rule in RULES}[rule_id]

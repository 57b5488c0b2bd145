"""What a rule is and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bench.timeline import Event

Severity = Literal["info", "warning", "fail"]
EV = "EV: "
"""How the message of a finding begins that is about the car: no charger is judged by it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule found. `seq` and `t_ns` are those of the event that shows it; `case` is filled in by
    the run.
    """

    rule: str
    severity: Severity
    message: str
    requirements: tuple[str, ...]
    seq: int
    t_ns: int
    case: str | None = None

    def as_data(self) -> dict[str, Any]:
        """The data of a `finding` event."""
        return {
            "severity": self.severity,
            "message": self.message,
            "requirements": list(self.requirements),
            "case": self.case,
            "at_seq": self.seq,
        }


class Check(Protocol):
    """`events` in order of time; `deviates`: what the case does on purpose (`order`, `session-id`, `timing`,
    ...).
    """

    def __call__(self, events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A passive check with its metadata.

    `subject` tells the events that the rule judges: where none is, there is nothing to judge
    (`inconclusive`). `scope` "run" means that the rule follows things that outlive a case (an OCPP
    transaction): it is given the subject events of the whole run, and its findings belong to the case in
    whose time they fall.
    """

    id: str
    title: str
    expected: str
    requirements: tuple[str, ...]
    source: str
    confidence: str
    defects: tuple[str, ...]
    areas: tuple[str, ...]
    subject: Callable[[Event], bool]
    check: Check
    scope: Literal["case", "run"] = "case"

    def applies(self, events: Sequence[Event]) -> bool:
        """Whether there is anything to judge among `events`."""
        return any(self.subject(event) for event in events)


class Finder:
    """Collects the findings of one rule: `found.fail(event, text)`, `found.warn(event, text)`."""

    def __init__(self, rule: str, requirements: Sequence[str] = ()) -> None:
        self.rule, self.requirements = rule, tuple(requirements)
        self.findings: list[Finding] = []

    def fail(self, event: Event, message: str, *requirements: str) -> None:
        """The charger broke a requirement at `event`."""
        self._add("fail", event, message, requirements)

    def warn(self, event: Event, message: str, *requirements: str) -> None:
        """Worth knowing, but no verdict rests on it."""
        self._add("warning", event, message, requirements)

    def observe(self, event: Event, message: str, *requirements: str) -> None:
        """Something that the EV did: not held against the charger."""
        self._add("info", event, f"{EV}{message}", requirements)

    def _add(self, severity: Severity, event: Event, message: str, requirements: Sequence[str]) -> None:
        asked = tuple(requirements) or self.requirements
        self.findings.append(Finding(self.rule, severity, message, asked, event.seq, event.t_ns))

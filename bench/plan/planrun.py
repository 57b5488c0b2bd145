"""One run of plans on one bench: begins and ends cases, judges the rules, keeps run.json.

Knows nothing of pytest (`bench.plan.plugin` does), and of the station only what docs/internals.md fixes.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import rules
from bench.plan import caserecord, trust
from bench.plan.case import Case
from bench.plan.record import RunRecord, command_line
from bench.plan.verdict import (
    BenchTrouble,
    ExpectationFailed,
    Inconclusive,
    Judgement,
    Verdict,
    judge,
    one_line,
    worst,
)
from bench.rules.finding import Finding, Rule
from bench.rules.transactions import is_transaction_event, transaction_id
from bench.timeline import Event, Timeline, now_ns

SAMPLE_WAIT_S = 1.0
TRANSACTION_END_WAIT_S = 1.5
"""How long a case waits after unplugging for its transaction to end, so that the next begins with a quiet
backend.
"""
LINK_WAIT_S = 5.0


class PlanRun:
    """The run in hand. `station` is an open Station; `broken` the first cause once the bench broke."""

    def __init__(self, station: Any, *, plans: list[str], defects: list[str]) -> None:
        self.station = station
        self.timeline: Timeline = station.timeline
        self.folder: Path = Path(station.run.path)
        self.broken: str | None = None
        self.start_ns = now_ns()
        self.record = RunRecord(
            self.folder / "run.json",
            run_id=self.folder.name,
            plans=plans,
            defects=defects,
            command=command_line(),
        )
        self.case: Case | None = None
        self.case_mark = self.timeline.mark()
        self._case_start_ns = self.start_ns
        self._run_events: list[Event] = []
        self._run_mark = 0
        self._findings: dict[str, list[Finding]] = defaultdict(list)
        self._judged: dict[str, list[str]] = defaultdict(list)
        self.record.add_trust(trust.backend(station))

    # -- cases
    # -------------------------------------------------------------------------------------------------

    def begin(self, case: Case) -> None:
        """Begin `case` on a quiet bench. Raises BenchTrouble, touching nothing, when the bench is broken."""
        self.case, self._case_start_ns = case, now_ns()
        self.case_mark = self.timeline.append(
            "plan", "case", case.id, {"phase": "begin", "title": case.title}
        ).seq
        if self.broken is not None:
            raise BenchTrouble(f"bench broke before: {self.broken}")
        self.check_health()
        csms = self.station.csms
        if csms is not None:
            csms.reset_behaviour()
            if not csms.connected:
                self._wait_for_link(csms)
        # A sample from before the plug goes in, so that voltage that comes too early is seen to rise.
        self.timeline.wait_for(lambda event: event.kind == "power", SAMPLE_WAIT_S, since=self.case_mark)

    def check_health(self) -> None:
        """Raise BenchTrouble when the bench has broken; from then on it stays broken."""
        if self.broken is None:
            self.broken = self.station.health()
            if self.broken is None:
                return
        raise BenchTrouble(self.broken)

    def lost(self, symptom: str) -> None:
        """An instrument that a case used fell silent: for good, and every later case stops for it."""
        self.station.lost(symptom)
        self.broken = self.broken or self.station.health() or symptom

    def health_judgement(self) -> Judgement | None:
        """`error` when the bench broke in this case, whatever else was seen of the charger; None while it is
        whole.
        """
        try:
            self.check_health()
        except BenchTrouble as trouble:
            return judge(trouble)
        return None

    def finish(self, judgements: Sequence[Judgement], log: str = "") -> tuple[Judgement, float]:
        """End the case: safe state, rules, record, run.json. Returns the verdict and the duration (s)."""
        case = self.case
        if case is None:
            raise RuntimeError("no case has begun")
        end_ns = now_ns()
        judgement = worst([*judgements, *self._quiet()])
        self.timeline.append(
            "plan",
            "case",
            case.id,
            {
                "phase": "end",
                "title": case.title,
                "verdict": str(judgement.verdict),
                "reason": judgement.reason,
            },
        )
        self.timeline.append(
            "plan", "verdict", case.id, {"verdict": str(judgement.verdict), "reason": judgement.reason}
        )
        events = self.timeline.since(self.case_mark)
        # What a rule sees of a bench that broke (no pilot, no voltage) says nothing of the charger.
        findings = [] if self.broken is not None else self._apply_rules(case, events)
        self.record.add(
            caserecord.case_record(
                case,
                judgement,
                events,
                run_start_ns=self.start_ns,
                start_ns=self._case_start_ns,
                end_ns=end_ns,
                findings=findings,
                log=log,
            )
        )
        self.record.add_trust(
            trust.shown(events, case.id, self._case_start_ns, getattr(self.station, "pki", None))
        )
        self.record.write()
        self.broken = self.broken or self.record.write_error
        self.case = None
        return judgement, (end_ns - self._case_start_ns) / 1e9

    def _quiet(self) -> list[Judgement]:
        # The bench goes to its safe state after every case; a bench that cannot is broken.
        if self.broken is not None:
            # The station went there when it broke; the case may have switched something on since.
            with contextlib.suppress(Exception):  # the cause is known already
                self.station.safe_state()
            return []
        try:
            self.station.safe_state()
            if self.station.csms is not None:
                self._wait_for_transactions()
            self.check_health()
        except BenchTrouble as trouble:  # it broke in the case: news of a killed process take a moment
            return [judge(trouble)]
        except Exception as error:
            self.broken = self.broken or one_line(str(error))
            return [Judgement(Verdict.ERROR, one_line(f"bench: after the case: {error}"))]
        return []

    def _wait_for_transactions(self) -> None:
        open_ids: dict[str, None] = {}
        for event in self.timeline.since(self.case_mark):
            if is_transaction_event(event):
                if event.data["payload"].get("eventType") == "Ended":
                    open_ids.pop(transaction_id(event), None)
                else:
                    open_ids[transaction_id(event)] = None
        for name in open_ids:
            self.timeline.wait_for(
                lambda event, name=name: (
                    is_transaction_event(event)  # type: ignore[misc]
                    and transaction_id(event) == name
                    and event.data["payload"].get("eventType") == "Ended"
                ),
                TRANSACTION_END_WAIT_S,
                since=self.case_mark,
            )

    def _wait_for_link(self, csms: Any) -> None:
        try:
            csms.wait_connected(timeout_s=LINK_WAIT_S)
        except Exception as error:  # the case that needs the backend says so itself (fixture `csms`)
            if judge(error).verdict is not Verdict.INCONCLUSIVE:
                raise

    # -- rules
    # -------------------------------------------------------------------------------------------------

    def _apply_rules(self, case: Case, events: list[Event]) -> list[Finding]:
        new = self.timeline.since(self._run_mark)
        self._run_mark += len(new)
        of_run = [rule for rule in rules.RULES if rule.scope == "run"]
        self._run_events += [event for event in new if event.kind in ("ocpp", "ocpp-link")]
        found: list[Finding] = []
        for rule in rules.RULES:
            material = self._run_events if rule in of_run else events
            if rule.applies(events):
                self._judged[rule.id].append(case.id)
            for finding in rule.check(material, case.deviates):
                known = any(
                    finding.seq == old.seq and finding.message == old.message
                    for old in self._findings[rule.id]
                )
                if finding.seq < self.case_mark or known:
                    continue
                mine = Finding(
                    finding.rule,
                    finding.severity,
                    finding.message,
                    finding.requirements,
                    finding.seq,
                    finding.t_ns,
                    case.id,
                )
                self._findings[rule.id].append(mine)
                found.append(mine)
                self.timeline.append("rules", "finding", rule.id, mine.as_data())
        return found

    def judge_rule(self, rule: Rule) -> None:
        """The verdict of a rule over all sessions so far: returns, or raises ExpectationFailed or
        Inconclusive.
        """
        failed = [finding for finding in self._findings[rule.id] if finding.severity == "fail"]
        if failed:
            cases = sorted({str(finding.case) for finding in failed})
            named = ", ".join(cases[:6]) + (f" and {len(cases) - 6} more" if len(cases) > 6 else "")
            count = f" ({len(failed)} findings)" if len(failed) > 1 else ""
            raise ExpectationFailed(f"{failed[0].message}, in {named}{count}")
        if not self._judged[rule.id]:
            raise Inconclusive("no session in this run gave anything to judge")

    def finish_rule(self, case: Case, judgement: Judgement) -> None:
        """Record the verdict of a rule."""
        self.timeline.append(
            "plan", "verdict", case.id, {"verdict": str(judgement.verdict), "reason": judgement.reason}
        )
        findings = self._findings[case.id]
        now = now_ns()
        entry = caserecord.case_record(
            case,
            judgement,
            [],
            run_start_ns=self.start_ns,
            start_ns=self.start_ns,
            end_ns=now,
            findings=findings,
        )
        entry["started_s"], entry["duration_s"] = round((now - self.start_ns) / 1e9, 4), 0.0
        judged = self._judged[case.id]
        entry["measurements"] = [_watched(judged)]
        entry["evidence"] = [
            {
                "file": "timeline.jsonl",
                "what": f"{one.case}: {one.message}",
                "lines": [one.seq + 1, one.seq + 1],
            }
            for one in findings[:50]
        ]
        if not findings and judged:
            entry["evidence"] = [
                {
                    "file": "timeline.jsonl",
                    "what": "every event of the run, watched without a finding",
                    "lines": [1, self._run_mark],
                }
            ]
        self.record.add(entry, rule=True)
        self.record.write()


def _watched(cases: Sequence[str]) -> dict[str, Any]:
    """How much a rule had to judge: a rule that passes over two sessions says less than one over seventy."""
    named = ", ".join(cases[:8]) + (f" and {len(cases) - 8} more" if len(cases) > 8 else "")
    return {
        "name": "cases watched",
        "value": len(cases),
        "unit": "",
        "low": None,
        "high": None,
        "outcome": "info",
        "limit_source": "",
        "confidence": "",
        "doc": named,
        "t_s": 0.0,
    }


def rule_case(rule: Rule) -> Case:
    """The metadata of a rule as a case, for the same tables."""
    return Case(
        rule.id,
        rule.title,
        rule.requirements,
        rule.defects,
        rule.source,
        rule.confidence,
        rule.areas,
        precondition="Sessions of this run, whatever the cases in them were for.",
        stimulus="None: the rule only watches, and looks away where the case deviates on purpose.",
        expected=rule.expected,
        group="rules",
        nodeid=f"rules::{rule.id}",
    )

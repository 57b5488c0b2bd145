"""The record of one case in run.json: its metadata, its verdict and what its slice of the timeline shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.plan import attenuation, ladder
from bench.plan.case import Case
from bench.plan.verdict import Judgement, Verdict
from bench.rules.finding import Finding
from bench.timeline import Event

MAX_LOG = 6000


def case_record(
    case: Case,
    judgement: Judgement,
    events: Sequence[Event],
    *,
    run_start_ns: int,
    start_ns: int,
    end_ns: int,
    findings: Sequence[Finding] = (),
    log: str = "",
) -> dict[str, Any]:
    """The entry of `cases` (or `rules`) for a case whose slice of the timeline is `events`; shape in
    docs/internals.md.
    """
    record = case.as_json()
    record["requirements"] = record.pop("requirements")
    record |= {
        "verdict": str(judgement.verdict),
        "reason": judgement.reason,
        "started_s": round((start_ns - run_start_ns) / 1e9, 4),
        "duration_s": round((end_ns - start_ns) / 1e9, 4),
        "steps": steps(events, start_ns, end_ns),
        "measurements": [_measurement(event, start_ns) for event in events if event.kind == "measurement"],
        "expectations": [_expectation(event, start_ns) for event in events if event.kind == "expect"],
        "findings": [finding_record(finding, start_ns) for finding in findings],
        "session": ladder.session(events, start_ns),
        "attenuation": attenuation.pictures(events, start_ns),
        "evidence": evidence(events),
        "log": ladder.cut(log[-MAX_LOG:], MAX_LOG)
        if judgement.verdict in (Verdict.FAIL, Verdict.ERROR)
        else "",
    }
    return record


def steps(events: Sequence[Event], start_ns: int, end_ns: int) -> list[dict[str, Any]]:
    """The steps of a case: those of its (longest) handshake, else what plan and EV named, and SLAC; one
    without a duration of its own lasts until the next begins.
    """
    handshakes = [event.data["steps"] for event in events if event.kind == "handshake"]
    if handshakes:
        longest = max(handshakes, key=len)
        return [
            {
                "name": step["name"],
                "t_s": round((step["end_ns"] - start_ns) / 1e9 - step["duration_s"], 4),
                "duration_s": round(step["duration_s"], 4),
                "limit_s": None,
            }
            for step in longest
        ]
    marks = [event for event in events if event.kind == "step"]
    ends = {event.name: event.data.get("duration_s") for event in events if event.kind == "step-end"}
    found = []
    for index, event in enumerate(marks):
        after_ns = marks[index + 1].t_ns if index + 1 < len(marks) else end_ns
        duration = event.data.get("duration_s", ends.get(event.name))
        found.append(
            {
                "name": event.name,
                "t_s": _t(event, start_ns),
                "duration_s": round(float(duration), 4)
                if duration is not None
                else round((after_ns - event.t_ns) / 1e9, 4),
                "limit_s": event.data.get("limit_s"),
            }
        )
    return sorted([*found, *_matching(events, start_ns)], key=lambda step: float(step["t_s"]))


def _matching(events: Sequence[Event], start_ns: int) -> list[dict[str, Any]]:
    """The steps of SLAC, as the car took them."""
    return [
        {
            "name": f"{event.name}: {event.data['outcome']}",
            "t_s": round(_t(event, start_ns) - event.data["duration_s"], 4),
            "duration_s": round(event.data["duration_s"], 4),
            "limit_s": event.data.get("limit_s"),
        }
        for event in events
        if event.kind == "slac" and event.data.get("step") and "outcome" in event.data
    ]


def evidence(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Where the proof lies: lines of timeline.jsonl (an event's line is its seq + 1), other records."""
    if not events:
        return []
    first, last = events[0].seq + 1, events[-1].seq + 1
    found: list[dict[str, Any]] = [
        {"file": "timeline.jsonl", "what": "every event of this case", "lines": [first, last]}
    ]
    if any(event.kind == "ocpp" for event in events):
        found.append({"file": "ocpp.jsonl", "what": "OCPP frames, raw", "lines": None})
    if any(event.kind in ("v2g", "sdp", "tls", "slac") for event in events):
        found.append({"file": "capture.pcapng", "what": "frames between EV and charger", "lines": None})
    if any(event.kind == "tls" and event.name == "handshake" for event in events):
        found.append({"file": "tls.keylog", "what": "session keys, to read the capture", "lines": None})
    return found


def finding_record(finding: Finding, start_ns: int) -> dict[str, Any]:
    """A finding as it stands in run.json."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "requirements": list(finding.requirements),
        "case": finding.case,
        "t_s": round((finding.t_ns - start_ns) / 1e9, 4),
    }


def _t(event: Event, start_ns: int) -> float:
    return round((event.t_ns - start_ns) / 1e9, 4)


def _measurement(event: Event, start_ns: int) -> dict[str, Any]:
    keys = ("value", "unit", "low", "high", "outcome", "limit_source", "confidence", "doc")
    return {"name": event.name, **{key: event.data.get(key) for key in keys}, "t_s": _t(event, start_ns)}


def _expectation(event: Event, start_ns: int) -> dict[str, Any]:
    keys = ("outcome", "actual", "expected")
    return {"text": event.name, **{key: event.data.get(key) for key in keys}, "t_s": _t(event, start_ns)}

"""What a capture shows: the verdict in words, its sessions, and what else is to be known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bench.report import clean
from bench.report.model import Case, Run

Level = Literal["ready", "pilot", "not-ready"]
MOST_REASONS = 12
CAPTURE_RULE = "capture"
EV_PREFIX = "EV: "
CHARGER_PREFIX = "charger: "


@dataclass(frozen=True)
class Remark:
    """Something that decides no verdict, with the sessions that show it; `count` is how often."""

    severity: str
    rule: str
    message: str
    cases: tuple[Case, ...]
    count: int


@dataclass(frozen=True)
class Shown:
    """The top of the page. `level` gives the colour as of a readiness verdict."""

    level: Level
    word: str
    headline: str
    reasons: tuple[str, ...]
    counts: dict[str, int]
    charger: tuple[Remark, ...]
    ev: tuple[Remark, ...]
    capture: tuple[Remark, ...]


def assess(run: Run) -> Shown:
    """What a capture shows, in words. Nothing of readiness: a capture is what happened, and no test."""
    cases = run.cases
    counts = {verdict: sum(case.verdict == verdict for case in cases) for verdict in ("pass", "fail")}
    counts["inconclusive"] = sum(case.verdict not in ("pass", "fail") for case in cases)
    remarks = _remarks(cases)
    level: Level = "pilot"
    if counts["fail"]:
        level, word = "not-ready", "The charger failed"
    elif not cases:
        word = "Nothing to judge"
    elif counts["inconclusive"]:
        word = "No failure seen"
    else:
        level, word = "ready", "Nothing wrong is seen"
    return Shown(
        level,
        word,
        _headline(counts, len(cases)),
        tuple(_reasons(cases)),
        counts,
        tuple(each for each in remarks if _subject(each) == "charger"),
        tuple(each for each in remarks if _subject(each) == "EV"),
        tuple(each for each in remarks if _subject(each) == "capture"),
    )


def _subject(each: Remark) -> str:
    if each.message.startswith(EV_PREFIX):
        return "EV"
    if each.rule != CAPTURE_RULE or each.message.startswith(CHARGER_PREFIX):
        return "charger"
    return "capture"


def _headline(counts: dict[str, int], total: int) -> str:
    if not total:
        return "This capture holds no SLAC matching, no SDP and no V2G session."
    sessions = f"{total} sessions" if total > 1 else "1 session"
    parts = []
    if counts["fail"]:
        parts.append(f"{counts['fail']} of {sessions} failed by what the charger did.")
    if counts["inconclusive"]:
        were = "was" if counts["inconclusive"] == 1 else "were"
        of = f" of {sessions}" if not parts else ""
        parts.append(
            f"{counts['inconclusive']}{of} {were} not judged to the end: what the EV did or what the capture "
            "lacks leaves it open."
        )
    if not parts:
        every = f"Each of the {sessions}" if total > 1 else "The session"
        parts.append(f"{every} came to its end in order, in time, and without a refusal.")
    return " ".join(parts)


def _reasons(cases: Iterable[Case]) -> list[str]:
    """The reasons of the sessions that did not pass, each once, those of failures first."""
    found: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        if case.verdict != "pass" and case.reason:
            found.setdefault((case.verdict, case.reason), []).append(case.id)
    ordered = sorted(found.items(), key=lambda pair: pair[0][0] != "fail")
    lines = [f"{reason} ({', '.join(ids[:6])}{_more(ids)})" for (_, reason), ids in ordered]
    if len(lines) > MOST_REASONS:
        lines[MOST_REASONS:] = [f"and {len(lines) - MOST_REASONS} more reasons, with the sessions"]
    return lines


def _more(ids: list[str]) -> str:
    return f" and {len(ids) - 6} more" if len(ids) > 6 else ""


def _remarks(cases: Iterable[Case]) -> list[Remark]:
    """Warnings before notes; the same message of several sessions is one remark."""
    found: dict[tuple[str, str, str], list[Case]] = {}
    for case in cases:
        for each in case.findings:
            if each.severity != "fail" and each.message != case.reason:
                found.setdefault((each.severity, each.rule, each.message), []).append(case)
    remarks = [
        Remark(
            severity,
            clean.text(rule, 80),
            message,
            tuple({case.id: case for case in where}.values()),
            len(where),
        )
        for (severity, rule, message), where in found.items()
    ]
    return sorted(remarks, key=lambda each: each.severity != "warning")

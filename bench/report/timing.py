"""The handshake as bars against its budget."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.report import clean
from bench.report.model import Case, Run


@dataclass(frozen=True)
class Bar:
    """One step: `left` and `width` in percent of the longer of budget and whole."""

    name: str
    t_s: float
    duration_s: float | None
    limit_s: float | None
    left: float
    width: float

    @property
    def late(self) -> bool:
        """True when the step took longer than its own limit."""
        return self.duration_s is not None and self.limit_s is not None and self.duration_s > self.limit_s


@dataclass(frozen=True)
class Timing:
    """Bars in order of time; `budget_at` is the budget in percent of the axis, `slowest` the name of the
    longest step."""

    case: Case
    bars: tuple[Bar, ...]
    total_s: float
    budget_s: float | None
    budget_at: float | None
    axis_s: float
    source: str
    confidence: str

    @property
    def within(self) -> bool | None:
        """True/False against the budget, None without one."""
        return None if self.budget_s is None else self.total_s <= self.budget_s

    @property
    def slowest(self) -> str:
        """Name of the longest step."""
        return max(self.bars, key=lambda bar: bar.duration_s or 0.0).name


def of(run: Run) -> Timing | None:
    """Return the timing of the handshake case with most steps, or None where no case recorded any.

    The budget is the upper limit of a measurement in seconds that names the handshake, else the one in the
    bench file.
    """
    with_steps = [case for case in run.cases if len(case.steps) >= 2]
    handshakes = [
        case
        for case in with_steps
        if case.group == "handshake" or _budget_of(case)[0] is not None or run.is_capture
    ]
    if not handshakes:
        return None
    case = max(handshakes, key=lambda each: (_budget_of(each)[0] is not None, len(each.steps)))
    measured_s, budget_s, source, confidence = _measured(case, run)
    start_s = min(step.t_s for step in case.steps)
    end_s = max(step.t_s + (step.duration_s or 0.0) for step in case.steps)
    total_s = measured_s if measured_s is not None else end_s - start_s
    axis_s = max(end_s - start_s, total_s, budget_s or 0.0) * 1.04 or 1.0
    bars = tuple(
        Bar(
            step.name,
            step.t_s - start_s,
            step.duration_s,
            step.limit_s,
            (step.t_s - start_s) / axis_s * 100,
            (step.duration_s or 0.0) / axis_s * 100,
        )
        for step in sorted(case.steps, key=lambda each: each.t_s)[:40]
    )
    budget_at = None if budget_s is None else budget_s / axis_s * 100
    return Timing(case, bars, total_s, budget_s, budget_at, axis_s, source, confidence)


def _budget_of(case: Case) -> tuple[float | None, float | None, str, str]:
    for each in case.measurements:
        if "handshake" in each.name.lower() and each.unit == "s" and each.high is not None:
            value = each.value if isinstance(each.value, float) else None
            return each.high, value, each.limit_source, each.confidence
    return None, None, "", ""


def _measured(case: Case, run: Run) -> tuple[float | None, float | None, str, str]:
    budget_s, measured_s, source, confidence = _budget_of(case)
    if budget_s is None:
        budget_s = _first(
            clean.number(value)
            for key, value in clean.mapping(run.bench.get("timing")).items()
            if "handshake" in str(key).lower()
        )
        source = "bench file" if budget_s is not None else ""
    return measured_s, budget_s, source, confidence


def _first(values: Iterable[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)

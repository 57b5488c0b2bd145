"""Measurements: declared with name, unit, limits and where the limits come from.

```python
measure("handshake total", total_s, unit="s", high=5.0, limit="bench file: timing.handshake_budget_s")
measure("PaymentDetailsRes", rtt_s, high=timers.get("iso2.PaymentDetails.timeout"))
```
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

from bench.plan.verdict import ExpectationFailed
from bench.timeline import Timeline


@runtime_checkable
class LimitLike(Protocol):
    """A limit with its origin, as `bench.v2g.timers.get` gives it."""

    @property
    def value(self) -> float: ...
    @property
    def unit(self) -> str: ...
    @property
    def source(self) -> object: ...
    @property
    def confidence(self) -> str: ...


class Measure:
    """The `measure` of a plan; each call is one `measurement` event."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def __call__(
        self,
        name: str,
        value: float | None,
        *,
        unit: str = "",
        low: float | LimitLike | None = None,
        high: float | LimitLike | None = None,
        limit: str = "",
        confidence: str = "source",
        doc: str = "",
    ) -> float:
        """Record `value` and hold it against its limits (inclusive); returns it.

        `low` and `high` are numbers, with `limit` saying where they come from and `confidence` how sure that
        is, or limits that carry both. Without limits the measurement is for information. A limit that is a
        mere recollection (confidence `memory`) is shown with that word and does not decide: outside it the
        outcome is `info`.

        Raises ExpectationFailed when the value is outside a limit that decides, is missing (None) or not
        finite.
        """
        low_value, high_value = _number(low), _number(high)
        for bound in (low, high):
            if isinstance(bound, LimitLike):
                limit, confidence, unit = limit or _source(bound), bound.confidence, unit or bound.unit
        usable = value is not None and math.isfinite(value)
        inside = usable and _inside(value, low_value, high_value)
        limited = low_value is not None or high_value is not None
        decides = limited and confidence != "memory"
        outcome = (
            "fail" if not usable or (decides and not inside) else "pass" if limited and inside else "info"
        )
        self._timeline.append(
            "plan",
            "measurement",
            name,
            {
                "value": value if usable else None,
                "unit": unit,
                "low": low_value,
                "high": high_value,
                "outcome": outcome,
                "limit_source": limit,
                "confidence": confidence if limited else "",
                "doc": doc,
            },
        )
        if outcome == "fail" or value is None:
            seen = f"{value:.4g} {unit}".strip() if usable and value is not None else "not measured"
            raise ExpectationFailed(f"{name}: {seen}, limit {describe(low_value, high_value, unit)}")
        return value


def describe(low: float | None, high: float | None, unit: str) -> str:
    """The limits in words: `at most 5 s`, `10 to 20 V`."""
    if low is not None and high is not None:
        return f"{low:g} to {high:g} {unit}".strip()
    if high is not None:
        return f"at most {high:g} {unit}".strip()
    return f"at least {low:g} {unit}".strip() if low is not None else "none"


def _inside(value: float | None, low: float | None, high: float | None) -> bool:
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _number(bound: float | LimitLike | None) -> float | None:
    if bound is None:
        return None
    return float(bound.value) if isinstance(bound, LimitLike) else float(bound)


def _source(bound: LimitLike) -> str:
    source = bound.source
    return (
        source
        if isinstance(source, str)
        else ", ".join(map(str, source))
        if isinstance(source, list | tuple)
        else str(source)
    )

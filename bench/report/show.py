"""Numbers and texts as they are printed."""

from __future__ import annotations

from datetime import UTC

from bench.report import clean
from bench.report.model import Case, Exchange, Expectation, Measurement
from bench.report.support import refusal, refused_as_expected

FROM_MEMORY = ("memory", "recollection", "recalled", "assumed", "unverified", "guess")
"""Confidences (or parts of them) that mean: not checked against the document itself."""

VERDICT_MARKS = {"pass": "✓", "fail": "✕", "inconclusive": "?", "error": "!", "not run": "–"}
_NO_NEWS = ("True", "None", "[]", "{}", "", "answered")
_STEP_WORDS = {"sdp": "SDP", "tls": "TLS", "req": "request", "res": "response"}
STATE_MARKS = {"met": "✓", "not met": "✕", "open": "○"}


def seconds(value: object) -> str:
    """A duration: `3 ms`, `0.142 s`, `12.3 s`, `4 min 05 s`; "–" for None."""
    if not isinstance(value, int | float):
        return "–"
    if value < 0:
        return f"{value:.3f} s"
    if value < 0.0995:
        return f"{value * 1000:.0f} ms" if value >= 0.001 or value == 0 else "< 1 ms"
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    if value < 7200:
        return f"{int(value // 60)} min {int(value % 60):02d} s"
    return f"{int(value // 3600)} h {int(value % 3600 // 60):02d} min"


def number(value: object) -> str:
    """A value with three or four significant digits; "–" for None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or abs(value) < 1e-4:
        return f"{value:.3g}"
    if float(value).is_integer():
        return f"{int(value)}"
    if abs(value) >= 1000:
        return f"{value:.1f}"
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3g}"


def limits(each: Measurement) -> str:
    """`≤ 2 s`, `≥ 4.5 %`, `4.5 to 5.5 %`, or "" without limits."""
    unit = f" {each.unit}" if each.unit else ""
    if each.low is not None and each.high is not None:
        return f"{number(each.low)} to {number(each.high)}{unit}"
    if each.high is not None:
        return f"≤ {number(each.high)}{unit}"
    return f"≥ {number(each.low)}{unit}" if each.low is not None else ""


def value(each: Measurement) -> str:
    """Value with its unit; times below a tenth of a second in ms, what is nothing beside its limit as 0."""
    if isinstance(each.value, float):
        if each.unit == "s" and 0 < each.value < 0.1:
            return f"{number(float(f'{each.value * 1000:.3g}'))} ms"
        beside = max((abs(bound) for bound in (each.low, each.high) if bound is not None), default=0.0)
        if 0 < abs(each.value) < beside / 10_000:
            return f"≈ 0 {each.unit}".strip()
    return f"{number(each.value)} {each.unit}".strip()


def key_measurement(measurements: tuple[Measurement, ...]) -> Measurement | None:
    """The one worth a place in the matrix: one that failed, else the first with a limit, else the first."""
    failed = (each for each in measurements if each.outcome == "fail")
    limited = (each for each in measurements if limits(each))
    return next(failed, None) or next(limited, None) or next(iter(measurements), None)


def key_expectation(case: Case) -> Expectation | None:
    """The one worth a place in the matrix: one that was not met, else one that names a refusal, else the
    first.
    """
    missed = (each for each in case.expectations if each.outcome not in {"pass", ""})
    refusals = (each for each in case.expectations if each.actual.startswith("FAILED"))
    telling = (each for each in case.expectations if telling_actual(each))
    return (
        next(missed, None)
        or next(refusals, None)
        or next(telling, None)
        or next(iter(case.expectations), None)
    )


def telling_actual(each: Expectation) -> str:
    """The actual value where it says more than that the expectation was met, else ""."""
    return "" if each.actual in _NO_NEWS and each.outcome == "pass" else each.actual


def step(name: str) -> str:
    """A step as a person reads it: `tls_handshake` -> `TLS handshake`; other names stay as they are."""
    if "_" not in name or name != name.lower():
        return name
    words = [_STEP_WORDS.get(word, word) for word in name.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def group(name: str) -> str:
    """A group as a heading: `contract_faults` -> `Contract faults`, `tls` -> `TLS`."""
    return step(name) if "_" in name else _STEP_WORDS.get(name, name[:1].upper() + name[1:])


def when(moment: object) -> str:
    """A point in time to the minute: `2026-11-22 19:26 UTC`; what is none stays as it is."""
    found = clean.moment(moment)
    return clean.text(moment, 60) if found is None else f"{found.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def from_memory(confidence: str) -> bool:
    """True where a limit or requirement was not checked against its document."""
    plain = confidence.lower()
    return any(word in plain for word in FROM_MEMORY)


def confidence(word: str) -> str:
    """How sure a limit is, for readers: `source2` becomes "two sources"; what is in words stays as it is."""
    return {"source2": "two sources", "source": "one source"}.get(word, word)


MARKS = {"bad": "✕ ", "refused": "⊘ ", "changed": "▲ "}
"""What stands before the name of an exchange, so that its tone is no matter of colour alone."""


def tone(exchange: Exchange, case: Case) -> str:
    """How an exchange is painted: `bad` with a problem or a refusal, `refused` when the case was after just
    that, `changed` where the EV deviates on purpose, else its layer.
    """
    if case.verdict == "fail" and exchange.index in _offending(case):
        return "bad"
    if exchange.problem or refusal(exchange) or exchange.summary.startswith("CALLERROR"):
        return "refused" if refused_as_expected(exchange, case) else "bad"
    if exchange.summary.startswith("deviation:"):
        return "changed"
    return exchange.layer if exchange.layer in {"cp", "slac", "sdp", "tcp", "tls", "v2g", "ocpp"} else "bench"


def _offending(case: Case) -> set[int]:
    """The exchanges that a missed expectation names by its first word (`AuthorizationRes is a refusal`): the
    last of that name before it was judged.
    """
    found: set[int] = set()
    for each in case.expectations:
        name = each.text.partition(" ")[0]
        if each.outcome == "fail" and name.endswith("Res"):
            before = [
                one.index
                for one in case.exchanges
                if one.name == name and (each.t_s is None or one.t_s <= each.t_s)
            ]
            found.update(before[-1:])
    return found


def plain(value: object, depth: int = 0) -> str:
    """Nested values as a line of text: `voltage_v 500, current_a 125`; None and empty values are left out."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if depth > 4 or not isinstance(value, dict | list):
        return clean.text(value, 2000)
    if isinstance(value, dict):
        parts = [(clean.text(key, 100), plain(each, depth + 1)) for key, each in value.items()]
        joined = ", ".join(f"{key} {text}" for key, text in parts if text)
    else:
        joined = ", ".join(text for text in (plain(each, depth + 1) for each in value) if text)
    return f"({joined})" if depth and joined else joined

"""Timers and limits by name, each with its source: the figures that verdicts compare with.

The data is `timers.toml` beside this module. A limit is looked up, never written into a test, so that the
report can print value, source, confidence and requirement ids beside the measurement.
"""

from __future__ import annotations

import contextlib
import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

Confidence = Literal["source2", "source", "memory"]
_DIRECTIONS = ("Req", "Res")


@dataclass(frozen=True)
class Limit:
    """One timer or limit. `value` in `unit`; a window has `minimum` and `maximum`, and `value` is its
    maximum.

    `confidence`: "source2" (two public sources), "source" (one), "memory" (check the standard before a
    verdict).
    """

    name: str
    value: float
    unit: str
    source: str
    confidence: Confidence
    requirements: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-able form for reports; leaves out what is empty."""
        fields: dict[str, Any] = {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "source": self.source,
            "confidence": self.confidence,
            "requirements": list(self.requirements),
            "minimum": self.minimum,
            "maximum": self.maximum,
            "note": self.note,
        }
        return {key: value for key, value in fields.items() if value not in (None, [], "")}


def _parse(name: str, entry: dict[str, Any]) -> Limit:
    minimum, maximum = entry.get("min"), entry.get("max")
    return Limit(
        name=name,
        value=float(entry["value"] if "value" in entry else entry["max"]),
        unit=str(entry["unit"]),
        source=str(entry["source"]),
        confidence=entry["confidence"],
        requirements=tuple(entry.get("requirements", ())),
        minimum=None if minimum is None else float(minimum),
        maximum=None if maximum is None else float(maximum),
        note=str(entry.get("note", "")),
    )


@functools.cache
def load() -> dict[str, Limit]:
    """All limits by name."""
    text = resources.files("bench.v2g").joinpath("timers.toml").read_text(encoding="utf-8")
    return {name: _parse(name, entry) for name, entry in tomllib.loads(text).items()}


_overrides: dict[str, Limit] = {}


@contextlib.contextmanager
def overridden(values: Mapping[str, float], source: str) -> Iterator[None]:
    """Within this, the named limits have other values, and `source` (the bench file) as where they come from.

    The lab has decided on such a value, so it decides verdicts like a sourced one. Raises KeyError for an
    unknown name.
    """
    changed = {
        name: replace(
            get(name),
            value=value,
            maximum=None if get(name).maximum is None else value,
            source=source,
            confidence="source",
            note=f"instead of {get(name).value:g} ({get(name).source})",
        )
        for name, value in values.items()
    }
    before = dict(_overrides)
    _overrides.update(changed)
    try:
        yield
    finally:
        _overrides.clear()
        _overrides.update(before)


def get(name: str) -> Limit:
    """The limit called `name`, e.g. "iso2.SessionSetup.secc_performance"; raises KeyError with near names."""
    if name in _overrides:
        return _overrides[name]
    limits = load()
    try:
        return limits[name]
    except KeyError:
        stem = name.rpartition(".")[0] or name.partition(".")[0]
        near = [each for each in limits if each.startswith(stem)][:5]
        hint = f"; known are {', '.join(near)}" if near else ""
        raise KeyError(f"no timer {name!r}{hint}") from None


def _message(protocol: str, message: str, kind: str) -> Limit:
    stem = message
    if stem.endswith(_DIRECTIONS):
        stem = stem[:-3]
    # The -20 table has one default for nearly every message.
    exact = f"{protocol}.{stem}.{kind}"
    return get(
        exact
        if exact in load() or f"{protocol}.default.{kind}" not in load()
        else f"{protocol}.default.{kind}"
    )


def message_timeout(protocol: str, message: str) -> Limit:
    """How long the EV waits for the answer to `message` ("SessionSetupReq" or "SessionSetup"): an error
    limit.

    `protocol` is "iso2", "iso20" or "din". Raises KeyError for an unknown message.
    """
    return _message(protocol, message, "evcc_timeout")


def performance(protocol: str, message: str) -> Limit:
    """How soon the charger shall answer: a finding when exceeded. Raises KeyError like `message_timeout`."""
    return _message(protocol, message, "secc_performance")

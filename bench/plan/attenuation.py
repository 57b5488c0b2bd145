"""SLAC attenuation per group as it stands in CM_ATTEN_CHAR.IND: for the plot on the page of a case.

Reads `slac` events, live or of a capture; one picture for each EVSE that answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.timeline import Event
from bench.v2g import timers

MAX_PICTURES = 16
MAX_GROUPS = 255
_LIMITS = (("direct_db", "found"), ("indirect_db", "potentially found"))


def pictures(events: Iterable[Event], start_ns: int) -> list[dict[str, Any]]:
    """The `attenuation` of a case in run.json: for each EVSE its last CM_ATTEN_CHAR.IND, at most
    `MAX_PICTURES`; groups in dB, average over the groups, thresholds with their source.
    """
    last: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.kind != "slac" or event.name != "CM_ATTEN_CHAR.IND":
            continue
        picture = _picture(event, start_ns)
        if picture is not None and (picture["evse"] in last or len(last) < MAX_PICTURES):
            last[picture["evse"]] = picture
    return list(last.values())


def average_db(groups: list[float]) -> float:
    """The mean over the groups, which is what an EV compares with its thresholds."""
    return sum(groups) / len(groups)


def _picture(event: Event, start_ns: int) -> dict[str, Any] | None:
    fields = event.data.get("fields")
    fields = fields if isinstance(fields, dict) else event.data
    groups = fields.get("aag")
    if isinstance(groups, str):
        try:
            groups = list(bytes.fromhex(groups))
        except ValueError:
            return None
    if not isinstance(groups, list | tuple):
        return None
    values = [float(each) for each in groups[:MAX_GROUPS] if isinstance(each, int | float)]
    if not values:
        return None
    return {
        "t_s": round((event.t_ns - start_ns) / 1e9, 4),
        "evse": str(event.data.get("src") or fields.get("evse_mac") or ""),
        "ev": str(event.data.get("dst") or fields.get("source_address") or ""),
        "sounds": fields.get("num_sounds"),
        "groups_db": values,
        "average_db": round(average_db(values), 4),
        "thresholds": [
            {"name": name, "meaning": meaning, "db": limit.value, "source": limit.source,
             "confidence": limit.confidence}
            for name, meaning in _LIMITS
            if (limit := timers.get(f"slac.{name}"))
        ],
    }  # fmt: skip

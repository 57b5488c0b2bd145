"""Frames and link events as lines for people."""

from __future__ import annotations

import json
from typing import Any

from bench.timeline import Event

MAX_PAYLOAD_CHARACTERS = 160


def line(event: Event, epoch_ns: int) -> str | None:
    """One line for an `ocpp`, `ocpp-link` or `backend` event, with seconds since `epoch_ns`; None for
    others."""
    time_s = (event.t_ns - epoch_ns) / 1e9
    data = event.data
    if event.kind == "ocpp":
        arrow = "<-" if data["dir"] == "rx" else "->"
        problem = f"  ! {data['problem']}" if data.get("problem") else ""
        return _clean(
            f"{time_s:9.3f} {arrow} {data['charger']} {data['type']} {event.name} {_brief(data)}{problem}"
        )
    if event.kind == "ocpp-link":
        reason = f": {data['reason']}" if data.get("reason") else ""
        return _clean(f"{time_s:9.3f} == {data.get('charger') or '(nobody)'} {event.name}{reason}")
    if event.kind == "backend":
        return _clean(f"{time_s:9.3f} ** {event.name} {json.dumps(data) if data else ''}")
    return None


def _brief(data: dict[str, Any]) -> str:
    payload = data.get("payload")
    text = data.get("raw", "") if payload is None else json.dumps(payload, ensure_ascii=False)
    return text if len(text) <= MAX_PAYLOAD_CHARACTERS else text[:MAX_PAYLOAD_CHARACTERS] + "..."


def _clean(text: str) -> str:
    # What came from the wire must not steer the terminal.
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text).rstrip()

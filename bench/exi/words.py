"""Events of a grammar in words, for errors."""

from __future__ import annotations

from bench.exi import grammar as g

MAX_NAMED = 8
"""Most events named in one error: a Body has 35 and more."""


def describe(event: g.Event) -> str:
    """An event in words."""
    if event.kind == g.SE:
        return str(event.data.name)
    if event.kind == g.AT:
        return f"attribute {event.data[1]}"
    return {g.EE: "the end", g.CH: "a value", g.CH_MIXED: "text", g.SE_ANY: "any element"}.get(
        event.kind, "anything"
    )


def allowed(events: list[g.Event]) -> str:
    """What may come next: "SessionID, Notification or the end"."""
    names = [describe(e) for e in events]
    if len(names) > MAX_NAMED:
        names = [*names[:MAX_NAMED], f"{len(names) - MAX_NAMED} others"]
    if len(names) < 2:
        return "".join(names) or "nothing"
    return f"{', '.join(names[:-1])} or {names[-1]}"

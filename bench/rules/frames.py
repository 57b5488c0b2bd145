"""RUL-08: every OCPP frame of the charger is valid, and it has one call outstanding at most."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a frame that the CSMS marked (`problem`), or a CALL while another of the same link is unanswered.

    With `deviates` "ocpp" (the case made the backend misbehave) outstanding calls are not judged: a charger
    may go on after its own timeout.
    """
    found = Finder(RULE.id, RULE.requirements)
    outstanding: dict[object, Event] = {}
    for event in events:
        data = event.data
        link = data.get("link")
        if event.kind == "ocpp-link":
            outstanding.pop(link, None)
        if event.kind != "ocpp":
            continue
        if data.get("dir") == "tx":
            waiting = outstanding.get(link)
            if (
                data.get("type") != "CALL"
                and waiting is not None
                and waiting.data.get("id") == data.get("id")
            ):
                outstanding.pop(link)
            continue
        if data.get("problem"):
            found.fail(event, f"{event.name} {data.get('type') or 'frame'}: {str(data['problem'])[:300]}")
        if data.get("type") != "CALL":
            continue
        waiting = outstanding.get(link)
        if waiting is not None and "ocpp" not in deviates:
            found.fail(event, f"{event.name} was sent while {waiting.name} was unanswered", "OCPP-J 4.1.1")
        outstanding[link] = event
    return found.findings


def _is_subject(event: Event) -> bool:
    return event.kind == "ocpp" and event.data.get("dir") == "rx"


RULE = Rule(
    id="RUL-08",
    title="OCPP frames are valid, one call at a time",
    expected="Every frame of the charger fits its schema, and it never has two calls outstanding.",
    requirements=("OCPP-J 4.1.1", "OCPP-J 4.1.5"),
    source="OCPP 2.0.1 part 4, 4.1",
    confidence="source",
    defects=("ocpp-invalid-payload",),
    areas=("backend",),
    subject=_is_subject,
    check=check,
)

"""RUL-03: the session id is not zero and stays the same for the session."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import code, conversations, foreign, is_request, is_response
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: SessionSetupRes with id 0, another id in a later response, a joined session under another id.

    A foreign car that sends another id than it was given is told as such; what is answered to it is not
    judged.
    """
    found = Finder(RULE.id, RULE.requirements)
    if "session-id" in deviates:
        return found.findings
    for conversation in conversations(events):
        given: str | None = None
        asked = ""
        for event in conversation.messages:
            seen = str(event.data.get("session_id") or "").lower()
            if is_request(event):
                if foreign(event) and given is not None and seen != given:
                    found.observe(event, f"{event.name} carries session id {seen or 'nothing'}, not {given}")
                asked = seen
            elif event.name == "SessionSetupRes":
                if not seen.strip("0"):
                    found.fail(event, f"SessionSetupRes carries session id {seen or 'nothing'}")
                elif code(event) == "OK_OldSessionJoined" and asked.strip("0") and seen != asked:
                    found.fail(event, f"joined session {asked}, yet the answer carries {seen}")
                given = seen
            elif foreign(event) and asked != given:
                continue
            elif given is not None and seen != given:
                found.fail(
                    event, f"{event.name} carries session id {seen or 'nothing'}, the session is {given}"
                )
                given = seen  # one finding for one change
    return found.findings


def _is_subject(event: Event) -> bool:
    return is_response(event) and event.name == "SessionSetupRes"


RULE = Rule(
    id="RUL-03",
    title="The session id is not zero and does not change",
    expected="SessionSetupRes gives an id other than 0 and every later response carries it.",
    requirements=("V2G2-750", "V2G2-753"),
    source="ISO 15118-2 session handling; FB-11",
    confidence="memory",
    defects=("session-id-changes",),
    areas=("charger",),
    subject=_is_subject,
    check=check,
)

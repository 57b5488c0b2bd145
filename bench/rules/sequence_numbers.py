"""RUL-06: the events of a transaction are numbered without gaps, Started first, one Ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from bench.rules.finding import Finder, Finding, Rule
from bench.rules.transactions import is_transaction_event, transactions
from bench.timeline import Event


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: seqNo that is not one more than before, a first event other than Started or seqNo 0, anything
    after Ended.

    Events that were queued while offline may arrive late; they are put in their order by seqNo first.
    """
    found = Finder(RULE.id, RULE.requirements)
    for name, all_events in transactions(events).items():
        queued = any(event.data["payload"].get("offline") for event in all_events)
        ordered = sorted(all_events, key=_number) if queued else all_events
        first = ordered[0].data["payload"]
        if first.get("eventType") != "Started":
            found.fail(ordered[0], f"transaction {name} begins with {first.get('eventType')}, not Started")
        elif _number(ordered[0]) != 0:
            found.fail(ordered[0], f"transaction {name} begins with seqNo {first.get('seqNo')}, not 0")
        for before, after in pairwise(ordered):
            kind = after.data["payload"].get("eventType")
            if before.data["payload"].get("eventType") == "Ended":
                found.fail(after, f"transaction {name}: {kind} after Ended")
            elif _number(after) != _number(before) + 1:
                text = f"transaction {name}: seqNo {_number(before)} is followed by {_number(after)}"
                found.fail(after, text)
            elif kind == "Started":
                found.fail(after, f"transaction {name} is started twice")
    return found.findings


def _number(event: Event) -> int:
    number = event.data["payload"].get("seqNo")
    return number if isinstance(number, int) else -1


RULE = Rule(
    id="RUL-06",
    title="Transaction events are numbered without gaps",
    expected="seqNo 0, 1, 2, ...; Started first; nothing after the one Ended.",
    requirements=("E01", "E02", "E03"),
    source="OCPP 2.0.1 E01-E03; frames recorded from real chargers repeat seqNo 0",
    confidence="source",
    defects=("ocpp-seqno-repeats",),
    areas=("backend",),
    subject=is_transaction_event,
    check=check,
    scope="run",
)

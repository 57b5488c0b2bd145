"""RUL-02: the charger answers within the EV's message timeout; beyond its performance time is a warning."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import base_name, conversations, is_message, is_response
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event
from bench.v2g import timers


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a response later than the EV's message timeout. Warning: slower than the performance time (one a
    message and connection, with count and worst), or no answer at all (a case judges that).

    Exchanges after a deviation are judged as well: a charger owes a prompt answer to a wrong request too.
    """
    found = Finder(RULE.id)
    if "timing" in deviates:
        return found.findings
    for conversation in conversations(events, past_deviations=True):
        slow: dict[str, list[tuple[float, Event, timers.Limit]]] = {}
        for event in conversation.messages:
            rtt = event.data.get("rtt_s")
            if not is_response(event) or rtt is None:
                continue
            rtt_s, name = float(rtt), base_name(event.name)
            timeout = _limit(event, "evcc_timeout")
            if timeout is not None and rtt_s > timeout.value:
                text = f"{event.name} took {rtt_s:.3f} s, the EV waits {timeout.value:g} s ({timeout.source})"
                found.fail(event, text, *timeout.requirements)
                continue
            performance = _limit(event, "secc_performance")
            if performance is not None and rtt_s > performance.value:
                slow.setdefault(name, []).append((rtt_s, event, performance))
        for name, late in slow.items():
            worst_s, event, performance = max(late, key=lambda one: one[0])
            times = f"{len(late)} times, at worst " if len(late) > 1 else ""
            limit = f"{performance.value:g} s"
            text = f"{name}Res slower than {limit}: {times}{worst_s:.3f} s ({performance.source})"
            found.warn(event, text, *performance.requirements)
    for event in events:
        if event.kind == "v2g-error" and event.name == "timeout":
            found.warn(
                event,
                f"no answer to {event.data.get('after') or 'a request'}: {event.data.get('text') or ''}",
            )
    return found.findings


def _limit(event: Event, which: str) -> timers.Limit | None:
    protocol = str(event.data.get("schema") or "iso2")
    # The app protocol handshake has a schema of its own and is timed as a message of ISO 15118-2.
    return timers.load().get(f"{'iso2' if protocol == 'sap' else protocol}.{base_name(event.name)}.{which}")


def _is_subject(event: Event) -> bool:
    return is_message(event) and event.data.get("rtt_s") is not None


RULE = Rule(
    id="RUL-02",
    title="Responses come in time",
    expected="Every response within the EV's message timeout (table 109); performance times are warnings.",
    requirements=("V2G2-714", "V2G2-716"),
    source="ISO 15118-2:2014 table 109, bench/v2g/timers.toml",
    confidence="source2",
    defects=("slow-current-demand",),
    areas=("charger",),
    subject=_is_subject,
    check=check,
)

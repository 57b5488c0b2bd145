"""RUL-02: the charger answers within the EV's message timeout; beyond its performance time is a warning."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import base_name, conversations, is_message, is_response
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event
from bench.v2g import timers


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a response later than the EV's message timeout. Warning: slower than the performance time, or no
    answer at all (a case judges that). Both are one finding a message and connection, with count and worst.

    Exchanges after a deviation are judged as well: a charger owes a prompt answer to a wrong request too.
    """
    found = Finder(RULE.id)
    if "timing" in deviates:
        return found.findings
    for conversation in conversations(events, past_deviations=True):
        late: dict[str, list[tuple[float, Event, timers.Limit]]] = {}
        slow: dict[str, list[tuple[float, Event, timers.Limit]]] = {}
        for event in conversation.messages:
            rtt = event.data.get("rtt_s")
            if not is_response(event) or rtt is None:
                continue
            rtt_s, name = float(rtt), base_name(event.name)
            timeout = _limit(event, "evcc_timeout")
            if timeout is not None and rtt_s > timeout.value and timeout.confidence != "memory":
                late.setdefault(name, []).append((rtt_s, event, timeout))
                continue
            performance = _limit(event, "secc_performance")
            if performance is not None and rtt_s > performance.value:
                slow.setdefault(name, []).append((rtt_s, event, performance))
        for each in late.values():
            worst_s, event, timeout = max(each, key=lambda one: one[0])
            times = f" ({len(each)} such, this is the worst)" if len(each) > 1 else ""
            text = f"{event.name} took {worst_s:.3f} s, the EV waits {timeout.value:g} s{times}"
            found.fail(event, f"{text} ({timeout.source})", *timeout.requirements)
        for name, each in slow.items():
            worst_s, event, performance = max(each, key=lambda one: one[0])
            times = f"{len(each)} times, at worst " if len(each) > 1 else ""
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
    return limit_of(event.data.get("schema"), event.name, which)


def limit_of(schema: object, name: str, which: str) -> timers.Limit | None:
    """The `evcc_timeout` or `secc_performance` of a message (request or response) of a message set; None
    where there is none.
    """
    protocol = str(schema or "iso2")
    # The app protocol handshake has a schema of its own and is timed as a message of ISO 15118-2.
    protocol = "iso2" if protocol == "sap" else "iso20" if protocol.startswith("iso20") else protocol
    find = timers.message_timeout if which == "evcc_timeout" else timers.performance
    try:
        return find(protocol, base_name(name))
    except KeyError:
        return None


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

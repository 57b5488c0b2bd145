"""RUL-04: while the protocol runs, the pilot says so: oscillator on, duty cycle 5 %."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import is_response
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event

DUTY_LOW_PERCENT, DUTY_HIGH_PERCENT = 3.0, 7.0
"""Duty cycle that asks for digital communication (bench/v2g/timers.toml: iec61851 duty, two sources)."""
OSCILLATOR_OFF_PERCENT = 99.0
MIN_READINGS = 2
"""A single reading may fall into an edge of the pilot; two in a row do not."""


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: two readings in a row without oscillator, or with another duty cycle, from SessionSetupRes to the
    stop.

    Looks away where the vehicle side is unplugged (state A), after SessionStop (a pause may switch the
    oscillator off), and from where the bench goes to its safe state, which may be in mid-session.
    """
    found = Finder(RULE.id, RULE.requirements)
    if "pilot" in deviates:
        return found.findings
    running = False
    bad: list[tuple[str, Event]] = []
    told: set[str] = set()
    for event in events:
        if is_response(event):
            running = event.name != "SessionStopRes"
        elif _ends_session(event):
            running = False
        if not running:
            bad.clear()
            continue
        if not (event.kind == "pilot" and event.name == "measured"):
            continue
        wrong = _wrong(event)
        if wrong is None:
            bad.clear()
            continue
        bad = [entry for entry in bad if entry[0] == wrong[0]] + [(wrong[0], event)]
        if len(bad) >= MIN_READINGS and wrong[0] not in told:
            told.add(wrong[0])
            found.fail(bad[0][1], wrong[1])
    return found.findings


def _ends_session(event: Event) -> bool:
    return (
        (event.kind == "tcp" and event.name in ("close", "refused"))
        or event.kind == "v2g-error"
        or (event.kind == "pilot" and event.name == "set" and event.data.get("state") == "A")
        or (event.kind == "bench" and event.name == "safe state")
    )


def _wrong(event: Event) -> tuple[str, str] | None:
    data = event.data
    if str(data.get("state") or "").startswith("A"):
        return None
    duty = data.get("duty_percent")
    if data.get("oscillator") is False or duty is None or float(duty) > OSCILLATOR_OFF_PERCENT:
        return "oscillator", "the pilot oscillator is off during the session"
    if not DUTY_LOW_PERCENT <= float(duty) <= DUTY_HIGH_PERCENT:
        return "duty", f"duty cycle {float(duty):.1f} % during digital communication, 3 to 7 % expected"
    return None


def _is_subject(event: Event) -> bool:
    return event.kind == "pilot" and event.name == "measured"


RULE = Rule(
    id="RUL-04",
    title="The control pilot agrees with the protocol",
    expected="Oscillator on and duty cycle 3 to 7 % from SessionSetupRes until SessionStopRes.",
    requirements=("IEC 61851-1 A.3",),
    source="bench/v2g/timers.toml, iec61851 duty; IEC 61851-1 annex A",
    confidence="source2",
    defects=("pilot-oscillator-off", "pilot-duty-10-percent"),
    areas=("charger",),
    subject=_is_subject,
    check=check,
)

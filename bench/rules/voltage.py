"""RUL-05: no voltage at the connector before the protocol allows it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import is_request
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event

SAFE_VOLTAGE_V = 60.0
"""Above this the contact is live (bench/v2g/timers.toml: cablecheck_safe_voltage_V)."""
OPENING_REQUESTS = (
    "CableCheckReq",
    "PreChargeReq",
    "PowerDeliveryReq",
    "CurrentDemandReq",
    "ChargingStatusReq",
)
"""From the first of these on, the charger may put voltage on the connector."""
SAMPLES = ("power", "inlet")
"""The analyzer samples all the time; the car looks at its inlet at plug-in and before it asks for power."""
STAMP_SLACK_NS = 100_000_000
"""A request is stamped when its write returns: on a busy host some ms after the charger has read it."""


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: more than 60 V after it had been below, before CableCheckReq (DC) or PowerDeliveryReq (AC) of the
    session.

    What is still there from the session before (a slow discharge, which cases judge) is not counted: the rule
    starts to look when the voltage has once been below 60 V. One finding a session.
    """
    found = Finder(RULE.id, RULE.requirements)
    if "voltage" in deviates:
        return found.findings
    allowed, armed, told, low = False, False, False, False
    early: Event | None = None

    def tell(sample: Event) -> None:
        voltage_v = abs(float(sample.data.get("voltage_v") or 0.0))
        found.fail(sample, f"{voltage_v:.0f} V at the connector before the session allowed it")

    for event in events:
        opening = is_request(event) and event.name in OPENING_REQUESTS
        if event.kind == "tcp" and event.name == "connect":
            if early is not None:
                tell(early)
                early, told = None, True
            if allowed:
                armed, told = low, False
            allowed = False
        elif opening:
            if early is not None and event.t_ns - early.t_ns > STAMP_SLACK_NS:
                tell(early)
                told = True
            early, allowed = None, True
        elif event.kind in SAMPLES:
            low = abs(float(event.data.get("voltage_v") or 0.0)) <= SAFE_VOLTAGE_V
            armed = armed or (low and not allowed)
            if not low and armed and not allowed and not told:
                if event.kind == "inlet":  # the car looked, and only then sent its request
                    tell(event)
                    early, told = None, True
                else:
                    early = early or event
    if early is not None:
        tell(early)
    return found.findings


def _is_subject(event: Event) -> bool:
    return event.kind in SAMPLES


RULE = Rule(
    id="RUL-05",
    title="No voltage at the connector before it is allowed",
    expected="At most 60 V until CableCheckReq (DC) or PowerDeliveryReq (AC) of the session.",
    requirements=("IEC 61851-23 CC",),
    source="bench/v2g/timers.toml, iec61851_23_dc.cablecheck_safe_voltage_V; FB-16",
    confidence="source",
    defects=("voltage-before-allowed",),
    areas=("charger",),
    subject=_is_subject,
    check=check,
)

"""RUL-01: every request gets its own kind of response, and nothing is accepted out of order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import (
    base_name,
    code,
    conversations,
    foreign,
    is_message,
    is_request,
    refused,
)
from bench.rules.finding import Finder, Finding, Rule
from bench.timeline import Event

_AFTER_AUTHORIZATION = ("Authorization", "ChargeParameterDiscovery", "SessionStop")
_LOOP_EXITS = ("PowerDelivery", "SessionStop")
ALLOWED_NEXT: dict[str, tuple[str, ...]] = {
    "supportedAppProtocol": ("SessionSetup",),
    "SessionSetup": ("ServiceDiscovery", "SessionStop"),
    "ServiceDiscovery": (
        "ServiceDetail",
        "PaymentServiceSelection",
        "ServicePaymentSelection",
        "SessionStop",
    ),
    "ServiceDetail": ("ServiceDetail", "PaymentServiceSelection", "SessionStop"),
    "PaymentServiceSelection": (
        "PaymentDetails",
        "CertificateInstallation",
        "CertificateUpdate",
        "Authorization",
        "SessionStop",
    ),
    "ServicePaymentSelection": ("ContractAuthentication", "SessionStop"),
    "ContractAuthentication": ("ContractAuthentication", "ChargeParameterDiscovery", "SessionStop"),
    "CertificateInstallation": ("PaymentDetails", "SessionStop"),
    "CertificateUpdate": ("PaymentDetails", "SessionStop"),
    "PaymentDetails": ("Authorization", "SessionStop"),
    "Authorization": _AFTER_AUTHORIZATION,
    "ChargeParameterDiscovery": ("ChargeParameterDiscovery", "CableCheck", "PowerDelivery", "SessionStop"),
    "CableCheck": ("CableCheck", "PreCharge", *_LOOP_EXITS),
    "PreCharge": ("PreCharge", *_LOOP_EXITS),
    "PowerDelivery": (
        "CurrentDemand",
        "ChargingStatus",
        "ChargeParameterDiscovery",
        "WeldingDetection",
        "PowerDelivery",
        "SessionStop",
    ),
    "CurrentDemand": ("CurrentDemand", "MeteringReceipt", *_LOOP_EXITS),
    "ChargingStatus": ("ChargingStatus", "MeteringReceipt", *_LOOP_EXITS),
    "MeteringReceipt": ("CurrentDemand", "ChargingStatus", *_LOOP_EXITS),
    "WeldingDetection": ("WeldingDetection", "SessionStop"),
    "SessionStop": (),
}
"""Which request may follow which in ISO 15118-2 and, under its own two names, in DIN SPEC 70121; by name
without Req. SessionStop is allowed from SessionSetup on.
"""


_ENERGY_20 = ("AC_ChargeParameterDiscovery", "DC_ChargeParameterDiscovery", "SessionStop")
_LOOPS_20 = ("AC_ChargeLoop", "DC_ChargeLoop")
ALLOWED_NEXT_20: dict[str, tuple[str, ...]] = {
    "supportedAppProtocol": ("SessionSetup",),
    "SessionSetup": ("AuthorizationSetup", "ServiceDiscovery", "SessionStop"),
    "AuthorizationSetup": ("Authorization", "CertificateInstallation", "SessionStop"),
    "CertificateInstallation": ("CertificateInstallation", "Authorization", "SessionStop"),
    "Authorization": ("Authorization", "AuthorizationSetup", "ServiceDiscovery", "SessionStop"),
    "ServiceDiscovery": ("ServiceDetail", "ServiceSelection", "SessionStop"),
    "ServiceDetail": ("ServiceDetail", "ServiceSelection", "SessionStop"),
    "ServiceSelection": _ENERGY_20,
    "AC_ChargeParameterDiscovery": ("ScheduleExchange", "SessionStop"),
    "DC_ChargeParameterDiscovery": ("ScheduleExchange", "SessionStop"),
    "ScheduleExchange": ("ScheduleExchange", "DC_CableCheck", "PowerDelivery", *_LOOPS_20, "SessionStop"),
    "DC_CableCheck": ("DC_CableCheck", "DC_PreCharge", "PowerDelivery", "SessionStop"),
    "DC_PreCharge": ("DC_PreCharge", "PowerDelivery", "SessionStop"),
    "PowerDelivery": (
        *_LOOPS_20,
        "ScheduleExchange",
        "ServiceDiscovery",
        "DC_WeldingDetection",
        "PowerDelivery",
        "SessionStop",
    ),
    "AC_ChargeLoop": (*_LOOPS_20, "MeteringConfirmation", "ScheduleExchange", *_LOOP_EXITS),
    "DC_ChargeLoop": (*_LOOPS_20, "MeteringConfirmation", "ScheduleExchange", *_LOOP_EXITS),
    "MeteringConfirmation": (*_LOOPS_20, *_LOOP_EXITS),
    "DC_WeldingDetection": ("DC_WeldingDetection", "SessionStop"),
    "SessionStop": (),
}
"""The same for AC and DC in ISO 15118-20, from memory (to be checked against clause 8.8)."""


def allowed_next(schema: object, previous: str) -> tuple[str, ...] | None:
    """What may follow `previous` in the message set `schema`; None where that is not known."""
    table = ALLOWED_NEXT_20 if str(schema or "").startswith("iso20") else ALLOWED_NEXT
    return table.get(previous)


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a response of another kind than its request, a response to nothing, an out-of-order request
    accepted.

    In a capture, a request out of order is the foreign car's error: it is told as such, and to accept it is
    a warning. Where a capture lacks bytes of a connection, nothing is said of its order: a gap shows only
    some messages after what is missing.
    """
    found = Finder(RULE.id, RULE.requirements)
    if "order" in deviates:
        return found.findings
    for conversation in conversations(events):
        pending: Event | None = None
        previous: str | None = None
        ongoing = out_of_order = blind = False
        lossy = conversation.lossy
        for index, event in enumerate(conversation.messages):
            name = base_name(event.name)
            if index in conversation.holes:
                pending, previous, blind, ongoing = None, None, True, False
            if is_request(event):
                known = previous is not None and not lossy
                following = allowed_next(event.data.get("schema"), str(previous)) if known else None
                out_of_order = following is not None and name not in following
                if foreign(event) and pending is not None and not lossy:
                    found.observe(event, f"{event.name} was sent before {pending.name} was answered")
                if foreign(event) and out_of_order:
                    found.observe(event, f"{event.name} is out of order after {previous}Req")
                elif ongoing and not lossy and name not in (previous, *_LOOP_EXITS):
                    found.observe(event, f"{event.name} came while {previous} was still ongoing")
                pending, blind = event, False
                continue
            if pending is None:
                if not blind and not lossy:
                    found.fail(event, f"{event.name} came without a request")
                continue
            asked = base_name(pending.name)
            if name != asked and lossy:
                asked = name
            elif name != asked:
                found.fail(event, f"{pending.name} was answered with {event.name}")
            elif out_of_order and not refused(event):
                tell = found.warn if foreign(event) else found.fail
                tell(event, f"{pending.name} after {previous}Req was accepted ({code(event)})", "V2G2-538")
            elif code(event) == "FAILED_SequenceError" and not out_of_order:
                found.warn(event, f"{pending.name} after {previous or 'the start'} was called out of order")
            previous, pending = asked, None
            ongoing = foreign(event) and str(event.data.get("processing") or "").startswith("Ongoing")
    return found.findings


RULE = Rule(
    id="RUL-01",
    title="Messages come in order and each request gets its own response",
    expected="Every response is of the kind of its request; no request out of order is accepted.",
    requirements=("V2G2-538", "V2G2-539"),
    source="ISO 15118-2 message sequence as in public stacks",
    confidence="source",
    defects=("wrong-response-type",),
    areas=("charger",),
    subject=is_message,
    check=check,
)

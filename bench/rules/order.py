"""RUL-01: every request gets its own kind of response, and nothing is accepted out of order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.conversation import base_name, code, conversations, is_message, is_request, refused
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


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a response of another kind than its request, a response to nothing, an out-of-order request
    accepted.
    """
    found = Finder(RULE.id, RULE.requirements)
    if "order" in deviates:
        return found.findings
    for conversation in conversations(events):
        pending: Event | None = None
        previous: str | None = None
        out_of_order = False
        for event in conversation.messages:
            name = base_name(event.name)
            if is_request(event):
                out_of_order = previous is not None and name not in ALLOWED_NEXT.get(previous, (name,))
                pending = event
                continue
            if pending is None:
                found.fail(event, f"{event.name} came without a request")
                continue
            asked = base_name(pending.name)
            if name != asked:
                found.fail(event, f"{pending.name} was answered with {event.name}")
            elif out_of_order and not refused(event):
                found.fail(
                    event, f"{pending.name} after {previous}Req was accepted ({code(event)})", "V2G2-538"
                )
            elif code(event) == "FAILED_SequenceError" and not out_of_order:
                found.warn(event, f"{pending.name} after {previous or 'the start'} was called out of order")
            previous, pending = asked, None
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

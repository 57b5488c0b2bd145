"""The eight named steps of the handshake, from the stamps that the session took.

The steps follow each other without a gap, from the first SDP request to the first PowerDeliveryRes, so that
their durations add up to `total_s`. A step that a session does not have (SDP with a given address, TLS off,
contract messages under ExternalPayment) is left out and its time belongs to the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.ev.session import Session

NAMES = (
    "sdp_request",
    "sdp_response",
    "tls_handshake",
    "payment_service_selection",
    "payment_details_req",
    "payment_details_res",
    "charge_parameter_discovery",
    "power_delivery_start",
)
"""sdp_request ends when the request that was answered has gone (0 s when that was the first), sdp_response
with the answer, tls_handshake when the connection is secured, payment_service_selection with its response,
payment_details_req when that request has gone, payment_details_res and charge_parameter_discovery with their
(last) responses, power_delivery_start with the first PowerDeliveryRes."""


@dataclass(frozen=True)
class Step:
    """One step; `t_s` is its begin since the start of the handshake, `end_ns` the stamp of its end."""

    name: str
    t_s: float
    duration_s: float
    end_ns: int


def start_ns(session: Session) -> int | None:
    """Where the handshake starts: the first SDP request, or the connection where there was none."""
    return session.wire.first_sdp_ns or session.wire.secured_ns


def _ends(session: Session) -> dict[str, int]:
    wire = session.wire
    ends: dict[str, int | None] = {
        "sdp_request": wire.last_sdp_ns if wire.sdp_answer_ns is not None else None,
        "sdp_response": wire.sdp_answer_ns,
        "tls_handshake": wire.secured_ns if session.tls is not None else None,
    }
    for each in session.history:
        if each.name in ("PaymentServiceSelectionReq", "ServicePaymentSelectionReq"):  # ISO 15118-2, DIN
            ends.setdefault("payment_service_selection", each.t_ns)
        elif each.name == "PaymentDetailsReq":
            ends.setdefault("payment_details_req", each.sent_ns)
            ends.setdefault("payment_details_res", each.t_ns)
        elif each.name == "ChargeParameterDiscoveryReq":
            ends["charge_parameter_discovery"] = each.t_ns  # the last one, when it took several
        elif each.name == "PowerDeliveryReq":
            ends["power_delivery_start"] = each.t_ns
            break
    return {name: end for name in NAMES if (end := ends.get(name)) is not None}


def steps(session: Session) -> list[Step]:
    """The steps that have happened, in order."""
    start = start_ns(session)
    if start is None:
        return []
    found, before = [], start
    for name, end in _ends(session).items():
        duration_s = max(0, end - before) / 1e9
        found.append(Step(name, (before - start) / 1e9, duration_s, end))
        before = max(before, end)
    return found


def total_s(session: Session) -> float | None:
    """First SDP request (or connection) to the first PowerDeliveryRes; None before that."""
    start = start_ns(session)
    for each in session.history:
        if each.name == "PowerDeliveryReq" and start is not None:
            return (each.t_ns - start) / 1e9
    return None

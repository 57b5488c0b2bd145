"""The protocols that the charger speaks: of each its name on the wire, messages, message order and refusals.

The handlers are the charger's own (`Charger.handlers`, `Charger.din_handlers`), because a defect may replace
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.charger.secc import failed as iso2_failed
from bench.charger.secc import transitions
from bench.charger.secc.din import failed as din_failed
from bench.charger.secc.din import order as din_order
from bench.charger.secc.session import ProtocolName, Session
from bench.v2g.messages import din, iso2, sap

if TYPE_CHECKING:
    from bench.charger.model import Charger


@dataclass(frozen=True)
class Protocol:
    """One protocol. `messages` is the module of its message set; `name` is the codec's schema, too."""

    name: ProtocolName
    namespace: str
    major: int
    minor: int
    messages: Any
    after: Callable[[str, Any, Any, Session], transitions.Names]
    in_order: Callable[[str, Any, Session], bool]
    may_end: Callable[[str, Any], bool]
    failed: Callable[[str, iso2.responseCode, Session, Charger], Any]
    over_tls: bool
    """May be spoken on a TLS connection."""


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "iso2": Protocol(
        "iso2",
        "urn:iso:15118:2:2013:MsgDef",
        2,
        0,
        iso2,
        transitions.after,
        transitions.in_order,
        transitions.may_end,
        iso2_failed.failed,
        over_tls=True,
    ),
    "din": Protocol(
        "din",
        "urn:din:70121:2012:MsgDef",
        2,
        0,
        din,
        din_order.after,
        din_order.in_order,
        din_order.may_end,
        din_failed.failed,
        over_tls=False,
    ),
}


def of(session: Session) -> Protocol:
    """The protocol of a session."""
    return PROTOCOLS[session.protocol]


def choose(
    request: sap.supportedAppProtocolReq, spoken: Sequence[ProtocolName], *, tls: bool
) -> sap.supportedAppProtocolRes:
    """The EV's most wanted protocol among those `spoken` ([V2G2-172]; DIN 70121 clause 8.2, from memory)."""
    for offer in sorted(request.AppProtocol, key=lambda each: each.Priority):
        for protocol in (PROTOCOLS[each] for each in spoken):
            same = (offer.ProtocolNamespace, offer.VersionNumberMajor) == (protocol.namespace, protocol.major)
            if same and (protocol.over_tls or not tls):
                exact = offer.VersionNumberMinor == protocol.minor
                return sap.supportedAppProtocolRes(
                    ResponseCode=sap.responseCode.OK_SuccessfulNegotiation
                    if exact
                    else sap.responseCode.OK_SuccessfulNegotiationWithMinorDeviation,
                    SchemaID=offer.SchemaID,
                )
    return sap.supportedAppProtocolRes(ResponseCode=sap.responseCode.Failed_NoNegotiation)


def agreed(request: sap.supportedAppProtocolReq, response: sap.supportedAppProtocolRes) -> ProtocolName:
    """The protocol whose SchemaID the response names; ISO 15118-2 for one that there is not."""
    for offer in request.AppProtocol:
        if offer.SchemaID == response.SchemaID:
            for protocol in PROTOCOLS.values():
                if protocol.namespace == offer.ProtocolNamespace:
                    return protocol.name
    return "iso2"

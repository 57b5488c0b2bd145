"""Which request may follow which in DIN SPEC 70121 (DC; clause 8.7, from memory): one table."""

from __future__ import annotations

from typing import Any

from bench.charger.secc.session import Session
from bench.charger.secc.transitions import END, STOP, Names
from bench.v2g.messages import din


def _names(*names: str) -> Names:
    return frozenset(names)


_AUTHENTICATION = _names("ContractAuthenticationReq", STOP)
_PARAMETERS = _names("ChargeParameterDiscoveryReq", STOP)
_CABLE_CHECK = _names("CableCheckReq", "PowerDeliveryReq", STOP)
_PRE_CHARGE = _names("PreChargeReq", "PowerDeliveryReq", STOP)
_LOOP = _names("CurrentDemandReq", "PowerDeliveryReq")
_WELDING = _names("WeldingDetectionReq", STOP)

NEXT: dict[str, tuple[Names, Names]] = {
    "SessionSetupReq": (_names("ServiceDiscoveryReq", STOP), END),
    "ServiceDiscoveryReq": (_names("ServicePaymentSelectionReq", STOP), END),
    "ServicePaymentSelectionReq": (_AUTHENTICATION, END),
    "ContractAuthenticationReq": (_PARAMETERS, _AUTHENTICATION),
    "ChargeParameterDiscoveryReq": (_CABLE_CHECK, _PARAMETERS),
    "CableCheckReq": (_PRE_CHARGE, _CABLE_CHECK),
    "PreChargeReq": (_PRE_CHARGE, END),
    "PowerDeliveryReq": (_LOOP, END),
    "CurrentDemandReq": (_LOOP, END),
    "WeldingDetectionReq": (_WELDING, END),
    "SessionStopReq": (END, END),
}
"""Request -> what may come once it was answered, and what may come while EVSEProcessing is Ongoing."""


def after(name: str, request: Any, response: Any, session: Session) -> Names:
    """The requests that may follow `request` (called `name`) once it was answered OK."""
    if name == "PowerDeliveryReq" and not request.ReadyToChargeState:
        return _WELDING
    done, ongoing = NEXT[name]
    processing = getattr(response, "EVSEProcessing", din.EVSEProcessing.Finished)
    return done if processing == din.EVSEProcessing.Finished else ongoing


def in_order(name: str, request: Any, session: Session) -> bool:
    """True when `request` may come now; charging starts after PreCharge only."""
    if name not in session.expected:
        return False
    if name == "PowerDeliveryReq" and request.ReadyToChargeState:
        return "PreChargeReq" in session.expected
    return True


def may_end(name: str, request: Any) -> bool:
    """True for what an EV may still send when the charger has ended the session."""
    if name == "PowerDeliveryReq":
        return not request.ReadyToChargeState
    return name in ("WeldingDetectionReq", STOP)

"""Which request may follow which: the message order of ISO 15118-2 (clause 8.8.4) as one table.

`after(request, response, session)` gives the requests that may come next once `request` was answered OK with
`response`. After a FAILED answer only SessionStopReq may come (`AFTER_FAILURE`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.charger.secc.session import Session
from bench.v2g.messages import iso2

Names = frozenset[str]


def _names(*names: str) -> Names:
    return frozenset(names)


STOP = "SessionStopReq"
AFTER_FAILURE = _names(STOP)
END: Names = frozenset()
_SERVICES = _names("ServiceDetailReq", "PaymentServiceSelectionReq", STOP)
_CONTRACT = _names("PaymentDetailsReq", "CertificateInstallationReq", "CertificateUpdateReq", STOP)
_AUTHORIZATION = _names("AuthorizationReq", STOP)
_CABLE_CHECK = _names("CableCheckReq", "PowerDeliveryReq", STOP)
_PRE_CHARGE = _names("PreChargeReq", "PowerDeliveryReq", STOP)
_LOOP_DC = _names("CurrentDemandReq", "PowerDeliveryReq")
_LOOP_AC = _names("ChargingStatusReq", "PowerDeliveryReq")
_RECEIPT = _names("MeteringReceiptReq", "PowerDeliveryReq")

_Rule = Callable[[Any, Any, Session], Names]


def _ongoing(response: Any) -> bool:
    return bool(response.EVSEProcessing != iso2.EVSEProcessing.Finished)


def _selection(request: Any, response: Any, session: Session) -> Names:
    return _CONTRACT if session.payment == iso2.paymentOption.Contract else _AUTHORIZATION


def _authorization(request: Any, response: Any, session: Session) -> Names:
    return _AUTHORIZATION if _ongoing(response) else _names("ChargeParameterDiscoveryReq", STOP)


def _parameters(request: Any, response: Any, session: Session) -> Names:
    if _ongoing(response):
        return _names("ChargeParameterDiscoveryReq", STOP)
    return _CABLE_CHECK if session.dc else _names("PowerDeliveryReq", STOP)


def _cable_check(request: Any, response: Any, session: Session) -> Names:
    # PowerDelivery Stop ends a session early here; `start_in_order` refuses a Start.
    return _CABLE_CHECK if _ongoing(response) else _PRE_CHARGE


def _delivery(request: Any, response: Any, session: Session) -> Names:
    if request.ChargeProgress == iso2.chargeProgress.Start:
        return _LOOP_DC if session.dc else _LOOP_AC
    if request.ChargeProgress == iso2.chargeProgress.Renegotiate:
        return _names("ChargeParameterDiscoveryReq", "PowerDeliveryReq", STOP)
    return _names("WeldingDetectionReq", STOP) if session.dc else _names(STOP)


def _loop(names: Names) -> _Rule:
    return lambda request, response, session: _RECEIPT if session.receipt_due else names


def _receipt(request: Any, response: Any, session: Session) -> Names:
    return _LOOP_DC if session.dc else _LOOP_AC


def _always(names: Names) -> _Rule:
    return lambda request, response, session: names


RULES: dict[str, _Rule] = {
    "SessionSetupReq": _always(_names("ServiceDiscoveryReq", STOP)),
    "ServiceDiscoveryReq": _always(_SERVICES),
    "ServiceDetailReq": _always(_SERVICES),
    "PaymentServiceSelectionReq": _selection,
    "CertificateInstallationReq": _always(_names("PaymentDetailsReq", STOP)),
    "CertificateUpdateReq": _always(_names("PaymentDetailsReq", STOP)),
    "PaymentDetailsReq": _always(_AUTHORIZATION),
    "AuthorizationReq": _authorization,
    "ChargeParameterDiscoveryReq": _parameters,
    "CableCheckReq": _cable_check,
    "PreChargeReq": _always(_PRE_CHARGE),
    "PowerDeliveryReq": _delivery,
    "CurrentDemandReq": _loop(_LOOP_DC),
    "ChargingStatusReq": _loop(_LOOP_AC),
    "MeteringReceiptReq": _receipt,
    "WeldingDetectionReq": _always(_names("WeldingDetectionReq", STOP)),
    "SessionStopReq": _always(END),
}


def after(name: str, request: Any, response: Any, session: Session) -> Names:
    """The requests that may follow `request` (called `name`) once it was answered OK."""
    return RULES[name](request, response, session)


def in_order(name: str, request: Any, session: Session) -> bool:
    """True when `request` may come now.

    PowerDelivery Start needs PreCharge on DC (or a renegotiation), Renegotiate needs a running charge.
    """
    if name not in session.expected:
        return False
    if name != "PowerDeliveryReq":
        return True
    if request.ChargeProgress == iso2.chargeProgress.Renegotiate:
        return session.charging
    if request.ChargeProgress == iso2.chargeProgress.Start and session.dc:
        return session.renegotiating or "PreChargeReq" in session.expected
    return True


def may_end(name: str, request: Any) -> bool:
    """True for what an EV may still send when the charger has ended the session."""
    if name == "PowerDeliveryReq":
        return bool(request.ChargeProgress == iso2.chargeProgress.Stop)
    return name in ("WeldingDetectionReq", STOP)

"""What of a captured request must change for the charger that is there now.

Each function changes the body in place and returns what it changed, for people; the rest of the message is
sent as the car once sent it. Session id, signatures and schema ids are the wire's part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.ev.iso2 import requests
from bench.ev.iso2.state import SessionState
from bench.v2g.messages import iso2

Adapter = Callable[[Any, SessionState, Any], list[str]]
"""(body, state of the session, live ServiceDiscoveryRes or None) -> what was changed."""


def adapt(body: Any, state: SessionState, services: Any) -> list[str]:
    """Fit `body` to the charger. Raises GiveUp when the car lacks what the request needs (a contract)."""
    adapter = _ADAPTERS.get(type(body).__name__)
    return adapter(body, state, services) if adapter is not None else []


def supported_app_protocol(body: Any, state: SessionState, services: Any) -> list[str]:
    """Leave out what the car would rather speak than the protocol of the capture: another charger may."""
    own = [each for each in body.AppProtocol if each.ProtocolNamespace == state.namespace]
    if not own:
        return []
    best = min(each.Priority for each in own)
    kept = [each for each in body.AppProtocol if each.Priority >= best]
    left_out = [each.ProtocolNamespace for each in body.AppProtocol if each.Priority < best]
    body.AppProtocol = kept
    return [f"{namespace} is not offered" for namespace in left_out]


def offered(services: Any) -> set[int]:
    """ServiceIDs that the live charger offers beside charging."""
    found = getattr(services, "ServiceList", None)
    listed = found.Service if found is not None else []
    return {getattr(each, "ServiceTag", each).ServiceID for each in listed}


def selection(body: Any, state: SessionState, services: Any) -> list[str]:
    """The live charger's charge service, no service that it does not have, and a payment that is possible."""
    notes = []
    wanted = "Contract" if state.auth == "pnc" else "ExternalPayment"
    if body.SelectedPaymentOption != wanted:
        body.SelectedPaymentOption = type(body.SelectedPaymentOption)(wanted)
        notes.append(f"SelectedPaymentOption {wanted}")
    chosen = body.SelectedServiceList.SelectedService
    known = offered(services) | {state.charge_service_id}
    if len(chosen) == 1:
        chosen[0].ServiceID = state.charge_service_id
        return notes
    dropped = [each for each in chosen if each.ServiceID not in known]
    kept = [each for each in chosen if each.ServiceID in known]
    if all(each.ServiceID != state.charge_service_id for each in kept):
        kept.insert(0, type(chosen[0])(ServiceID=state.charge_service_id))
    body.SelectedServiceList.SelectedService = kept
    return notes + [f"service {each.ServiceID} is not offered, so not selected" for each in dropped]


def _replace(body: Any, other: Any) -> None:
    for name in body._fields:
        setattr(body, name, getattr(other, name))


def payment_details(body: Any, state: SessionState, services: Any) -> list[str]:
    """The bench's contract."""
    _replace(body, requests.payment_details(state))
    return ["contract of the bench"]


def provisioning(body: Any, state: SessionState, services: Any) -> list[str]:
    """The bench's OEM provisioning certificate, or its contract for an update."""
    install = isinstance(body, iso2.CertificateInstallationReq)
    build = requests.certificate_installation if install else requests.certificate_update
    _replace(body, build(state))
    return ["credentials of the bench"]


def authorization(body: Any, state: SessionState, services: Any) -> list[str]:
    """The live charger's challenge, to be signed; nothing under external payment."""
    captured = body.GenChallenge is not None
    _replace(body, requests.authorization(state))
    return ["GenChallenge"] if captured or state.auth == "pnc" else []


def parameters(body: Any, state: SessionState, services: Any) -> list[str]:
    """An energy transfer mode that the live charger offers."""
    field = "RequestedEnergyTransferMode"
    field = field if field in body._fields else "EVRequestedEnergyTransferType"
    asked = getattr(body, field)
    if not state.energy_mode or asked == state.energy_mode:
        return []
    setattr(body, field, type(asked)(state.energy_mode))
    return [f"{field} {state.energy_mode} for {asked}"]


def power_delivery(body: Any, state: SessionState, services: Any) -> list[str]:
    """A schedule that is offered, and a charging profile within it."""
    notes = []
    holder = body if "SAScheduleTupleID" in body._fields else body.ChargingProfile
    if holder is not None and holder.SAScheduleTupleID != state.schedule_id:
        holder.SAScheduleTupleID = state.schedule_id
        notes.append(f"SAScheduleTupleID {state.schedule_id}")
    if body.ChargingProfile is None or state.schedule is None:
        return notes
    powers = [_watts(each.PMax) for each in state.schedule.PMaxSchedule.PMaxScheduleEntry]
    limit_w = min(powers, default=0.0)
    for entry in body.ChargingProfile.ProfileEntry:
        if _watts(entry.ChargingProfileEntryMaxPower) > limit_w:
            plain = isinstance(entry.ChargingProfileEntryMaxPower, int)
            entry.ChargingProfileEntryMaxPower = int(limit_w) if plain else requests.watts(limit_w)
            notes.append(f"ChargingProfile limited to {limit_w:g} W")
    return notes


def _watts(value: Any) -> float:
    """PMax: a plain figure in DIN SPEC 70121, a PhysicalValue in ISO 15118-2."""
    return float(value) if isinstance(value, int) else float(value.value)


_ADAPTERS: dict[str, Adapter] = {
    "supportedAppProtocolReq": supported_app_protocol,
    "PaymentServiceSelectionReq": selection,
    "ServicePaymentSelectionReq": selection,
    "CertificateInstallationReq": provisioning,
    "CertificateUpdateReq": provisioning,
    "PaymentDetailsReq": payment_details,
    "AuthorizationReq": authorization,
    "ChargeParameterDiscoveryReq": parameters,
    "PowerDeliveryReq": power_delivery,
}

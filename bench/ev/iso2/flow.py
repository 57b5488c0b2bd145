"""The table of ISO 15118-2 on the EV side: for each request its builder, its handler, its signer and its
limits.

Source of the order: ISO 15118-2:2014 clause 8.8.3 (figures 104 to 107).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bench.ev.iso2 import requests, responses
from bench.ev.iso2.state import SessionState

Signer = Literal["none", "contract", "oem"]


@dataclass(frozen=True)
class Row:
    """One request: how to build it, how to take its answer, who signs it.

    `ongoing_limit` names the field of `Pace` that bounds how long the charger may have the car repeat it.
    `clause` is where ISO 15118-2:2014 describes the pair.
    """

    build: Callable[[SessionState], Any]
    absorb: Callable[[SessionState, Any], str | None]
    clause: str
    signer: Signer = "none"
    ongoing_limit: str | None = None
    schema: Literal["sap", "iso2"] = "iso2"


ROWS: dict[str, Row] = {
    "supportedAppProtocolReq": Row(
        requests.supported_app_protocol, responses.supported_app_protocol, "8.2", schema="sap"
    ),
    "SessionSetupReq": Row(requests.session_setup, responses.session_setup, "8.4.3.2"),
    "ServiceDiscoveryReq": Row(requests.service_discovery, responses.service_discovery, "8.4.3.3"),
    "ServiceDetailReq": Row(requests.service_detail, responses.service_detail, "8.4.3.4"),
    "PaymentServiceSelectionReq": Row(
        requests.payment_service_selection, responses.payment_service_selection, "8.4.3.5"
    ),
    "CertificateInstallationReq": Row(
        requests.certificate_installation, responses.provisioned, "8.4.3.11", signer="oem"
    ),
    "CertificateUpdateReq": Row(
        requests.certificate_update, responses.provisioned, "8.4.3.10", signer="contract"
    ),
    "PaymentDetailsReq": Row(requests.payment_details, responses.payment_details, "8.4.3.6"),
    "AuthorizationReq": Row(
        requests.authorization,
        responses.authorization,
        "8.4.3.7",
        signer="contract",
        ongoing_limit="ongoing_limit_s",
    ),
    "ChargeParameterDiscoveryReq": Row(
        requests.charge_parameter_discovery,
        responses.charge_parameter_discovery,
        "8.4.3.8",
        ongoing_limit="ongoing_limit_s",
    ),
    "CableCheckReq": Row(
        requests.cable_check, responses.cable_check, "8.4.5.2", ongoing_limit="cable_check_limit_s"
    ),
    "PreChargeReq": Row(
        requests.precharge, responses.precharge, "8.4.5.3", ongoing_limit="precharge_limit_s"
    ),
    "PowerDeliveryReq": Row(requests.power_delivery, responses.power_delivery, "8.4.3.9"),
    "CurrentDemandReq": Row(requests.current_demand, responses.current_demand, "8.4.5.4"),
    "ChargingStatusReq": Row(requests.charging_status, responses.charging_status, "8.4.4.2"),
    "MeteringReceiptReq": Row(
        requests.metering_receipt, responses.metering_receipt, "8.4.3.12", signer="contract"
    ),
    "WeldingDetectionReq": Row(requests.welding_detection, responses.welding_detection, "8.4.5.5"),
    "SessionStopReq": Row(requests.session_stop, responses.session_stop, "8.4.3.13"),
}
"""Keyed by message name, in the order of a session."""

FIRST = "supportedAppProtocolReq"
LOOP = frozenset({"CurrentDemandReq", "ChargingStatusReq"})
AFTER_CHARGE = frozenset({"WeldingDetectionReq", "SessionStopReq"})
IN_LOOP = frozenset({*LOOP, "MeteringReceiptReq", "PowerDeliveryReq"})
"""What can be reached from the charge loop without being asked to stop."""


def response_name(request: str) -> str:
    """Name of the response that belongs to `request`."""
    return request.removesuffix("Req") + "Res"


def note_sent(state: SessionState, body: Any) -> None:
    """Remember what was really sent, which a plan may have edited, for the handler of its answer."""
    name = type(body).__name__
    if name == "PowerDeliveryReq":
        state.progress = str(body.ChargeProgress)
    elif name == "CurrentDemandReq":
        state.target_current_a = body.EVTargetCurrent.value

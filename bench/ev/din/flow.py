"""The table of DIN SPEC 70121 on the EV side, DC with external payment: as `bench.ev.iso2.flow`."""

from __future__ import annotations

from typing import Any

from bench.ev.din import requests, responses
from bench.ev.din.requests import like_iso2
from bench.ev.iso2 import requests as iso2_requests
from bench.ev.iso2 import responses as iso2_responses
from bench.ev.iso2.flow import FIRST, Row
from bench.ev.iso2.flow import ROWS as ISO2_ROWS
from bench.ev.iso2.state import SessionState

ROWS: dict[str, Row] = {
    FIRST: ISO2_ROWS[FIRST],
    "SessionSetupReq": Row(like_iso2(iso2_requests.session_setup), responses.session_setup, "9.4.1.2"),
    "ServiceDiscoveryReq": Row(requests.service_discovery, responses.service_discovery, "9.4.1.3"),
    "ServicePaymentSelectionReq": Row(
        requests.service_payment_selection, responses.service_payment_selection, "9.4.1.4"
    ),
    "ContractAuthenticationReq": Row(
        requests.contract_authentication,
        responses.contract_authentication,
        "9.4.1.5",
        ongoing_limit="ongoing_limit_s",
    ),
    "ChargeParameterDiscoveryReq": Row(
        requests.charge_parameter_discovery,
        iso2_responses.charge_parameter_discovery,
        "9.4.1.6",
        ongoing_limit="ongoing_limit_s",
    ),
    "CableCheckReq": Row(
        like_iso2(iso2_requests.cable_check),
        iso2_responses.cable_check,
        "9.4.2.2",
        ongoing_limit="cable_check_limit_s",
    ),
    "PreChargeReq": Row(
        like_iso2(iso2_requests.precharge),
        iso2_responses.precharge,
        "9.4.2.3",
        ongoing_limit="precharge_limit_s",
    ),
    "PowerDeliveryReq": Row(requests.power_delivery, iso2_responses.power_delivery, "9.4.1.7"),
    "CurrentDemandReq": Row(
        like_iso2(iso2_requests.current_demand), iso2_responses.current_demand, "9.4.2.4"
    ),
    "WeldingDetectionReq": Row(
        like_iso2(iso2_requests.welding_detection), iso2_responses.welding_detection, "9.4.2.5"
    ),
    "SessionStopReq": Row(requests.session_stop, iso2_responses.session_stop, "9.4.1.8"),
}
"""Keyed by message name, in the order of a session. Clauses are those of DIN SPEC 70121 from memory: check
them against the standard before quoting them."""


def note_sent(state: SessionState, body: Any) -> None:
    """Remember what was really sent, which a plan may have edited, for the handler of its answer."""
    name = type(body).__name__
    if name == "PowerDeliveryReq":
        state.progress = "Start" if body.ReadyToChargeState else "Stop"
    elif name == "CurrentDemandReq":
        state.target_current_a = body.EVTargetCurrent.value

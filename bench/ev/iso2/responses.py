"""One handler a response: take it into the state and name the next request (None: the session is over).

A handler raises GiveUp when the car itself will not go on. FAILED response codes never get here: the session
deals with them in one place, as with timeouts.
"""

from __future__ import annotations

from typing import Any

from bench.ev.iso2.state import CERTIFICATE_SERVICE_ID, GiveUp, SessionState
from bench.v2g.messages import din, iso2

MAX_RAMP_ROUNDS = 40
LOW_CURRENT_A = 1.0
SHUTDOWN_CODES = {
    "EVSE_Shutdown": False,
    "EVSE_UtilityInterruptEvent": True,
    "EVSE_EmergencyShutdown": True,
    "EVSE_Malfunction": True,
}
"""DC_EVSEStatusCode values that end charging; True: at once, without a ramp."""

_DC_MODES = ("DC_extended", "DC_combo_core", "DC_core", "DC_unique")


def supported_app_protocol(state: SessionState, res: Any) -> str:
    """Clause 8.2; a SchemaID that was never offered is no agreement."""
    if not str(res.ResponseCode).startswith("OK"):
        raise GiveUp(f"no common protocol: {res.ResponseCode}")
    offered = {each.schema_id for each in state.profile.protocols}
    if res.SchemaID not in offered and not (res.SchemaID is None and len(offered) == 1):
        raise GiveUp(f"the charger chose SchemaID {res.SchemaID}, the car offered {sorted(offered)}")
    chosen = [each.namespace for each in state.profile.protocols if each.schema_id == res.SchemaID]
    if chosen and chosen[0] != state.namespace:
        raise GiveUp(f"the charger chose {chosen[0]}, this session speaks {state.namespace}")
    return "SessionSetupReq"


def session_setup(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.2; the session id is taken from the header by the session."""
    state.evse_id = res.EVSEID
    state.joined = res.ResponseCode == iso2.responseCode.OK_OldSessionJoined
    return "ServiceDiscoveryReq"


def service_discovery(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.3."""
    charge = res.ChargeService
    state.charge_service_id = charge.ServiceID
    offered = [str(each) for each in charge.SupportedEnergyTransferMode.EnergyTransferMode]
    state.energy_mode = choose_mode(state, offered)
    payment = [str(each) for each in res.PaymentOptionList.PaymentOption]
    wanted = "Contract" if state.auth == "pnc" else "ExternalPayment"
    services = res.ServiceList.Service if res.ServiceList is not None else []
    ids = [each.ServiceID for each in services]
    state.certificate_service = CERTIFICATE_SERVICE_ID in ids
    if wanted not in payment:
        raise GiveUp(f"the charger offers {', '.join(payment)}, the car wants {wanted}")
    details = state.profile.quirks.service_details
    if details == "all":
        state.services_to_ask = list(ids)
    elif details == "certificate" and state.provisioning != "none" and state.certificate_service:
        state.services_to_ask = [CERTIFICATE_SERVICE_ID]
    if state.provisioning != "none" and not state.certificate_service:
        raise GiveUp("the charger offers no certificate service (ServiceID 2)")
    return "ServiceDetailReq" if state.services_to_ask else "PaymentServiceSelectionReq"


def choose_mode(state: SessionState, offered: list[str]) -> str:
    """The energy transfer mode of the profile, or the next best that both have."""
    if state.energy == "dc":
        preferred = state.profile.dc.mode if state.profile.dc is not None else ""
        usable: tuple[str, ...] = (preferred, *_DC_MODES)
    else:
        preferred = state.profile.ac.mode if state.profile.ac is not None else ""
        # A three-phase car charges on one phase, not the other way round.
        usable = (preferred, "AC_single_phase_core")
    for mode in usable:
        if mode in offered:
            return mode
    raise GiveUp(f"the charger offers {', '.join(offered) or 'no energy mode'}, the car wants {preferred}")


def service_detail(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.4."""
    state.service_parameters[res.ServiceID] = res.ServiceParameterList
    state.services_to_ask = state.services_to_ask[1:]
    return "ServiceDetailReq" if state.services_to_ask else "PaymentServiceSelectionReq"


def payment_service_selection(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.5."""
    if state.auth == "eim":
        return "AuthorizationReq"
    return {
        "install": "CertificateInstallationReq",
        "update": "CertificateUpdateReq",
    }.get(state.provisioning, "PaymentDetailsReq")


def provisioned(state: SessionState, res: Any) -> str:
    """Clauses 8.4.3.10 and 8.4.3.11; the session has unwrapped and checked the answer into
    `state.provisioned`.
    """
    outcome = state.provisioned
    if outcome is None or outcome.contract is None:
        problems = "; ".join(outcome.problems) if outcome is not None else "not looked at"
        raise GiveUp(f"the new contract cannot be used: {problems}")
    state.contract = outcome.contract
    return "PaymentDetailsReq"


def payment_details(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.6."""
    state.gen_challenge = res.GenChallenge
    return "AuthorizationReq"


def authorization(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.7."""
    return "ChargeParameterDiscoveryReq" if res.EVSEProcessing == "Finished" else "AuthorizationReq"


def charge_parameter_discovery(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.8."""
    note_status(state, getattr(res.EVSEChargeParameter, f"{state.energy.upper()}_EVSEStatus", None))
    if state.stop_requested is not None and not state.started:
        return "SessionStopReq"
    if res.EVSEProcessing != "Finished":
        return "ChargeParameterDiscoveryReq"
    tuples = getattr(res.SASchedules, "SAScheduleTuple", None) or []
    if not tuples:
        raise GiveUp("ChargeParameterDiscoveryRes is Finished without an SAScheduleTuple")
    state.schedule = tuples[0]
    state.schedule_id = tuples[0].SAScheduleTupleID
    take_limits(state, res.EVSEChargeParameter)
    if state.energy == "ac" or (
        state.renegotiating and state.profile.quirks.renegotiation == "power-delivery"
    ):
        return "PowerDeliveryReq"
    return "CableCheckReq"


def take_limits(state: SessionState, parameter: Any) -> None:
    """Take over the charger's limits; raises GiveUp when they cannot serve the battery."""
    if state.energy == "dc" and isinstance(
        parameter, iso2.DC_EVSEChargeParameter | din.DC_EVSEChargeParameter
    ):
        state.evse_max_voltage_v = parameter.EVSEMaximumVoltageLimit.value
        state.evse_max_current_a = parameter.EVSEMaximumCurrentLimit.value
        if parameter.EVSEMaximumPowerLimit is not None:  # optional in DIN SPEC 70121
            state.evse_max_power_w = parameter.EVSEMaximumPowerLimit.value
        low_v = parameter.EVSEMinimumVoltageLimit.value
        battery_v = state.battery.voltage_v
        fits = low_v <= battery_v <= state.evse_max_voltage_v
        if state.profile.quirks.check_limits and not fits:
            raise GiveUp(
                f"the charger gives {low_v:g} to {state.evse_max_voltage_v:g} V, "
                f"the battery has {battery_v:.1f} V"
            )
    elif state.energy == "ac" and isinstance(parameter, iso2.AC_EVSEChargeParameter):
        state.evse_max_current_a = parameter.EVSEMaxCurrent.value
        state.nominal_voltage_v = parameter.EVSENominalVoltage.value
    else:
        raise GiveUp(f"{type(parameter).__name__} in answer to a {state.energy.upper()} request")


def cable_check(state: SessionState, res: Any) -> str:
    """Clause 8.4.5.2: on with a Finished check that found no fault."""
    note_status(state, res.DC_EVSEStatus)
    if state.stop_requested is not None:
        return "SessionStopReq"
    if res.EVSEProcessing != "Finished":
        return "CableCheckReq"
    isolation = res.DC_EVSEStatus.EVSEIsolationStatus
    if isolation in ("Invalid", "Fault"):
        raise GiveUp(f"CableCheck finished with EVSEIsolationStatus {isolation}")
    return "PreChargeReq"


def precharge(state: SessionState, res: Any) -> str:
    """Clause 8.4.5.3: again until the charger's voltage is near the battery's."""
    note_status(state, res.DC_EVSEStatus)
    state.present_voltage_v = res.EVSEPresentVoltage.value
    if state.stop_requested is not None:
        return "SessionStopReq"
    tolerance_v = state.profile.dc.voltage_tolerance_v if state.profile.dc is not None else 0.0
    near = abs(state.present_voltage_v - state.battery.voltage_v) <= tolerance_v
    return "PowerDeliveryReq" if near else "PreChargeReq"


def power_delivery(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.9."""
    note_status(state, res.EVSEStatus)
    if state.progress == "Stop":
        state.started = False
        if state.energy == "dc" and state.profile.quirks.welding_detection:
            state.welding_rounds = state.profile.quirks.welding_detection_rounds
            return "WeldingDetectionReq"
        return "SessionStopReq"
    if state.progress == "Renegotiate":
        state.renegotiating, state.intent = True, "charge"
        return "ChargeParameterDiscoveryReq"
    state.started, state.renegotiating = True, False
    return next_in_loop(state)


def current_demand(state: SessionState, res: Any) -> str:
    """Clause 8.4.5.4."""
    note_status(state, res.DC_EVSEStatus)
    state.present_voltage_v = res.EVSEPresentVoltage.value
    state.present_current_a = res.EVSEPresentCurrent.value
    # Limits are optional here; one that is there replaces what ChargeParameterDiscovery said.
    for limit, name in (
        (res.EVSEMaximumCurrentLimit, "evse_max_current_a"),
        (res.EVSEMaximumPowerLimit, "evse_max_power_w"),
        (res.EVSEMaximumVoltageLimit, "evse_max_voltage_v"),
    ):
        if limit is not None:
            setattr(state, name, limit.value)
    return _after_loop(state, res) if isinstance(res, iso2.CurrentDemandRes) else next_in_loop(state)


def charging_status(state: SessionState, res: Any) -> str:
    """Clause 8.4.4.2."""
    note_status(state, res.AC_EVSEStatus)
    if res.EVSEMaxCurrent is not None:
        state.evse_max_current_a = res.EVSEMaxCurrent.value
    return _after_loop(state, res)


def _after_loop(state: SessionState, res: Any) -> str:
    if res.MeterInfo is not None:
        state.meter_info = res.MeterInfo
    # A receipt is signed with the contract's key; without a contract there is nothing to sign with.
    if res.ReceiptRequired and res.MeterInfo is not None and state.auth == "pnc":
        state.receipt = res.MeterInfo
        return "MeteringReceiptReq"
    return next_in_loop(state)


def metering_receipt(state: SessionState, res: Any) -> str:
    """Clause 8.4.3.12."""
    note_status(state, res.EVSEStatus)
    state.receipt = None
    return next_in_loop(state)


def welding_detection(state: SessionState, res: Any) -> str:
    """Clause 8.4.5.5."""
    state.present_voltage_v = res.EVSEPresentVoltage.value
    state.welding_rounds -= 1
    return "WeldingDetectionReq" if state.welding_rounds > 0 else "SessionStopReq"


def session_stop(state: SessionState, res: Any) -> None:
    """Clause 8.4.3.13: the end."""


def next_in_loop(state: SessionState) -> str:
    """What follows in the charge loop, as the intent has it: the loop again, or a PowerDeliveryReq."""
    if state.intent == "charge" and state.profile.quirks.stop_when_full and state.battery.full:
        state.intent = "stop"
    if state.intent == "charge":
        return state.loop_request
    if state.intent in ("stop", "pause") and state.energy == "dc" and not state.urgent:
        # A car takes its current back before it says Stop, so that no contactor opens under load.
        flowing = state.present_current_a > LOW_CURRENT_A or state.target_current_a > 0
        if flowing and state.ramp_rounds < MAX_RAMP_ROUNDS:
            state.ramp_rounds += 1
            return state.loop_request
    return "PowerDeliveryReq"


def note_status(state: SessionState, status: Any) -> None:
    """React to EVSENotification, to a tripped RCD and to status codes that end charging."""
    if status is None:
        return
    state.last_status = status
    code = str(getattr(status, "EVSEStatusCode", ""))
    if code in SHUTDOWN_CODES:
        state.urgent = state.urgent or SHUTDOWN_CODES[code]
        _stop(state, f"EVSEStatusCode {code}")
    elif getattr(status, "RCD", False) is True:
        state.urgent = True
        _stop(state, "RCD tripped")
    elif status.EVSENotification == "StopCharging":
        _stop(state, "EVSENotification StopCharging")
    elif status.EVSENotification == "ReNegotiation" and state.started and state.intent == "charge":
        state.intent = "renegotiate"


def _stop(state: SessionState, why: str) -> None:
    if state.stop_requested is None and state.intent not in ("stop", "pause"):
        state.stop_requested = why
        state.intent = "stop"

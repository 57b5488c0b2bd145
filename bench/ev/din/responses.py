"""Handlers of the DIN SPEC 70121 responses that differ from ISO 15118-2; see `bench.ev.iso2.responses`."""

from __future__ import annotations

from typing import Any

from bench.ev.iso2.responses import choose_mode
from bench.ev.iso2.state import GiveUp, SessionState

_MODES = {
    "DC_dual": ("DC_core", "DC_extended"),
    "AC_core1p_DC_extended": ("DC_extended",),
    "AC_single_DC_core": ("DC_core",),
    "AC_single_phase_three_phase_core_DC_extended": ("DC_extended",),
    "AC_core3p_DC_extended": ("DC_extended",),
}
"""What an EnergyTransferType that names several connectors lets a DC car ask for; others name one."""


def session_setup(state: SessionState, res: Any) -> str:
    """Clause 9.4.1.2; EVSEID is bytes here, shown as hexadecimal."""
    state.evse_id = res.EVSEID.hex()
    return "ServiceDiscoveryReq"


def service_discovery(state: SessionState, res: Any) -> str:
    """Clause 9.4.1.3."""
    state.charge_service_id = res.ChargeService.ServiceTag.ServiceID
    kind = str(res.ChargeService.EnergyTransferType)
    state.energy_mode = choose_mode(state, list(_MODES.get(kind, (kind,))))
    payment = [str(each) for each in res.PaymentOptions.PaymentOption]
    if "ExternalPayment" not in payment:
        raise GiveUp(f"the charger offers {', '.join(payment)}, the car wants ExternalPayment")
    return "ServicePaymentSelectionReq"


def service_payment_selection(state: SessionState, res: Any) -> str:
    """Clause 9.4.1.4."""
    return "ContractAuthenticationReq"


def contract_authentication(state: SessionState, res: Any) -> str:
    """Clause 9.4.1.5."""
    return "ChargeParameterDiscoveryReq" if res.EVSEProcessing == "Finished" else "ContractAuthenticationReq"

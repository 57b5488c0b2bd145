"""One builder a request of DIN SPEC 70121: those of ISO 15118-2 in DIN's words where both say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.ev.iso2 import requests
from bench.ev.iso2.state import SessionState
from bench.v2g.din_words import as_din
from bench.v2g.messages import din


def like_iso2(build: Callable[[SessionState], Any]) -> Callable[[SessionState], Any]:
    """A builder that says in DIN's words what `build` says in those of ISO 15118-2."""
    return lambda state: as_din(build(state))


def service_discovery(state: SessionState) -> din.ServiceDiscoveryReq:
    """Clause 9.4.1.3: the charge service is what a DIN session is about."""
    return din.ServiceDiscoveryReq(ServiceCategory=din.serviceCategory.EVCharging)


def service_payment_selection(state: SessionState) -> din.ServicePaymentSelectionReq:
    """Clause 9.4.1.4: external payment, the only way there is."""
    chosen = din.SelectedService(ServiceID=state.charge_service_id)
    return din.ServicePaymentSelectionReq(
        SelectedPaymentOption=din.paymentOption.ExternalPayment,
        SelectedServiceList=din.SelectedServiceList(SelectedService=[chosen]),
    )


def contract_authentication(state: SessionState) -> din.ContractAuthenticationReq:
    """Clause 9.4.1.5: empty under external payment."""
    return din.ContractAuthenticationReq()


def charge_parameter_discovery(state: SessionState) -> din.ChargeParameterDiscoveryReq:
    """Clause 9.4.1.6."""
    return din.ChargeParameterDiscoveryReq(
        EVRequestedEnergyTransferType=din.EVRequestedEnergyTransfer(state.energy_mode),
        EVChargeParameter=as_din(requests.dc_parameter(state)),
    )


def power_delivery(state: SessionState) -> din.PowerDeliveryReq:
    """Clause 9.4.1.7: ReadyToChargeState true to start, false to stop; DIN knows no renegotiation."""
    return din.PowerDeliveryReq(
        ReadyToChargeState=requests.progress_wanted(state) == "Start",
        EVPowerDeliveryParameter=as_din(requests.power_delivery_parameter(state)),
    )


def session_stop(state: SessionState) -> din.SessionStopReq:
    """Clause 9.4.1.8; DIN knows no pause."""
    return din.SessionStopReq()

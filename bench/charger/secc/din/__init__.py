"""DIN SPEC 70121:2014, server side: DC and external payment, without TLS.

The handlers have the shape of those of ISO 15118-2 (`bench.charger.secc.iso2`). Where a request means the
same in both, they ask the ISO handler and say its answer in DIN's words (`bench.v2g.din_words`), so that the
charger behaves, and misbehaves, alike in both protocols.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bench.charger.secc.din import charging, setup
from bench.charger.secc.session import Session
from bench.v2g.messages import din

if TYPE_CHECKING:
    from bench.charger.model import Charger

Handler = Callable[[Any, Session, "Charger"], Awaitable[din.BodyElement]]

HANDLERS: dict[str, Handler] = {
    "SessionSetupReq": setup.session_setup,
    "ServiceDiscoveryReq": setup.service_discovery,
    "ServicePaymentSelectionReq": setup.service_payment_selection,
    "ContractAuthenticationReq": setup.contract_authentication,
    "ChargeParameterDiscoveryReq": charging.charge_parameter_discovery,
    "CableCheckReq": charging.cable_check,
    "PreChargeReq": charging.pre_charge,
    "PowerDeliveryReq": charging.power_delivery,
    "CurrentDemandReq": charging.current_demand,
    "WeldingDetectionReq": charging.welding_detection,
    "SessionStopReq": charging.session_stop,
}
"""The messages of a DC session with external payment; DIN SPEC 70121 uses no others."""

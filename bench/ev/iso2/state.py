"""What the EV knows in an ISO 15118-2 session. Builders read it, handlers write it; neither does anything
else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bench.ev.battery import Battery
from bench.ev.credentials import Credentials, Provisioning
from bench.ev.profile import ISO2_NAMESPACE, EvProfile
from bench.pki.credential import Credential
from bench.v2g.messages import iso2

Energy = Literal["ac", "dc"]
Auth = Literal["eim", "pnc"]
Intent = Literal["charge", "stop", "pause", "renegotiate"]
NEW_SESSION = bytes(8)
"""SessionID 0 asks for a new session ([V2G2-750])."""

CHARGE_SERVICE_ID = 1
CERTIFICATE_SERVICE_ID = 2
INSTALLATION_PARAMETER_SET = 1
UPDATE_PARAMETER_SET = 2


class GiveUp(Exception):  # noqa: N818 - a decision of the car, not an error
    """The EV itself will not go on; the text says why."""


@dataclass
class SessionState:
    """All that the messages of one session depend on. Voltages in V, currents in A, as the charger reported
    them.
    """

    profile: EvProfile
    battery: Battery
    credentials: Credentials
    energy: Energy
    auth: Auth
    provisioning: Literal["none", "install", "update"] = "none"
    resume_session_id: bytes | None = None
    namespace: str = ISO2_NAMESPACE
    """The protocol that the session speaks once agreed on."""

    session_id: bytes = NEW_SESSION
    joined: bool = False
    """The charger joined the old session (OK_OldSessionJoined)."""
    contract: Credential | None = None
    """The contract in use: the one given, or the one just installed."""
    provisioned: Provisioning | None = None
    tariff_signature: str | None = None
    """"valid", "unsigned", "absent" or "invalid: ..." once a schedule has come."""

    evse_id: str = ""
    energy_mode: str = ""
    charge_service_id: int = CHARGE_SERVICE_ID
    services_to_ask: list[int] = field(default_factory=list)
    service_parameters: dict[int, Any] = field(default_factory=dict)
    certificate_service: bool = False
    gen_challenge: bytes | None = None

    schedule_id: int = 1
    schedule: Any = None
    """The chosen SAScheduleTuple."""
    evse_max_voltage_v: float | None = None
    evse_max_current_a: float | None = None
    evse_max_power_w: float | None = None
    nominal_voltage_v: float | None = None

    intent: Intent = "charge"
    stop_requested: str | None = None
    """Why the charger wants charging to end, in its own words, or None."""
    urgent: bool = False
    """The charger shuts down at once: no ramp."""
    started: bool = False
    """PowerDelivery Start was accepted and no Stop since."""
    renegotiating: bool = False
    progress: str = "Start"
    """ChargeProgress of the PowerDeliveryReq last built."""
    present_voltage_v: float = 0.0
    present_current_a: float = 0.0
    target_current_a: float = 0.0
    ramp_rounds: int = 0
    welding_rounds: int = 0
    receipt: Any = None
    """MeterInfo that the charger wants a receipt for."""
    meter_info: Any = None
    last_status: Any = None

    @property
    def loop_request(self) -> str:
        """Name of the request of the charge loop."""
        return "CurrentDemandReq" if self.energy == "dc" else "ChargingStatusReq"

    @property
    def contract_in_use(self) -> Credential:
        """The contract; raises GiveUp without one."""
        if self.contract is None:
            raise GiveUp("the car has no contract")
        return self.contract

    def ev_status(self, *, ready: bool) -> iso2.DC_EVStatus:
        """DC_EVStatus as it is now."""
        return iso2.DC_EVStatus(
            EVReady=ready,
            EVErrorCode=iso2.DC_EVErrorCode.NO_ERROR,
            EVRESSSOC=int(self.battery.soc_percent),
        )

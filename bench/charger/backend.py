"""What the simulated charger needs of a backend, and what a backend may ask of the charger.

The charger's V2G side knows only these Protocols. `bench.charger.ocpp` implements `Backend` with an OCPP
2.0.1 client;
`bench.charger.standalone` implements it in-process for a charger without a CSMS.

All calls run on the charger's one event loop. Coroutines may take as long as the backend takes: the V2G
side bounds
its own waiting. Event methods (`plugged_in` ...) are plain functions that must return at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

TokenKind = Literal[
    "eMAID", "ISO14443", "ISO15693", "Central", "KeyCode", "Local", "MacAddress", "NoAuthorization"
]

AuthorizationStatus = Literal[
    "Accepted",
    "Blocked",
    "ConcurrentTx",
    "Expired",
    "Invalid",
    "NoCredit",
    "NotAllowedTypeEVSE",
    "NotAtThisLocation",
    "NotAtThisTime",
    "Unknown",
]
CertificateStatus = Literal[
    "Accepted",
    "SignatureError",
    "CertificateExpired",
    "CertificateRevoked",
    "NoCertificateAvailable",
    "CertChainError",
    "ContractCancelled",
]
StopReason = Literal[
    "StoppedByEV",  # the EV ended the session in the orderly way
    "Local",
    "Remote",
    "EVDisconnected",
    "DeAuthorized",
    "EmergencyStop",
    "GroundFault",
    "ImmediateReset",
    "PowerLoss",
    "Timeout",
    "Other",
]
SuspendedBy = Literal["EV", "EVSE"]
ConnectorStatus = Literal["Available", "Occupied", "Faulted", "Unavailable"]


class BackendUnavailable(Exception):  # noqa: N818 - a state of affairs, not an error of the program
    """The backend gave no usable answer: offline, silent for too long, CALLERROR, or a malformed frame."""


@dataclass(frozen=True, slots=True)
class IdToken:
    """Who pays: an RFID card, an eMAID, or what a remote start named (OCPP IdTokenType)."""

    id_token: str
    kind: TokenKind


@dataclass(frozen=True, slots=True)
class HashData:
    """One entry of `iso15118CertificateHashData` (OCPP 2.0.1 OCSPRequestDataType); hashes and serial in
    lower-case hex."""

    hash_algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    responder_url: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """The backend's decision: `idTokenInfo.status` and, for a contract, `certificateStatus`."""

    status: AuthorizationStatus
    certificate_status: CertificateStatus | None = None

    @property
    def accepted(self) -> bool:
        """True when the token is accepted and nothing is said against its certificate."""
        return self.status == "Accepted" and self.certificate_status in (None, "Accepted")


@dataclass(frozen=True, slots=True)
class ProvisioningAnswer:
    """Get15118EVCertificateResponse: status and the EXI bytes for the EV (None when there are none)."""

    status: Literal["Accepted", "Failed"]
    exi_response: bytes | None


class Backend(Protocol):
    """A backend as the charger sees it. `bench.charger.ocpp.create_backend(charger, link)` makes one."""

    @property
    def online(self) -> bool:
        """True when requests can be answered (connected and BootNotification accepted)."""
        ...

    async def start(self) -> None:
        """Begin to connect; returns at once, connecting goes on in the background."""
        ...

    async def close(self) -> None:
        """End the connection in the orderly way; safe to call twice."""
        ...

    async def authorize_contract(
        self, emaid: str, *, chain_pem: str | None, hash_data: Sequence[HashData] | None
    ) -> Authorization:
        """Ask about a contract (OCPP C07): `hash_data` after local validation, or `chain_pem` (leaf to
        sub-CAs, no
        root) for central validation. Raises BackendUnavailable."""
        ...

    async def authorize_token(self, token: IdToken) -> Authorization:
        """Ask about a card or a remote-start token (OCPP C01, C05). Raises BackendUnavailable."""
        ...

    def known_offline(self, token: IdToken) -> bool:
        """True when the authorization cache or the local list accepts `token` (OCPP C07.FR.08/09, C10,
        C13)."""
        ...

    async def get_15118_ev_certificate(
        self, schema_version: str, action: Literal["Install", "Update"], exi_request: bytes
    ) -> ProvisioningAnswer:
        """Hand the EV's EXI message to the backend (OCPP M01, M02). Raises BackendUnavailable."""
        ...

    # Events, in the order of a session. Plain functions, called on the loop; they must not block or raise.
    def plugged_in(self) -> None:
        """A vehicle is connected (pilot left state A)."""
        ...

    def unplugged(self) -> None:
        """The vehicle is gone (pilot state A). Comes after `charging_stopped` when power was on."""
        ...

    def authorized(self, token: IdToken) -> None:
        """`token` may charge now."""
        ...

    def charging_started(self) -> None:
        """Power path closed: PowerDeliveryReq Start was answered OK. Also after a suspension (resume)."""
        ...

    def charging_suspended(self, by: SuspendedBy) -> None:
        """No energy flows, the session goes on or is paused."""
        ...

    def charging_stopped(self, reason: StopReason) -> None:
        """The session is over: the transaction (if any) ends. Called once a session that was authorised."""
        ...

    def status_changed(self, status: ConnectorStatus) -> None:
        """New connector status (OCPP StatusNotification)."""
        ...


class Commands(Protocol):
    """What a backend may ask of the charger; `bench.charger.model.Charger` implements it."""

    async def remote_start(self, token: IdToken) -> bool:
        """RequestStartTransaction: the backend vouches for `token`. False when the charger is not able to."""
        ...

    async def remote_stop(self) -> bool:
        """RequestStopTransaction for the running transaction: the EV is asked to stop (EVSENotification
        StopCharging),
        power goes off at the latest after the profile's grace time. False when nothing is running."""
        ...

    async def reset(self, *, immediate: bool) -> None:
        """Reset: power off, V2G sessions closed; the backend link is the backend's own business."""
        ...


class Variables(Protocol):
    """The OCPP 2.0.1 device model as the V2G side reads it (`bench.charger.variables.DeviceModel`).

    Read by the V2G side: ISO15118Ctrlr.PnCEnabled, .CentralContractValidationAllowed,
    .ContractValidationOffline,
    .ContractCertificateInstallationEnabled, .RequestMeteringReceipt.
    """

    def flag(self, component: str, variable: str) -> bool:
        """Actual value of a boolean variable; False when it does not exist."""
        ...


@dataclass(frozen=True, slots=True)
class CsmsLink:
    """How to reach the CSMS: `url` (ws:// or wss://, without the station id) and the station's identity."""

    url: str
    station_id: str
    password: str | None = None

"""A backend inside the charger, for a charger without a CSMS: it accepts everybody, and hands out no
certificates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from bench.charger.backend import (
    Authorization,
    BackendUnavailable,
    ConnectorStatus,
    HashData,
    IdToken,
    ProvisioningAnswer,
    StopReason,
    SuspendedBy,
)

log = logging.getLogger(__name__)

DEFAULTS: dict[tuple[str, str], bool] = {
    ("ISO15118Ctrlr", "PnCEnabled"): True,
    ("ISO15118Ctrlr", "CentralContractValidationAllowed"): True,
    ("ISO15118Ctrlr", "ContractValidationOffline"): False,
    ("ISO15118Ctrlr", "ContractCertificateInstallationEnabled"): True,
    ("ISO15118Ctrlr", "RequestMeteringReceipt"): False,
}


class PlainVariables:
    """The few variables that the V2G side reads, without a device model around them."""

    def __init__(self, values: dict[tuple[str, str], bool] | None = None) -> None:
        self.values = {**DEFAULTS, **(values or {})}

    def flag(self, component: str, variable: str) -> bool:
        """Value of a boolean variable; False when it does not exist."""
        return self.values.get((component, variable), False)


class StandaloneBackend:
    """Says yes to every token and contract; `events` keeps the last events as text."""

    MAX_EVENTS = 200

    def __init__(self) -> None:
        self.online = True
        self.events: list[str] = []

    def _note(self, text: str) -> None:
        log.info("%s", text)
        self.events.append(text)
        del self.events[: -self.MAX_EVENTS]

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to end."""

    async def authorize_contract(
        self, emaid: str, *, chain_pem: str | None, hash_data: Sequence[HashData] | None
    ) -> Authorization:
        """Accepted."""
        self._note(f"contract {emaid} accepted")
        return Authorization("Accepted", "Accepted")

    async def authorize_token(self, token: IdToken) -> Authorization:
        """Accepted."""
        self._note(f"token {token.id_token} accepted")
        return Authorization("Accepted")

    def known_offline(self, token: IdToken) -> bool:
        """Never offline, so nobody is known."""
        return False

    async def get_15118_ev_certificate(
        self, schema_version: str, action: Literal["Install", "Update"], exi_request: bytes
    ) -> ProvisioningAnswer:
        """There is no provisioning service."""
        raise BackendUnavailable("no CSMS: this charger runs alone")

    def plugged_in(self) -> None:
        """Note it."""
        self._note("plugged in")

    def unplugged(self) -> None:
        """Note it."""
        self._note("unplugged")

    def authorized(self, token: IdToken) -> None:
        """Note it."""
        self._note(f"authorized {token.kind} {token.id_token}")

    def charging_started(self) -> None:
        """Note it."""
        self._note("charging started")

    def charging_suspended(self, by: SuspendedBy) -> None:
        """Note it."""
        self._note(f"charging suspended by {by}")

    def charging_stopped(self, reason: StopReason) -> None:
        """Note it."""
        self._note(f"charging stopped: {reason}")

    def status_changed(self, status: ConnectorStatus) -> None:
        """Note it."""
        self._note(f"connector {status}")

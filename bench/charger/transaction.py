"""Transactions of the simulated charger (OCPP 2.0.1 E01 to E12, J02): what happens becomes TransactionEvents.

A transaction starts when a token is authorised (TxStartPoint Authorized) and ends when charging is over or
the vehicle is gone. This module knows no network: each event is handed to `emit` in the order of happening,
with its own timestamp; the client queues and sends. Methods whose name is a policy (`next_seq_no`,
`id_token`, ...) are replaced by defects.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from bench.charger.backend import IdToken, StopReason, SuspendedBy

Context = Literal["Transaction.Begin", "Sample.Periodic", "Transaction.End", "Trigger"]

# Which triggerReason fits a stoppedReason (E06.FR.02 to FR.07, FR.15, and table 77).
_TRIGGER_OF_STOP: dict[StopReason, str] = {
    "Local": "StopAuthorized",
    "Remote": "RemoteStop",
    "EVDisconnected": "EVCommunicationLost",
    "StoppedByEV": "ChargingStateChanged",
    "DeAuthorized": "Deauthorized",
    "EmergencyStop": "AbnormalCondition",
    "GroundFault": "AbnormalCondition",
    "ImmediateReset": "ResetCommand",
    "PowerLoss": "AbnormalCondition",
    "Timeout": "EVConnectTimeout",
    "Other": "AbnormalCondition",
}


class MeterSource(Protocol):
    """What is sampled: register in Wh, power in W, voltage in V, current in A, state of charge in % or
    None."""

    soc_percent: int | None

    @property
    def energy_wh(self) -> float: ...
    @property
    def power_w(self) -> float: ...
    @property
    def voltage_v(self) -> float: ...
    @property
    def current_a(self) -> float: ...


def timestamp() -> str:
    """Now, as OCPP writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Transaction:
    """The one that runs."""

    id: str
    token: IdToken
    seq_no: int = 0
    charging_state: str = "EVConnected"
    remote_start_id: int | None = None


class TransactionManager:
    """Makes TransactionEventRequest payloads.

    `emit(payload)` must return at once; `online()` tells whether the station is connected at this moment.
    """

    def __init__(
        self, meter: MeterSource, emit: Callable[[dict[str, Any]], None], online: Callable[[], bool]
    ) -> None:
        self._meter = meter
        self._emit = emit
        self._online = online
        self.active: Transaction | None = None
        self.remote_start: tuple[str, int] | None = None
        """Token and remoteStartId of an accepted RequestStartTransaction that has not started yet."""
        self.stop_reason: StopReason | None = None
        """Why the backend wanted the running transaction to stop; overrides what the charger reports."""
        self.on_change: list[Callable[[], None]] = []
        """Called when a transaction starts or ends."""
        self._plugged = False

    # Policies.

    def next_seq_no(self, transaction: Transaction) -> int:
        """Sequence numbers go up by one from 0 (E01.FR.07)."""
        number = transaction.seq_no
        transaction.seq_no += 1
        return number

    def id_token(self, token: IdToken) -> dict[str, str] | None:
        """The idToken of the Started event (E03.FR.01)."""
        return {"idToken": token.id_token, "type": token.kind}

    def happened_offline(self) -> bool:
        """Whether an event that happens now is to be marked `offline` (E12.FR.02, E08)."""
        return not self._online()

    def register_wh(self, context: Context) -> float:
        """Reading of Energy.Active.Import.Register in Wh."""
        return self._meter.energy_wh

    def end(self, reason: StopReason) -> None:
        """Send Ended for the running transaction."""
        running = self.active
        if running is None:
            return
        self.active = None
        running.charging_state = "EVConnected" if self._plugged else "Idle"
        values = [self.meter_value("Transaction.End")]
        self._event(running, "Ended", _TRIGGER_OF_STOP[reason], meter_values=values, stopped=reason)

    # What happens.

    def plugged_in(self) -> None:
        """A vehicle is connected."""
        self._plugged = True
        if self.active is not None and self.active.charging_state == "Idle":
            self.active.charging_state = "EVConnected"
            self._event(self.active, "Updated", "CablePluggedIn")

    def unplugged(self) -> None:
        """The vehicle is gone; ends what nobody ended."""
        self._plugged = False
        self._finish("EVDisconnected")

    def authorized(self, token: IdToken) -> None:
        """Start a transaction for `token`, unless it has one already."""
        if self.active is not None:
            if self.active.token == token:
                return
            self._finish("DeAuthorized")
        transaction = Transaction(str(uuid.uuid4()), token)
        transaction.charging_state = "EVConnected" if self._plugged else "Idle"
        trigger = "Authorized"
        if self.remote_start is not None and self.remote_start[0] == token.id_token:
            trigger, transaction.remote_start_id = "RemoteStart", self.remote_start[1]
        self.remote_start = self.stop_reason = None
        self.active = transaction
        self._event(
            transaction,
            "Started",
            trigger,
            meter_values=[self.meter_value("Transaction.Begin")],
            token=self.id_token(token),
        )
        self._changed()

    def charging_started(self) -> None:
        """Energy may flow."""
        self._state("Charging")

    def charging_suspended(self, by: SuspendedBy) -> None:
        """No energy flows for now."""
        self._state("SuspendedEV" if by == "EV" else "SuspendedEVSE")

    def charging_stopped(self, reason: StopReason) -> None:
        """The session is over."""
        self._finish(reason)

    def sample(self) -> None:
        """A periodic sample is due (J02.FR.11, SampledDataCtrlr.TxUpdatedInterval)."""
        if self.active is not None:
            values = [self.meter_value("Sample.Periodic")]
            self._event(self.active, "Updated", "MeterValuePeriodic", meter_values=values)

    def triggered(self) -> None:
        """The backend asked for an event (F06.FR.07)."""
        if self.active is not None:
            self._event(self.active, "Updated", "Trigger", meter_values=[self.meter_value("Trigger")])

    # Building.

    def meter_value(self, context: Context) -> dict[str, Any]:
        """A MeterValueType: register (Wh), power (W), voltage (V), current (A), and SoC where it is known."""
        meter = self._meter
        values: list[tuple[str, float, str]] = [
            ("Energy.Active.Import.Register", round(self.register_wh(context), 3), "Wh"),
            ("Power.Active.Import", round(meter.power_w, 1), "W"),
            ("Voltage", round(meter.voltage_v, 2), "V"),
            ("Current.Import", round(meter.current_a, 3), "A"),
        ]
        if meter.soc_percent is not None:
            values.append(("SoC", float(meter.soc_percent), "Percent"))
        return {
            "timestamp": timestamp(),
            "sampledValue": [
                {
                    "value": value,
                    "context": context,
                    "measurand": measurand,
                    "location": "EV" if measurand == "SoC" else "Outlet",
                    "unitOfMeasure": {"unit": unit},
                }
                for measurand, value, unit in values
            ],
        }

    def _finish(self, reason: StopReason) -> None:
        if self.active is None:
            return
        reason, self.stop_reason = self.stop_reason or reason, None
        self.end(reason)
        self.active = None
        self._changed()

    def _state(self, state: str) -> None:
        if self.active is not None and self.active.charging_state != state:
            self.active.charging_state = state
            self._event(self.active, "Updated", "ChargingStateChanged")

    def _changed(self) -> None:
        for callback in tuple(self.on_change):
            callback()

    def _event(
        self,
        transaction: Transaction,
        event: Literal["Started", "Updated", "Ended"],
        trigger: str,
        *,
        meter_values: list[dict[str, Any]] | None = None,
        token: dict[str, str] | None = None,
        stopped: StopReason | None = None,
    ) -> None:
        info: dict[str, Any] = {
            "transactionId": transaction.id,
            "chargingState": transaction.charging_state,
        }
        if stopped is not None:
            info["stoppedReason"] = stopped
        if transaction.remote_start_id is not None:
            info["remoteStartId"] = transaction.remote_start_id
        payload: dict[str, Any] = {
            "eventType": event,
            "timestamp": timestamp(),
            "triggerReason": trigger,
            "seqNo": self.next_seq_no(transaction),
            "transactionInfo": info,
            "evse": {"id": 1, "connectorId": 1},
        }
        if token is not None:
            payload["idToken"] = token
        if meter_values:
            payload["meterValue"] = meter_values
        if self.happened_offline():
            payload["offline"] = True
        self._emit(payload)

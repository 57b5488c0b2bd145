"""OCPP transactions as the timeline shows them: the TransactionEvent calls of the charger, by transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.timeline import Event


def is_call(event: Event) -> bool:
    """A CALL that the charger sent."""
    return event.kind == "ocpp" and event.data.get("dir") == "rx" and event.data.get("type") == "CALL"


def is_transaction_event(event: Event) -> bool:
    """A TransactionEvent request of the charger."""
    return is_call(event) and event.name == "TransactionEvent" and isinstance(event.data.get("payload"), dict)


def transaction_id(event: Event) -> str:
    """The id of the transaction that a TransactionEvent belongs to, "" when it names none."""
    info = event.data["payload"].get("transactionInfo")
    return str(info.get("transactionId") or "") if isinstance(info, dict) else ""


def transactions(events: Iterable[Event]) -> dict[str, list[Event]]:
    """The TransactionEvents by transaction id, repetitions of the same payload (a retry) left out."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if is_transaction_event(event):
            before = found.setdefault(transaction_id(event), [])
            if all(event.data["payload"] != earlier.data["payload"] for earlier in before):
                before.append(event)
    return found


def energy_register_wh(payload: dict[str, Any]) -> list[float]:
    """The values of Energy.Active.Import.Register in a payload with `meterValue`, in Wh, in order; total
    only.
    """
    found = []
    for value in payload.get("meterValue") or []:
        for sample in (value.get("sampledValue") or []) if isinstance(value, dict) else []:
            if not isinstance(sample, dict) or sample.get("phase"):
                continue
            if sample.get("measurand", "Energy.Active.Import.Register") != "Energy.Active.Import.Register":
                continue
            unit = sample.get("unitOfMeasure") or {}
            factor = 1000.0 if unit.get("unit") == "kWh" else 1.0
            try:
                found.append(float(sample["value"]) * factor * 10.0 ** int(unit.get("multiplier") or 0))
            except (KeyError, TypeError, ValueError):
                continue  # not a number: RUL-08 judges the frame
    return found

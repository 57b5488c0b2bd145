"""RUL-07: an energy register never goes back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bench.rules.finding import Finder, Finding, Rule
from bench.rules.transactions import energy_register_wh, is_transaction_event, transactions
from bench.timeline import Event


def check(events: Sequence[Event], deviates: Collection[str] = ()) -> list[Finding]:
    """Fail: a value of Energy.Active.Import.Register below the one before it in the same transaction."""
    found = Finder(RULE.id, RULE.requirements)
    for name, all_events in transactions(events).items():
        highest_wh: float | None = None
        for event in all_events:
            if event.data["payload"].get("offline"):
                continue  # replayed later: its readings are older than those that came before
            for value_wh in energy_register_wh(event.data["payload"]):
                if highest_wh is not None and value_wh < highest_wh - 1e-6:
                    found.fail(
                        event, f"transaction {name}: register goes from {highest_wh:g} to {value_wh:g} Wh"
                    )
                highest_wh = value_wh
    return found.findings


def _is_subject(event: Event) -> bool:
    return is_transaction_event(event) and bool(energy_register_wh(event.data["payload"]))


RULE = Rule(
    id="RUL-07",
    title="Meter registers never go back",
    expected="Each Energy.Active.Import.Register is at least the one before it in the transaction.",
    requirements=("J02",),
    source="register monotonic (engineering rule)",
    confidence="memory",
    defects=("ocpp-meter-goes-back",),
    areas=("reconciliation",),
    subject=_is_subject,
    check=check,
    scope="run",
)

"""The blocks `bench`, `charger` and `ev` of run.json, asked of the station."""

from __future__ import annotations

from typing import Any


def describe(station: Any) -> dict[str, dict[str, Any]]:
    """What the station says of itself: `station.describe()` gives `{"bench": ..., "charger": ..., "ev":
    ...}`.

    The charger's own BootNotification is added once it has come.
    """
    blocks: dict[str, dict[str, Any]] = {name: dict(block) for name, block in station.describe().items()}
    boot = getattr(station.csms, "boot", None)
    charger = blocks.setdefault("charger", {})
    charger["ocpp_boot"] = None if boot is None else dict(getattr(boot, "raw", boot))
    return blocks

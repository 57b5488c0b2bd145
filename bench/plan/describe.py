"""The blocks `bench` and `charger` of run.json, asked of the station; `ev` comes from the car of the first
case.
"""

from __future__ import annotations

from typing import Any


def describe(station: Any) -> dict[str, dict[str, Any]]:
    """What the station says of itself: `station.describe()`, the blocks `bench` and `charger`."""
    return {name: dict(block) for name, block in station.describe().items()}

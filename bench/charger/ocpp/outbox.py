"""What must reach the backend, in order, also when it is away (OCPP 2.0.1 E04, E12, E13)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

MAX_ENTRIES = 2000


@dataclass(slots=True)
class Entry:
    """One call that waits; `attempts` counts those that got no usable answer."""

    action: str
    payload: dict[str, Any]
    attempts: int = 0


class Outbox:
    """A bounded queue; when it is full, periodic samples go first (E12.FR.07 allows to drop intermediate
    ones)."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._ready = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, action: str, payload: dict[str, Any]) -> None:
        """Append a call."""
        if len(self._entries) >= MAX_ENTRIES:
            self._make_room()
        self._entries.append(Entry(action, payload))
        self._ready.set()

    def _make_room(self) -> None:
        # Not the first entry: it may be on its way at this moment.
        for index, entry in enumerate(self._entries):
            if index and entry.payload.get("triggerReason") == "MeterValuePeriodic":
                del self._entries[index]
                return
        self._entries.pop()

    async def first(self) -> Entry:
        """The oldest call; waits for one. It stays until `done`."""
        while not self._entries:
            self._ready.clear()
            await self._ready.wait()
        return self._entries[0]

    def done(self, entry: Entry) -> None:
        """Take a call out."""
        if self._entries and self._entries[0] is entry:
            self._entries.popleft()

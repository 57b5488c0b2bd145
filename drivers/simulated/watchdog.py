"""A box's own watchdog: it acts when the host has been silent for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Watchdog:
    """Calls `trip` once after `timeout_s` without `feed`; `feed` costs no timer of its own."""

    def __init__(self, trip: Callable[[], None]) -> None:
        self._trip = trip
        self._timer: asyncio.TimerHandle | None = None
        self._fed_at = 0.0
        self.timeout_s = 0.0
        self.tripped = False

    @property
    def state(self) -> str:
        """ARMED, TRIPPED or OFF."""
        if self.tripped:
            return "TRIPPED"
        return "ARMED" if self._timer is not None else "OFF"

    def arm(self, timeout_s: float) -> None:
        """Watch from now on; takes back an earlier trip."""
        self.disarm()
        loop = asyncio.get_running_loop()
        self.tripped = False
        self.timeout_s = timeout_s
        self._fed_at = loop.time()
        self._timer = loop.call_at(self._fed_at + timeout_s, self._check)

    def disarm(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def feed(self) -> None:
        """The host is alive."""
        if self._timer is not None:
            self._fed_at = asyncio.get_running_loop().time()

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        due = self._fed_at + self.timeout_s
        if loop.time() < due:
            self._timer = loop.call_at(due, self._check)
            return
        self._timer = None
        self.tripped = True
        self._trip()

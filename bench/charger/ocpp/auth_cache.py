"""The authorization cache (OCPP 2.0.1 C10 to C12): what the backend last said of a token, for some time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from bench.charger.backend import IdToken

MAX_ENTRIES = 1000


class AuthCache:
    """Statuses by token; `life_time_s()` is asked at each look-up (AuthCacheCtrlr.LifeTime)."""

    def __init__(self, life_time_s: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._life_time_s = life_time_s
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def store(self, token: IdToken, status: str) -> None:
        """Remember the backend's status of a token (C10.FR.04, FR.05); the oldest goes when full."""
        key = (token.id_token.upper(), token.kind)
        self._entries[key] = (status, self._clock())
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def status(self, token: IdToken) -> str | None:
        """The remembered status, or None when unknown or too old."""
        entry = self._entries.get((token.id_token.upper(), token.kind))
        if entry is None or self._clock() - entry[1] > self._life_time_s():
            return None
        return entry[0]

    def clear(self) -> None:
        """Forget everything (C11)."""
        self._entries.clear()

"""The bench's health: the first cause of a break, for good. A bench that broke stays broken."""

from __future__ import annotations

import threading

from bench.timeline import Timeline


class Health:
    """Remembers the first cause; later ones are on the timeline only. Thread-safe."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._lock = threading.Lock()
        self._cause: str | None = None

    def note(self, cause: str) -> bool:
        """The bench broke, for this reason (one line). Returns whether it is the first one."""
        with self._lock:
            first = self._cause is None
            if first:
                self._cause = cause
        self._timeline.append(
            "bench", "step", "the bench broke" if first else "a further break", {"cause": cause}
        )
        return first

    def cause(self) -> str | None:
        """The first cause, or None while all is well."""
        if self._cause is None and self._timeline.write_error is not None:
            with self._lock:
                self._cause = (
                    self._cause
                    or f"the timeline is no longer written: {self._timeline.write_error};"
                    " free some space or give another --results folder"
                )
        return self._cause

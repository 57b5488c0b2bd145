"""Feeds the boxes' watchdogs, so that they act when the controller dies, and only then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from drivers import Driver, DriverError

SHARE = 3.0
"""A box is fed this many times in its watchdog's time."""


class KeepAlive:
    """One thread a box: one that hangs must not starve the others."""

    def __init__(self, on_lost: Callable[[str], None]) -> None:
        self._on_lost = on_lost
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def feed(self, driver: Driver) -> None:
        """Feed this box from now on; does nothing for one without a watchdog.

        To be called as soon as the box is open: opening the next one may take longer than its watchdog waits.
        """
        if driver.watchdog_s is not None:
            thread = threading.Thread(
                target=self._feed, args=(driver,), name=f"keep-alive {driver.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _feed(self, driver: Driver) -> None:
        assert driver.watchdog_s is not None
        period_s = driver.watchdog_s / SHARE
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() + period_s
            try:
                with driver.quiet():
                    driver.keep_alive()
            except DriverError as error:
                if not self._stop.is_set():
                    self._on_lost(str(error))
                return

    def stop(self) -> None:
        """Feed no more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads.clear()

"""The charger's energy meter: integrates what flows through the connector, with a small honest error."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.charger.cable import Cable, Seen

RELATIVE_ERROR = 0.002
MAX_GAP_S = 1.0
"""A longer gap between two readings is not integrated over: nobody measured in it."""


class Meter:
    """Register in Wh, rising only. `factor` is the meter's gain error (1.002 for +0.2 %)."""

    def __init__(
        self, cable: Cable, *, start_wh: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.factor = 1.0 + RELATIVE_ERROR
        self.soc_percent: int | None = None
        """State of charge that the EV last reported (DC), or None."""
        self._cable = cable
        self._clock = clock
        self._energy_wh = start_wh
        self._at_s = clock()
        self._power_w = cable.seen.power_w
        cable.on_seen.append(self._seen)

    def _seen(self, _before: Seen, now: Seen) -> None:
        self._integrate()
        self._power_w = now.power_w

    def _integrate(self) -> None:
        now_s = self._clock()
        gap_s = now_s - self._at_s
        self._at_s = now_s
        if 0 < gap_s <= MAX_GAP_S and self._power_w > 0:
            self._energy_wh += self._power_w * self.factor * gap_s / 3600.0

    @property
    def energy_wh(self) -> float:
        """Register reading in Wh, up to this moment."""
        self._integrate()
        return self._energy_wh

    @property
    def power_w(self) -> float:
        """Active power now, in W."""
        return self._cable.seen.power_w * self.factor

    @property
    def voltage_v(self) -> float:
        """Voltage now, in V (DC, or AC phase to neutral)."""
        return self._cable.seen.dc_voltage_v or self._cable.seen.ac_voltage_v

    @property
    def current_a(self) -> float:
        """Current now, in A (DC, or AC per phase)."""
        return self._cable.seen.dc_current_a or self._cable.seen.ac_current_a

"""The control pilot: oscillator and duty cycle by the charger's state, and the vehicle's state read back.

Source: IEC 61851-1 annex A; 5 % duty asks for digital communication (ISO 15118-3 clause 6). The oscillator
runs while
a vehicle is connected and rests (100 %, state x1) otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from bench.charger.cable import Cable, Seen

HLC_DUTY_PERCENT = 5.0
IDLE_DUTY_PERCENT = 100.0
CONNECTED = frozenset("BCD")
ENERGY = frozenset("CD")


class Pilot:
    """Drives the pilot line of `cable` and tells of a vehicle that comes or leaves.

    `power_off` is called synchronously, before anything else, when the vehicle is no longer there or when
    it leaves
    states C and D while power is on.
    """

    def __init__(self, cable: Cable, *, power_off: Callable[[], None]) -> None:
        self.cable = cable
        self.power_off = power_off
        self.hlc_duty_percent = HLC_DUTY_PERCENT
        self.accepting = True
        """False: no new session is taken (SDP stays silent). Set again at each plug-in."""
        self.on_connect: list[Callable[[], None]] = []
        self.on_disconnect: list[Callable[[], None]] = []
        self.connected = False
        self.stepping = False
        """The charger itself holds the line in state E: what is measured says nothing of the vehicle."""
        cable.on_seen.append(self._seen)

    @property
    def state(self) -> str:
        """The vehicle's pilot state as measured, "A" to "F"."""
        return self.cable.seen.state

    def _seen(self, before: Seen, now: Seen) -> None:
        if self.stepping:
            return
        if now.state in CONNECTED and not self.connected:
            self.connected = True
            self.accepting = True
            self.plugged()
            for callback in tuple(self.on_connect):
                callback()
        elif now.state not in CONNECTED and self.connected:
            self.connected = False
            self.unplugged()
            for callback in tuple(self.on_disconnect):
                callback()
        elif before.state in ENERGY and now.state not in ENERGY:
            # IEC 61851-1 table 4: a vehicle in state B must find no power on its terminals.
            self.power_off()

    def plugged(self) -> None:
        """A vehicle came: ask it for digital communication."""
        self.cable.set(oscillator=True, duty_percent=self.hlc_duty_percent, lock=True)

    def unplugged(self) -> None:
        """The vehicle left (or the pilot line broke): power off first, then the oscillator."""
        self.power_off()
        self.cable.set(oscillator=False, duty_percent=IDLE_DUTY_PERCENT, lock=False)

    async def step_through_e(self, seconds: float) -> None:
        """State E for `seconds`, then 5 % again: the vehicle may begin anew without a replug
        ([V2G3-M06-09])."""
        self.stepping = True
        try:
            self.cable.set(oscillator=False, duty_percent=IDLE_DUTY_PERCENT, fault="E")
            await asyncio.sleep(seconds)
            self.cable.set(oscillator=True, duty_percent=self.hlc_duty_percent, fault=None)
            await self.cable.settled(1.0)
        finally:
            self.stepping = False
            self.cable.set(fault=None)
            self._seen(self.cable.seen, self.cable.seen)  # it may have been unplugged meanwhile

    def charge_started(self) -> None:
        """Power flows from now on; the pilot stays as it is (5 % through the whole session)."""

    def session_failed(self) -> None:
        """A session ended with a FAILED answer; the vehicle may try again without replugging."""

    async def vehicle_in(self, states: Collection[str], timeout_s: float) -> bool:
        """Wait for a pilot state; False when the vehicle does not show it within `timeout_s`."""
        return await self.cable.vehicle_in(states, timeout_s)

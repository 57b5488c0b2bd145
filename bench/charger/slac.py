"""The charger's end of the powerline: SLAC over its own modem, tied to its control pilot (ISO 15118-3).

A vehicle that is plugged in opens the window for CM_SLAC_PARM.REQ; one that leaves takes its network with it.
When nobody asks within TT_EVSE_SLAC_init the oscillator is switched off ([V2G3-M06-07]); when the link is
lost the pilot goes through state E, and matching may begin anew without a replug ([V2G3-M06-09]).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.charger.cable import Seen
from bench.slac.config import EvseConfig
from bench.slac.evse import EvseMatcher
from bench.slac.evse_policy import EvsePolicy
from bench.slac.machine import Pilot as PilotInput
from bench.slac.machine import Step
from bench.slac.port import EthernetPort, PortError
from bench.slac.serve import EvseServer
from bench.v2g import timers

if TYPE_CHECKING:
    from bench.charger.model import Charger

log = logging.getLogger(__name__)


class Slac:
    """SLAC of one charger. Without `open` there is no modem, and the EV is at the interface at once.

    `policy` and `config` are read by `open`; `on_matcher` is called with the matcher that it makes.
    `reachable` tells whether a car that has matched can reach the SECC.
    """

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self._pilot = charger.pilot
        self.policy = EvsePolicy()
        limit = timers.get("slac.TT_EVSE_SLAC_init")
        # The standard gives a window; a charger that gives up early blocks a car without SLAC the least.
        shortest = {} if limit.minimum is None else {"TT_EVSE_SLAC_init": limit.minimum}
        self.config = EvseConfig(overrides=shortest)
        self.on_matcher: list[Callable[[EvseMatcher], None]] = []
        self.matcher: EvseMatcher | None = None
        self.step_ef_s = timers.get("slac.T_step_EF_min").value
        self._server: EvseServer | None = None
        self._port: EthernetPort | None = None
        charger.on_listening.append(self._guard_sdp)

    def open(self, port: EthernetPort) -> None:
        """Match over this port from now on, in the running loop; the port is closed by `close`."""
        self._port = port
        self.matcher = EvseMatcher(port.mac, self.config, self.policy)
        for callback in self.on_matcher:
            callback(self.matcher)
        self._server = EvseServer(port, self.matcher, on_step=self._step, on_broken=self._broken)
        self._server.open()
        self._pilot.cable.on_seen.append(self._seen)

    def close(self) -> None:
        """Fall silent and let go of the port."""
        if self._server is not None:
            self._server.close()
        if self._port is not None:
            self._port.close()

    @property
    def reachable(self) -> bool:
        """True without a modem, and from the moment a car was given the key of the network."""
        if self.matcher is None:
            return True
        given = any(session.phase == "matched" for session in self.matcher.sessions())
        return given or self.matcher.state == "matched"

    def _guard_sdp(self, *_: Any) -> None:
        """What comes over the powerline comes from members of the network only."""
        if self.matcher is None:
            return
        answer = self._charger.sdp.answer
        self._charger.sdp.answer = lambda request: answer(request) if self.reachable else None

    def _seen(self, before: Seen, now: Seen) -> None:
        if before.state != now.state and not self._pilot.stepping and self._server is not None:
            self._server.feed(PilotInput(now.state))

    def _step(self, step: Step) -> None:
        log.info("SLAC: %s %s", step.name, step.data)
        if step.name == "SLAC failed":
            self.failed(linked="link" in str(step.data.get("reason", "")))

    def failed(self, *, linked: bool) -> None:
        """There is no matching any more: it never began, or the car has left its network (`linked`)."""
        self._charger.communication_lost()
        if linked:
            self._charger.background(self._begin_anew())
        else:
            self._pilot.cable.set(oscillator=False, duty_percent=100.0)

    async def _begin_anew(self) -> None:
        await self._pilot.step_through_e(self.step_ef_s)
        if self._pilot.connected and self._server is not None:
            self._server.start()

    def _broken(self, error: PortError) -> None:
        log.warning("the modem's port broke: %s", error)
        if self.matcher is not None:
            self.matcher.stop(asyncio.get_running_loop().time())

"""Powerline, modems and a charger that matches, in real time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from bench.slac.evse import EvseMatcher
from bench.slac.machine import Pilot
from bench.slac.port import open_port
from bench.slac.serve import EvseServer
from drivers.simulated.powerline import Powerline


class Bench:
    """Powerline and charger in an event loop of their own thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.line = Powerline()
        self.broken = threading.Event()
        self.call(self.line.start())
        self.endpoints = self.line.endpoints()
        self.port = open_port(self.endpoints["plc-evse"])
        self.matcher = EvseMatcher(self.port.mac)
        self.server = EvseServer(self.port, self.matcher, on_broken=lambda _: self.broken.set())
        self.call(self._open())

    def call(self, what: Any) -> Any:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(10)

    async def _open(self) -> None:
        self.server.open()
        self.server.feed(Pilot("B"))

    def pilot(self, state: str) -> None:
        """The control pilot changes."""

        async def feed() -> None:
            self.server.feed(Pilot(state))

        self.call(feed())

    def close(self) -> None:
        """End the loop, and let go of all sockets."""

        async def close() -> None:
            self.server.close()
            self.line.close()
            await asyncio.sleep(0)

        self.call(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()
        self.port.close()

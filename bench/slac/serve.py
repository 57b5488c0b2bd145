"""Runs the charger's matching in an asyncio event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench.slac.evse import EvseMatcher
from bench.slac.machine import Action, Input, Send, Step
from bench.slac.mme import MmeError, parse_frame
from bench.slac.port import EthernetPort, PortError

MAX_FRAMES_AT_ONCE = 64
"""Read in one go; the rest waits for the loop's next turn, so that a flood does not stop everything else."""
_NS = 1_000_000_000


class EvseServer:
    """Feeds `matcher` from `port` and its timers. Not thread-safe: all of it is the loop's.

    `on_step` hears every Step of the matcher ("matched", "matching failed", ...), `on_broken` the end of the
    port. After each of them `matcher.state` and `matcher.reason` say where the matching stands.
    """

    def __init__(
        self,
        port: EthernetPort,
        matcher: EvseMatcher,
        *,
        on_step: Callable[[Step], None] = lambda step: None,
        on_broken: Callable[[PortError], None] = lambda error: None,
    ) -> None:
        self.port = port
        self.matcher = matcher
        self._on_step = on_step
        self._on_broken = on_broken
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to listen, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.port.fileno(), self._readable)

    def close(self) -> None:
        """Stop listening; the port stays open. May be called twice."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.remove_reader(self.port.fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def feed(self, what: Input) -> None:
        """An input that does not come over the port: `Pilot` at each change of state, `Link`."""
        self._carry_out(self.matcher.receive(what, _now()))

    def start(self) -> None:
        """Let matching begin (anew): see `EvseMatcher.start`."""
        self._carry_out(self.matcher.start(_now()))

    def stop(self) -> None:
        """End it: see `EvseMatcher.stop`."""
        self._carry_out(self.matcher.stop(_now()))

    def _readable(self) -> None:
        try:
            for _ in range(MAX_FRAMES_AT_ONCE):
                received = self.port.receive(0.0)
                if received is None or self._loop is None:
                    break
                try:
                    frame = parse_frame(received.frame)
                except MmeError:
                    continue  # a message cut short counts as missing
                if frame is not None:
                    self._carry_out(self.matcher.receive(frame, received.t_ns / _NS))
        except PortError as error:
            self._broken(error)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                try:
                    self.port.send(action.frame)
                except PortError as error:
                    self._broken(error)
                    return
            elif isinstance(action, Step):
                self._on_step(action)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.matcher.due
        if due is not None and self._loop is not None:
            self._timer = self._loop.call_later(max(0.0, due - _now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._carry_out(self.matcher.tick(_now()))

    def _broken(self, error: PortError) -> None:
        self.close()
        self._on_broken(error)


def _now() -> float:
    return time.monotonic_ns() / _NS

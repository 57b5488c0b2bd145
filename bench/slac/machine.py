"""State machines without input and output: frames and the time go in, frames and wishes come out.

A machine is a generator that yields the moment it wants to be woken at (seconds; None: only by an input) and
is sent what happened: an input, or None when the moment has come. It reads like the standard's sequence, and
every timer of it can be tested without waiting. Who runs it (`bench.slac.run`, a charger's event loop, a
test) calls `start`, `receive` and `tick`, and carries out the actions that these return.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.slac.mme import Frame

VehicleState = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, slots=True)
class Send:
    """Put this Ethernet frame on the wire. `deviation` says in what it is not what it should be."""

    name: str
    frame: bytes
    deviation: str = ""


@dataclass(frozen=True, slots=True)
class SetKey:
    """Make the own modem join this network, and tell the machine with `Link` what came of it."""

    nid: bytes
    nmk: bytes = field(repr=False)
    wait_s: float


@dataclass(frozen=True, slots=True)
class SetPilot:
    """Put the vehicle's resistors of this state ("A", "B", "C") on the control pilot."""

    state: VehicleState


@dataclass(frozen=True, slots=True)
class Step:
    """Something worth a line in the log: `data` is JSON-able."""

    name: str
    data: dict[str, Any]


Action = Send | SetKey | SetPilot | Step


@dataclass(frozen=True, slots=True)
class Link:
    """Input: the own modem sees another station of its network (`up`), or does not any more."""

    up: bool


@dataclass(frozen=True, slots=True)
class Pilot:
    """Input: the state of the control pilot, "A" to "F"."""

    state: str


Input = Frame | Link | Pilot
Flow = Generator[float | None, Input | None, None]


class Machine:
    """Runs one flow. Times are seconds on any clock that only grows, the same for all calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: float | None = None
        self._out: list[Action] = []
        self._flow: Flow | None = None

    def _main(self) -> Flow:
        raise NotImplementedError

    @property
    def due(self) -> float | None:
        """When `tick` is to be called at the latest; None when only an input can move the machine."""
        return self._due

    @property
    def running(self) -> bool:
        """Whether the flow has begun and not ended."""
        return self._flow is not None

    def start(self, t: float) -> list[Action]:
        """Begin, or begin anew: what was under way is dropped."""
        self.stop()
        self.now = t
        self._flow = self._main()
        self._resume(None)
        return self._taken()

    def stop(self) -> None:
        """End the flow where it stands."""
        flow, self._flow = self._flow, None
        self._due = None
        if flow is not None:
            flow.close()

    def receive(self, what: Input, t: float) -> list[Action]:
        """`what` came at `t`. A timer that had run out before is served first."""
        self._expire(t)
        self.now = max(self.now, t)
        self._resume(what)
        return self._taken()

    def tick(self, t: float) -> list[Action]:
        """It is `t` now: serve the timers that have run out."""
        self._expire(t)
        self.now = max(self.now, t)
        return self._taken()

    def _expire(self, t: float) -> None:
        while self._due is not None and self._due <= t:
            self.now = max(self.now, t)  # of a late call, what follows is counted from now: no bursts
            self._resume(None)

    def _resume(self, what: Input | None) -> None:
        if self._flow is None:
            return
        try:
            self._due = next(self._flow) if what is None else self._flow.send(what)
        except StopIteration:
            self._flow = self._due = None

    def _taken(self) -> list[Action]:
        out, self._out = self._out, []
        return out

    def _step(self, name: str, **data: Any) -> None:
        self._out.append(Step(name, data))

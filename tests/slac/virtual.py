"""Cars, chargers and their modems in virtual time: a second of the standard costs nothing."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.slac import mme
from bench.slac.ev import EvMatcher
from bench.slac.evse import EvseMatcher
from bench.slac.machine import Action, Link, Pilot, Send, SetKey, SetPilot, Step
from bench.slac.mme import BROADCAST, LOCAL_MODEM, Frame, Mme

EV = bytes.fromhex("020000000e01")
EV2 = bytes.fromhex("020000000e02")
EVSE = bytes.fromhex("020000005e01")
EVSE2 = bytes.fromhex("020000005e02")
LATENCY_S = 0.001


@dataclass
class Line:
    """The powerline: `db` for each (car, charger); what is not in it is not heard."""

    db: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    default_db: int = 12
    join_s: float = 0.3


@dataclass(frozen=True)
class Seen:
    """A frame that was sent."""

    t: float
    frame: Frame


class World:
    """`run` lets time pass until nothing is due any more, or the limit."""

    def __init__(self, cars: list[EvMatcher], chargers: list[EvseMatcher], line: Line | None = None) -> None:
        self.t = 1000.0
        self.cars = {car.mac: car for car in cars}
        self.chargers = {charger.mac: charger for charger in chargers}
        self.line = line or Line()
        self.seen: list[Seen] = []
        self.steps: list[tuple[float, str, dict[str, Any]]] = []
        self.pilots: list[tuple[float, str]] = []
        self.drop: Callable[[Frame], bool] = lambda frame: False
        self.modem_result = 1
        self._keys: dict[bytes, tuple[bytes, bytes]] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number: Iterator[int] = itertools.count()

    def at(self, t: float, what: Callable[[], None]) -> None:
        """Do it at `t`."""
        heapq.heappush(self._queue, (t, next(self._number), what))

    def plug_in(self) -> None:
        """All chargers see state B now."""
        for charger in self.chargers.values():
            self.carry_out(charger, charger.receive(Pilot("B"), self.t))

    def start(self, *, delay_s: float = 0.1) -> None:
        """Plug in, and let all cars begin a little later."""
        self.plug_in()
        for car in self.cars.values():
            self.at(self.t + delay_s, lambda car=car: self.carry_out(car, car.start(self.t)))

    def run(self, limit_s: float = 60.0, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        end = self.t + limit_s
        while not until():
            due = [
                each.due for each in (*self.cars.values(), *self.chargers.values()) if each.due is not None
            ]
            if self._queue:
                due.append(self._queue[0][0])
            if not due or min(due) > end:
                self.t = end
                return
            self.t = max(self.t, min(due))
            if self._queue and self._queue[0][0] <= self.t:
                heapq.heappop(self._queue)[2]()
                continue
            for each in (*self.cars.values(), *self.chargers.values()):
                self.carry_out(each, each.tick(self.t))

    def match(self, limit_s: float = 60.0) -> None:
        """Run from plug-in until all cars have ended."""
        self.start()
        self.run(0.2)
        self.run(limit_s, until=lambda: not any(car.running for car in self.cars.values()))

    def sent(self, kind: type[Mme], source: bytes | None = None) -> list[Seen]:
        """The frames of this kind, in order."""
        return [
            each
            for each in self.seen
            if isinstance(each.frame.mme, kind) and source in (None, each.frame.source)
        ]

    def carry_out(self, who: EvMatcher | EvseMatcher, actions: list[Action]) -> None:
        """What a runner does with actions."""
        for action in actions:
            if isinstance(action, Send):
                self._send(action.frame)
            elif isinstance(action, SetPilot):
                self.set_pilot(action.state)
            elif isinstance(action, SetKey):
                assert isinstance(who, EvMatcher)
                self._join(who, action)
            else:
                assert isinstance(action, Step)
                self.steps.append((self.t, action.name, action.data))

    def set_pilot(self, state: str) -> None:
        """The car's resistors change."""
        self.pilots.append((self.t, state))
        for charger in self.chargers.values():
            self.carry_out(charger, charger.receive(Pilot(state), self.t))

    def send(self, message: Mme, *, source: bytes, destination: bytes = BROADCAST) -> None:
        """A frame of a test's own."""
        self._send(mme.build_frame(message, source=source, destination=destination))

    def _send(self, data: bytes) -> None:
        frame = mme.parse_frame(data)
        assert frame is not None
        self.seen.append(Seen(self.t, frame))
        if self.drop(frame):
            return
        if frame.destination == LOCAL_MODEM:
            self._modem(frame)
            return
        for who in (*self.cars.values(), *self.chargers.values()):
            if who.mac != frame.source and self._audible(frame.source, who.mac):
                self._deliver(who, frame)
                if isinstance(frame.mme, mme.MnbcSoundInd) and isinstance(who, EvseMatcher):
                    db = self.line.db.get((frame.source, who.mac), self.line.default_db)
                    profile = mme.AttenProfileInd(pev_mac=frame.source, aag=bytes([db]) * 58)
                    self._deliver(who, Frame(who.mac, bytes(6), None, profile), 2 * LATENCY_S)

    def _audible(self, one: bytes, other: bytes) -> bool:
        if not self.line.db:
            return True
        return (one, other) in self.line.db or (other, one) in self.line.db

    def _deliver(self, who: EvMatcher | EvseMatcher, frame: Frame, after: float = LATENCY_S) -> None:
        self.at(self.t + after, lambda: self.carry_out(who, who.receive(frame, self.t)))

    def _modem(self, frame: Frame) -> None:
        charger = self.chargers[frame.source]
        answer: Mme
        if isinstance(frame.mme, mme.SetKeyReq):
            answer = mme.SetKeyCnf(result=self.modem_result)
            if self.modem_result in (0, 1):
                self._keys[frame.source] = (frame.mme.nid, frame.mme.new_key)
        else:
            key = self._keys.get(frame.source)
            up = any(self._keys.get(car) == key for car in self.cars) and key is not None
            answer = mme.VsLnkStatusCnf(link_status=int(up))
        self._deliver(charger, Frame(frame.source, LOCAL_MODEM, None, answer))

    def _join(self, car: EvMatcher, action: SetKey) -> None:
        def joined() -> None:
            self._keys[car.mac] = (action.nid, action.nmk)
            up = any(self._keys.get(charger) == self._keys[car.mac] for charger in self.chargers)
            if up:
                self.carry_out(car, car.receive(Link(up=True), self.t))

        self.at(self.t + self.line.join_s, joined)

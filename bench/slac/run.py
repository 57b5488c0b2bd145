"""Runs the car's matching over an Ethernet port: waits for frames and timers, keeps the record."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bench.slac import mme
from bench.slac.config import EvConfig
from bench.slac.ev import EvMatcher
from bench.slac.faults import Fault
from bench.slac.machine import Action, Link, Send, SetKey, SetPilot, Step, VehicleState
from bench.slac.mme import Frame, MmeError, UnknownMme, mac_text
from bench.slac.port import EthernetPort, Received
from bench.slac.result import MatchResult
from bench.timeline import Timeline

MAX_STALE_FRAMES = 4096
MAX_WAIT_S = 1.0
_NS = 1_000_000_000


class Modem(Protocol):
    """What matching needs of the car's own modem (`drivers.plc_modem.PlcModem` has it)."""

    def set_key(self, nid: bytes, nmk: bytes) -> None:
        """Join the network with this key. Raises when the modem is silent or refuses: a broken bench."""

    def wait_link(self, timeout_s: float) -> bool:
        """Whether another station of the network is heard within the time."""


class PilotSwitch(Protocol):
    """What a validation needs of the control pilot (`drivers.control_pilot.ControlPilot` has it)."""

    def set_state(self, state: VehicleState) -> None:
        """Put the resistors of the state on the line."""


@dataclass(frozen=True, slots=True)
class Car:
    """One car: what matches, and over what. `name` is the source of its events in the timeline."""

    matcher: EvMatcher
    port: EthernetPort
    modem: Modem | None = None
    pilot: PilotSwitch | None = None
    name: str = "ev"


def match(
    port: EthernetPort,
    modem: Modem | None,
    pilot: PilotSwitch | None = None,
    config: EvConfig | None = None,
    *,
    faults: Sequence[Fault] = (),
    timeline: Timeline | None = None,
) -> MatchResult:
    """Match once (with the repetitions of `config`) and join the charger's network.

    Without `modem` matching ends at CM_SLAC_MATCH.CNF; without `pilot` a charger that would have to be
    validated is not taken. Raises PortError when the port breaks, ValueError for a configuration that cannot
    be, and whatever `modem` and `pilot` raise.
    """
    config = config or EvConfig()
    if modem is None:
        config = replace(config, join=False)
    if pilot is None:
        if config.validate == "always":
            raise ValueError("a validation toggles the control pilot: one is needed for it")
        config = replace(config, validate="never")
    (result,) = match_cars([Car(EvMatcher(port.mac, config, faults), port, modem, pilot)], timeline)
    return result


def match_cars(cars: Sequence[Car], timeline: Timeline | None = None) -> list[MatchResult]:
    """Let several cars match at once; one `port` may serve them all, if it receives for all their addresses.
    Raises like `match`.
    """
    runner = _Runner(cars, timeline)
    runner.run()
    return [car.matcher.result for car in cars]


class _Runner:
    def __init__(self, cars: Sequence[Car], timeline: Timeline | None) -> None:
        self._cars = cars
        self._timeline = timeline
        self._ports = list({id(car.port): car.port for car in cars}.values())
        self._poll = select.poll()
        for port in self._ports:
            self._poll.register(port.fileno(), select.POLLIN)

    def run(self) -> None:
        for port in self._ports:  # what came before is not of this matching
            for _ in range(MAX_STALE_FRAMES):
                if port.receive(0.0) is None:
                    break
        for car in self._cars:
            self._carry_out(car, car.matcher.start(_now()))
        while any(car.matcher.running for car in self._cars):
            for port in self._ports:
                received = port.receive(self._left_s() if len(self._ports) == 1 else 0.0)
                if received is not None:
                    self._received(port, received)
            if len(self._ports) > 1:
                self._poll.poll(max(1, round(self._left_s() * 1000)))
            now = _now()
            for car in self._cars:
                due = car.matcher.due
                if due is not None and due <= now:
                    self._carry_out(car, car.matcher.tick(now))

    def _left_s(self) -> float:
        due = [car.matcher.due for car in self._cars if car.matcher.due is not None]
        return min(MAX_WAIT_S, max(0.0, min(due) - _now())) if due else MAX_WAIT_S

    def _received(self, port: EthernetPort, received: Received) -> None:
        cars = [car for car in self._cars if car.port is port]
        try:
            frame = mme.parse_frame(received.frame)
        except MmeError as error:
            for car in cars:
                car.matcher.problem(str(error))
                data = {"dir": "rx", "raw": received.frame.hex(), "text": str(error)}
                self._note(car, "malformed", data, received.t_ns)
            return
        if frame is None or isinstance(frame.mme, UnknownMme):
            return
        for car in cars:
            if frame.destination in (car.matcher.mac, mme.BROADCAST) and frame.source != car.matcher.mac:
                self._note(car, frame.mme.name, event_data("rx", frame, received.frame), received.t_ns)
            self._carry_out(car, car.matcher.receive(frame, received.t_ns / _NS))

    def _carry_out(self, car: Car, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                t_ns = car.port.send(action.frame)
                self._note(car, action.name, _sent(action), t_ns)
            elif isinstance(action, SetPilot):
                if car.pilot is None:
                    raise ValueError("the matching sets the control pilot: one is needed for it")
                car.pilot.set_state(action.state)
            elif isinstance(action, SetKey):
                up = self._joined(car, action)
                self._carry_out(car, car.matcher.receive(Link(up), _now()))
            elif isinstance(action, Step):
                self._note(car, action.name, {"step": True, **action.data}, time.monotonic_ns())

    def _joined(self, car: Car, action: SetKey) -> bool:
        """Set the key; a second time when there is no link at half the time, as some modems need it."""
        if car.modem is None:
            raise ValueError("the matching joins a network: a modem is needed for it")
        until = _now() + action.wait_s
        car.modem.set_key(action.nid, action.nmk)
        if car.modem.wait_link(max(0.0, until - _now()) / 2):
            return True
        car.matcher.result.retries["CM_SET_KEY.REQ"] = 1
        car.modem.set_key(action.nid, action.nmk)
        return car.modem.wait_link(max(0.0, until - _now()))

    def _note(self, car: Car, name: str, data: dict[str, Any], t_ns: int) -> None:
        if self._timeline is not None:
            self._timeline.append(car.name, "slac", name, data, t_ns=t_ns)


def _now() -> float:
    return time.monotonic_ns() / _NS


def event_data(direction: str, frame: Frame, raw: bytes) -> dict[str, Any]:
    """What the timeline keeps of a frame that was sent ("tx") or received ("rx")."""
    peer = frame.source if direction == "rx" else frame.destination
    return {"dir": direction, "peer": mac_text(peer), "raw": raw.hex(), "fields": mme.fields(frame.mme)}


def _sent(action: Send) -> dict[str, Any]:
    deviation = {"deviation": action.deviation} if action.deviation else {}
    try:
        frame = mme.parse_frame(action.frame)
    except MmeError:
        frame = None
    if frame is None:  # raw bytes of a deviation
        return {
            "dir": "tx",
            "peer": mac_text(action.frame[:6]),
            "raw": action.frame.hex(),
            "fields": None,
            **deviation,
        }
    return event_data("tx", frame, action.frame) | deviation

"""Each defect of the matching changes what the charger says in one of a few scenes; their time is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.charger import defects
from bench.charger.cable import IdealCable, Seen
from bench.charger.model import Charger
from bench.charger.profile import ChargerProfile
from bench.charger.standalone import PlainVariables
from bench.charger.store import CertificateStore
from bench.slac import mme
from bench.slac.evse import EvseMatcher
from bench.slac.keys import nid_from_nmk
from bench.slac.machine import Action, Input, Pilot, Send
from bench.slac.mme import BROADCAST, Frame, Mme

EV, OTHER, EVSE, MODEM = (bytes((2, 0, 0, 0, 0, last)) for last in range(1, 5))
RUN = bytes(range(1, 9))
NAMES = [name for name, each in defects.all_defects().items() if each.protocol == "slac"]


class Wire:
    """A charger's matching between car and modem, on a clock of its own; `said` is what it sends to cars."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.charger = Charger(ChargerProfile(), CertificateStore(folder), PlainVariables(), IdealCable())
        defects.apply(self.charger, names)
        slac = self.charger.slac
        self.matcher = EvseMatcher(EVSE, slac.config, slac.policy)
        for callback in slac.on_matcher:
            callback(self.matcher)
        self.said: list[Any] = []
        self.t = 0.0
        self.linked = False
        self._keys: list[bytes] = []

    def pilot(self, state: str) -> None:
        before = self.charger.cable.seen.state
        self.charger.cable.seen = Seen(state)
        if before == "A":
            for callback in self.charger.pilot.on_connect:
                if getattr(callback, "__self__", None) is None:
                    callback()
        self._take(self.matcher.receive(Pilot(state), self.t))

    def send(self, message: Mme, source: bytes = EV) -> None:
        self._feed(Frame(EVSE, source, None, message))

    def wait(self, seconds: float) -> None:
        until = self.t + seconds
        while (due := self.matcher.due) is not None and due <= until:
            self.t = max(self.t, due)
            self._take(self.matcher.tick(self.t))
        self.t = until

    def _feed(self, what: Input) -> None:
        self.t += 0.001
        self._take(self.matcher.receive(what, self.t))

    def _take(self, actions: list[Action]) -> None:
        for action in actions:
            frame = mme.parse_frame(action.frame) if isinstance(action, Send) else None
            if frame is None:
                continue
            message = frame.mme
            if isinstance(message, mme.SetKeyReq):
                self._keys.append(message.new_key)
                self._feed(Frame(EVSE, MODEM, None, mme.SetKeyCnf(result=1)))
            elif isinstance(message, mme.VsLnkStatusReq):
                self._feed(Frame(EVSE, MODEM, None, mme.VsLnkStatusCnf(link_status=int(self.linked))))
            elif isinstance(message, mme.SlacMatchCnf):
                told = {**mme.fields(message), "nid": message.nid == nid_from_nmk(message.nmk)}
                told["nmk"] = (message.nmk == self._keys[-1], self._keys.count(message.nmk))
                self.said.append((round(self.t, 2), told))
            else:
                self.said.append((round(self.t, 2), message.name, mme.fields(message)))

    # --- what a car does ---

    def parameters(self, run_id: bytes = RUN, **fields: Any) -> None:
        self.send(mme.SlacParmReq(run_id=run_id, **fields))

    def sound(self, sounds: int = 10, run_id: bytes = RUN, **fields: Any) -> None:
        start = {"forwarding_sta": EV, "run_id": run_id, **fields}
        for _ in range(3):
            self.send(mme.StartAttenCharInd(**start))
        for left in range(sounds):
            self.send(mme.MnbcSoundInd(cnt=left, run_id=run_id))
            profile = mme.AttenProfileInd(pev_mac=EV, aag=bytes([30]) * 58)
            self._feed(Frame(BROADCAST, MODEM, None, profile))
        self.wait(0.05 if sounds == 10 else 0.7)

    def respond(self, run_id: bytes = RUN, **fields: Any) -> None:
        self.send(mme.AttenCharRsp(**{"source_address": EV, "run_id": run_id, **fields}))

    def match(self, **fields: Any) -> None:
        self.send(mme.SlacMatchReq(**{"pev_mac": EV, "evse_mac": EVSE, "run_id": RUN, **fields}))

    def ready(self) -> None:
        self.pilot("B")
        self.parameters()
        self.sound()
        self.respond()


def whole(wire: Wire) -> None:
    """Matched twice with all repetitions, map, unplug."""
    for _ in range(2):
        wire.ready()
        wire.match()
        wire.match()
        wire.linked = True
        wire.wait(2)
        for amap in (mme.AmpMapReq(amlen=2, amdata=b"1"),) * 2 + (mme.AmpMapReq(),):
            wire.send(amap)
        wire.parameters(bytes(8))
        wire.pilot("A")
        wire.said.append(len(wire._keys))
        wire.linked = False
        wire.wait(1)


def early(wire: Wire) -> None:
    """A car that is not plugged in, in other states, with other types, late."""
    wire.parameters()
    wire.pilot("B")
    wire.pilot("A")
    wire.parameters()
    wire.pilot("B")
    wire.wait(0.5)
    wire.parameters(application_type=255)
    wire.pilot("C")
    wire.parameters()
    wire.pilot("A")
    wire.pilot("B")
    wire.wait(60)
    wire.parameters()


def sounding(wire: Wire) -> None:
    """Sounds that are too few, too late, announced wrongly, or begun anew; unplugged in the middle."""
    for resp_type in (0, 1):
        wire.pilot("B")
        wire.parameters()
        wire.sound(resp_type=resp_type)
        wire.pilot("A")
    wire.pilot("B")
    wire.parameters()
    wire.sound(9)
    wire.wait(5)
    wire.parameters()
    wire.wait(1)
    wire.sound()
    wire.parameters()
    wire.parameters(bytes(8))
    wire.pilot("A")
    wire.sound(run_id=bytes(8))


def responses(wire: Wire) -> None:
    """A response that is wrong, and requests that are."""
    wire.pilot("B")
    wire.parameters()
    wire.sound()
    wire.respond(result=255)
    wire.wait(5)
    wire.parameters()
    wire.sound()
    wire.respond()
    wire.match(mvf_length=0)
    wire.wait(20)
    wire.match()


def validation(wire: Wire) -> None:
    """Toggles, repetitions, other results, two cars."""
    for step in (
        {"timer": 9, "result": 1},
        {"timer": 9, "result": 2},
        {"timer": 9, "result": 1, "signal_type": 9},
        {},
    ):
        wire.ready()
        wire.send(mme.ValidateReq(result=1))
        wire.send(mme.ValidateReq(result=1))
        if step:
            wire.send(mme.ValidateReq(**step))
        for state in "CBCB":
            wire.wait(0.2)
            wire.pilot(state)
        wire.wait(3)
        wire.match()
        wire.pilot("A")


def two(wire: Wire) -> None:
    """A second car asks while the first one validates."""
    wire.ready()
    wire.send(mme.SlacParmReq(run_id=RUN), OTHER)
    wire.send(mme.StartAttenCharInd(forwarding_sta=OTHER, run_id=RUN), OTHER)
    for _ in range(10):
        wire._feed(Frame(BROADCAST, MODEM, None, mme.AttenProfileInd(pev_mac=OTHER, aag=bytes(58))))
    wire.send(mme.AttenCharRsp(source_address=OTHER, run_id=RUN), OTHER)
    wire.send(mme.ValidateReq(result=1))
    wire.send(mme.ValidateReq(result=1), OTHER)


SCENES: tuple[Callable[[Wire], None], ...] = (whole, early, sounding, responses, validation, two)


def transcript(folder: Path, *names: str) -> list[Any]:
    async def play() -> list[Any]:
        said = []
        for scene in SCENES:
            wire = Wire(folder, names)
            scene(wire)
            said.append(wire.said)
        return said

    return asyncio.run(play())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "slac-needs-replug"])
def test_each_defect_shows_on_the_wire(name: str, tmp_path: Path) -> None:
    good = transcript(tmp_path)
    assert good == transcript(tmp_path), "the scenes are the same each time"
    assert transcript(tmp_path, name) != good


@pytest.mark.parametrize("name", [(), ("slac-needs-replug",)])
def test_a_charger_that_needs_a_replug_does_not_begin_anew(name: tuple[str, ...], tmp_path: Path) -> None:
    async def play() -> str | None:
        charger = Charger(ChargerProfile(), CertificateStore(tmp_path), PlainVariables(), IdealCable())
        charger.slac.step_ef_s = 0.05
        defects.apply(charger, name)
        charger.slac.failed(linked=True)
        await asyncio.sleep(0)
        fault = charger.cable.output.fault
        await charger.close()
        return fault

    assert asyncio.run(play()) == (None if name else "E")

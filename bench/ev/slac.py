"""The car's end of the powerline: a whole matching, or SLAC in single messages for a plan.

A bench with a modem matches when it is plugged in, as a car does (ISO 15118-3). `Plc.match` does all of it;
`SlacTalk` sends one message at a time and looks at what comes back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.ev.errors import ChargerTimeout
from bench.ev.vehicle import PilotState, Vehicle
from bench.slac import mme
from bench.slac.config import SOUND_INTERVAL_S, EvConfig
from bench.slac.faults import Fault
from bench.slac.mme import BROADCAST, Frame, Mme, MmeError
from bench.slac.port import EthernetPort, Received
from bench.slac.result import MatchResult
from bench.slac.run import event_data, match
from bench.timeline import Timeline
from bench.v2g import timers

MAX_HEARD = 10_000
LISTEN_S = 0.1
_NS = 1_000_000_000
_ORDINARY = ("cnt", "timer", "amlen", "amdata")
"""Fields that a plan sets without deviating from anything."""


class Modem(Protocol):
    """The car's modem; `drivers.plc_modem.PlcModem` is one."""

    @property
    def port(self) -> EthernetPort: ...
    def set_key(self, nid: bytes, nmk: bytes) -> None: ...
    def wait_link(self, timeout_s: float) -> bool: ...
    def link_up(self) -> bool: ...


class FrameSink(Protocol):
    """Who wants every frame; `bench.capture.sniffer.Tap` is one."""

    def ethernet(self, frame: bytes, t_ns: int) -> None: ...


class TappedPort(EthernetPort):
    """A port whose frames `tap` gets, too: a tunnel is on no interface that could be captured."""

    def __init__(self, port: EthernetPort, tap: FrameSink) -> None:
        self._port, self._tap = port, tap
        self.mac, self.name = port.mac, port.name

    def send(self, frame: bytes) -> int:
        t_ns = self._port.send(frame)
        self._tap.ethernet(frame, t_ns)
        return t_ns

    def receive(self, timeout_s: float) -> Received | None:
        received = self._port.receive(timeout_s)
        if received is not None:
            self._tap.ethernet(received.frame, received.t_ns)
        return received

    def fileno(self) -> int:
        return self._port.fileno()

    def close(self) -> None:
        self._port.close()


class Plc:
    """The car on the powerline. `tap` gets the frames where no interface carries them."""

    def __init__(
        self,
        modem: Modem,
        vehicle: Vehicle,
        timeline: Timeline,
        *,
        tap: FrameSink | None = None,
        sound_interval_s: float = SOUND_INTERVAL_S,
    ) -> None:
        self.modem, self.vehicle, self.timeline = modem, vehicle, timeline
        self.sound_interval_s = sound_interval_s
        port = modem.port
        self.port = port if tap is None or not port.name.startswith("tunnel:") else TappedPort(port, tap)

    def match(self, *faults: Fault, **config: Any) -> MatchResult:
        """Match from the present state of the pilot on. `config` are fields of `EvConfig`; limits of the
        standard are given as `overrides={"direct_db": 30}`. Raises ValueError, PortError, DriverError.
        """
        config.setdefault("sound_interval_s", self.sound_interval_s)
        pilot = None if self.vehicle.pilot is None else _PilotOfVehicle(self.vehicle)
        return match(self.port, self.modem, pilot, EvConfig(**config), faults=faults, timeline=self.timeline)

    def talk(self) -> SlacTalk:
        """A matching in single messages, with a RunID of its own."""
        return SlacTalk(self, _Ear(self.port, self.timeline), self.port.mac)

    def await_pwm(self, limit_s: float) -> bool:
        """Measure the pilot until the charger's oscillator runs; False when it does not within `limit_s`.

        A car begins with SLAC when it sees the duty cycle, not when it feels the plug.
        """
        deadline = time.monotonic() + limit_s
        while (reading := self.vehicle.measure_pilot()) is not None:
            duty = getattr(reading, "duty_percent", None)
            if duty is not None and 0.5 < duty < 99.5:
                return True
            if time.monotonic() >= deadline:
                return False
        return False


class _PilotOfVehicle:
    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle = vehicle

    def set_state(self, state: PilotState) -> None:
        self._vehicle.set_pilot(state, "SLAC validation")


@dataclass(frozen=True, slots=True)
class Heard:
    """A message to this car (or to all), and when it came: since the car's last one, in seconds."""

    mme: Any
    frame: Frame
    t_ns: int
    after_s: float


class _Ear:
    """What comes in at one port, for all the cars on it."""

    def __init__(self, port: EthernetPort, timeline: Timeline) -> None:
        self.port, self._timeline = port, timeline
        self.frames: list[tuple[Frame, int]] = []

    def listen(self, timeout_s: float) -> None:
        """Take one frame, if one comes."""
        received = self.port.receive(max(0.0, timeout_s))
        if received is None or len(self.frames) >= MAX_HEARD:
            return
        try:
            frame = mme.parse_frame(received.frame)
        except MmeError as error:
            data = {"dir": "rx", "raw": received.frame.hex(), "text": str(error)}
            self._timeline.append("ev", "slac", "malformed", data, t_ns=received.t_ns)
            return
        if frame is None or isinstance(frame.mme, mme.UnknownMme):
            return
        data = event_data("rx", frame, received.frame)
        self._timeline.append("ev", "slac", frame.mme.name, data, t_ns=received.t_ns)
        self.frames.append((frame, received.t_ns))

    def drain(self) -> None:
        """Take what is there already."""
        for _ in range(MAX_HEARD):
            before = len(self.frames)
            self.listen(0.0)
            if len(self.frames) == before:
                return


class SlacTalk:
    """One car's SLAC, message by message. Not for several threads.

    `send` puts any message on the wire, `receive` gives the next of a name that came since. The methods from
    `parameters` to `join` are the good way up to there, for preconditions: they raise ChargerTimeout when the
    charger does not go along.
    """

    def __init__(self, plc: Plc, ear: _Ear, mac: bytes) -> None:
        self.plc, self.mac = plc, mac
        self.run_id = secrets.token_bytes(8)
        self.evse_mac: bytes = BROADCAST
        self.confirmation: mme.SlacMatchCnf | None = None
        self._ear = ear
        self._position = 0
        self._sent_ns = time.monotonic_ns()

    # --- single messages ---

    def message(self, kind: type[Mme], **fields: Any) -> Any:
        """A message of this kind as this car would send it now, with some fields set otherwise."""
        own: dict[type[Mme], dict[str, Any]] = {
            mme.SlacParmReq: {"run_id": self.run_id},
            mme.StartAttenCharInd: {"forwarding_sta": self.mac, "run_id": self.run_id},
            mme.MnbcSoundInd: {"run_id": self.run_id, "rnd": secrets.token_bytes(16)},
            mme.AttenCharRsp: {"source_address": self.mac, "run_id": self.run_id},
            mme.ValidateReq: {"result": mme.VALIDATE_READY},
            mme.SlacMatchReq: {"pev_mac": self.mac, "evse_mac": self.evse_mac, "run_id": self.run_id},
        }
        return kind(**{**own.get(kind, {}), **fields})

    def send(self, kind: type[Mme], *, to: bytes | None = None, **fields: Any) -> None:
        """Send a message as of `message`: to all what is for all, the rest to the charger that answered."""
        what = self.message(kind, **fields)
        for_all = isinstance(what, mme.SlacParmReq | mme.StartAttenCharInd | mme.MnbcSoundInd)
        self._ear.drain()
        self._position = len(self._ear.frames)
        frame = mme.build_frame(
            what, destination=to or (BROADCAST if for_all else self.evse_mac), source=self.mac
        )
        self._sent_ns = self.plc.port.send(frame)
        parsed = mme.parse_frame(frame)
        if parsed is not None:
            data = event_data("tx", parsed, frame)
            odd = [name for name in fields if name not in _ORDINARY]
            if odd:
                data["deviation"] = ", ".join(f"{name} {data['fields'][name]}" for name in odd)
            self.plc.timeline.append("ev", "slac", what.name, data, t_ns=self._sent_ns)

    def receive(self, kind: type[Mme], within_s: float) -> Heard | None:
        """The next message of this kind to this car since the last `send` or `receive`; None when none comes
        within `within_s` from now.
        """
        deadline = time.monotonic() + within_s
        while True:
            while self._position < len(self._ear.frames):
                frame, t_ns = self._ear.frames[self._position]
                self._position += 1
                mine = frame.destination in (self.mac, BROADCAST) and frame.source != self.mac
                if mine and isinstance(frame.mme, kind):
                    return Heard(frame.mme, frame, t_ns, (t_ns - self._sent_ns) / _NS)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._ear.listen(left_s)

    def pause(self, seconds: float) -> None:
        """Let time pass, and go on hearing."""
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            self._ear.listen(min(left_s, LISTEN_S))

    def anew(self) -> None:
        """Another RunID: what follows is another matching."""
        self.run_id = secrets.token_bytes(8)

    def another_car(self) -> SlacTalk:
        """A second car at the same modem, with an address of its own."""
        mac = bytes([0x02]) + secrets.token_bytes(5)
        return SlacTalk(self.plc, self._ear, mac)

    def pilot(self, state: PilotState) -> None:
        """Put the vehicle's resistors of `state` on the control pilot."""
        self.plc.vehicle.set_pilot(state, "SLAC")

    def toggle(self, times: int, state_s: float = 0.3) -> None:
        """B to C and back, `times` times."""
        states: Sequence[PilotState] = ("C", "B") * times
        for state in states:
            self.pilot(state)
            self.pause(state_s)

    # --- the good way ---

    def parameters(self) -> mme.SlacParmCnf:
        """CM_SLAC_PARM, repeated as the standard has it."""
        for _ in range(1 + int(timers.get("slac.C_EV_match_retry").value)):
            self.send(mme.SlacParmReq)
            heard = self.receive(mme.SlacParmCnf, timers.get("slac.TT_match_response").value)
            if heard is not None and heard.mme.run_id == self.run_id:
                self.evse_mac = heard.frame.source
                found: mme.SlacParmCnf = heard.mme
                return found
        raise ChargerTimeout("no CM_SLAC_PARM.CNF", "CM_SLAC_PARM.REQ")

    def start(self, times: int = 3, **fields: Any) -> None:
        """CM_START_ATTEN_CHAR.IND."""
        for _ in range(times):
            self.send(mme.StartAttenCharInd, **fields)
            self.pause(self.plc.sound_interval_s)

    def sounds(self, first: int = 9, last: int = 0) -> None:
        """CM_MNBC_SOUND.IND, counting down from `first` to `last`."""
        for left in range(first, last - 1, -1):
            self.send(mme.MnbcSoundInd, cnt=left)
            if left > last:
                self.pause(self.plc.sound_interval_s)

    def sound(self) -> None:
        """All of the sounding."""
        self.start()
        self.sounds()

    def attenuation(self) -> mme.AttenCharInd:
        """CM_SLAC_PARM and sounding; CM_ATTEN_CHAR.IND has come and is not answered yet."""
        self.parameters()
        self.sound()
        heard = self.receive(mme.AttenCharInd, timers.get("slac.TT_EV_atten_results").value)
        if heard is None:
            raise ChargerTimeout("no CM_ATTEN_CHAR.IND", "CM_MNBC_SOUND.IND")
        found: mme.AttenCharInd = heard.mme
        return found

    def characterized(self) -> None:
        """`attenuation`, answered: the charger awaits CM_VALIDATE.REQ or CM_SLAC_MATCH.REQ."""
        self.attenuation()
        self.send(mme.AttenCharRsp)

    def validated(self, toggles: int = 2) -> None:
        """`characterized`, and a validation with success."""
        self.characterized()
        self.send(mme.ValidateReq)
        if self.receive(mme.ValidateCnf, timers.get("slac.TT_match_response").value) is None:
            raise ChargerTimeout("no CM_VALIDATE.CNF", "CM_VALIDATE.REQ")
        heard = self.second_step(toggles)
        if heard is None or heard.mme.result != mme.VALIDATE_SUCCESS:
            raise ChargerTimeout("no CM_VALIDATE.CNF with success", "CM_VALIDATE.REQ")

    def second_step(self, toggles: int = 2, state_s: float = 0.3) -> Heard | None:
        """The second CM_VALIDATE.REQ with its toggles of the pilot, and the answer."""
        tenths = round(20 * toggles * state_s) + 4
        self.send(mme.ValidateReq, timer=tenths - 1)
        self.pause(0.1)  # until the charger counts
        self.toggle(toggles, state_s)
        return self.receive(mme.ValidateCnf, tenths / 10)

    def matched(self) -> mme.SlacMatchCnf:
        """`characterized` and CM_SLAC_MATCH: the car has the key."""
        self.characterized()
        return self.match()

    def match(self) -> mme.SlacMatchCnf:
        """CM_SLAC_MATCH, repeated as the standard has it."""
        for _ in range(1 + int(timers.get("slac.C_EV_match_retry").value)):
            self.send(mme.SlacMatchReq)
            heard = self.receive(mme.SlacMatchCnf, timers.get("slac.TT_match_response").value)
            if heard is not None:
                self.confirmation = heard.mme
                found: mme.SlacMatchCnf = heard.mme
                return found
        raise ChargerTimeout("no CM_SLAC_MATCH.CNF", "CM_SLAC_MATCH.REQ")

    def linked(self) -> None:
        """`matched`, and the modem has joined the charger's network."""
        self.matched()
        if not self.join():
            raise ChargerTimeout("no link", "CM_SLAC_MATCH.CNF")
        self.pause(timers.get("slac.TT_match_sequence").value)  # until the charger's modem has told its host

    def join(self) -> bool:
        """Give the modem the key of CM_SLAC_MATCH.CNF; whether the link comes up within TT_match_join."""
        if self.confirmation is None:
            raise ChargerTimeout("no CM_SLAC_MATCH.CNF", "CM_SLAC_MATCH.REQ")
        self.plc.modem.set_key(self.confirmation.nid, self.confirmation.nmk)
        return self.plc.modem.wait_link(timers.get("slac.TT_match_join").value)
